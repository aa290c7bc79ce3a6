# SPDX-License-Identifier: MIT
"""Each row of the table of Redis replies and of errno in libshared/base/error.c. Real, but for two things:
TRYAGAIN comes from a server that answers so, because a real cluster refuses the library's scripts (CROSSSLOT) before it
could come; and most errnos are put in where the library opens its socket (tests/network/driver.c), because no machine
can be brought to all of them. UNBLOCKED is provoked in tests/unit/net/test_redis_server.c, where a blocked command's
own error is seen; consumers swallow it and ask again."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.process import wait_until
from driver import (
    ECLOSED,
    EINVALID,
    ENOMEM,
    EREMOTE,
    ETIMEOUT,
    PERMANENT,
    REDIS,
    RETRYABLE,
    ROOT,
    Answer,
    Driver,
)
from private import PrivateRedis, redis_with, server_that
from provoked import provokes


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(tmp_path / "driver.log", LOG_LEVEL="debug")
    yield driver
    driver.close()


def publish(driver: Driver) -> Answer:
    return driver.do("publish", "d1", 10, "extracting")


def expect(answer: Answer, word: str, class_: int = RETRYABLE, code: int = EREMOTE) -> Answer:
    assert (answer.class_, answer.code, answer.domain, answer.operation) == (
        class_, code, REDIS, "shared_progress_publish"), answer
    assert word in answer.message, answer
    return answer


@provokes("READONLY")
def test_replica(driver: Driver) -> None:
    with redis_with("--replicaof", "127.0.0.1 1") as server:
        driver.client(REDIS_URL=server.url)
        assert "primary" in expect(publish(driver), "READONLY").hint


@provokes("MASTERDOWN")
def test_replica_that_lost_its_primary(driver: Driver) -> None:
    with redis_with("--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no") as server:
        driver.client(REDIS_URL=server.url)
        expect(publish(driver), "MASTERDOWN")


@provokes("NOREPLICAS")
def test_primary_that_lost_its_replicas(driver: Driver) -> None:
    with redis_with("--min-replicas-to-write", "1") as server:
        driver.client(REDIS_URL=server.url)
        expect(publish(driver), "NOREPLICAS")


@provokes("OOM")
def test_out_of_memory(driver: Driver) -> None:
    with redis_with() as server:
        driver.client(REDIS_URL=server.url)
        server.connect().config_set("maxmemory", 1)
        assert "maxmemory" in expect(publish(driver), "OOM").hint
        server.connect().config_set("maxmemory", 0)
        assert publish(driver).code == 0


@provokes("MISCONF")
def test_snapshot_that_cannot_be_written(driver: Driver) -> None:
    with redis_with() as server:
        connection = server.connect()
        connection.config_set("save", "3600 1")
        shutil.rmtree(server.folder)
        connection.bgsave()
        wait_until(lambda: connection.info("persistence")["rdb_last_bgsave_status"] == "err", 10, "a failed snapshot")
        driver.client(REDIS_URL=server.url)
        expect(publish(driver), "MISCONF")


@provokes("BUSY")
def test_script_that_does_not_end(driver: Driver) -> None:
    with redis_with("--busy-reply-threshold", "10") as server:
        driver.client(REDIS_URL=server.url)
        assert publish(driver).code == 0
        with socket.create_connection(("127.0.0.1", server.port)) as other:
            other.sendall(b"*3\r\n$4\r\nEVAL\r\n$17\r\nwhile true do end\r\n$1\r\n0\r\n")
            answer = wait_until(lambda: busy(driver), 10, "BUSY")
            expect(answer, "BUSY")
        server.connect().script_kill()
        wait_until(lambda: publish(driver).code == 0, 10, "the end of the script")


def busy(driver: Driver) -> Answer | None:
    answer = driver.do("publish", "d1", 10, "extracting", timeout_s=20)
    return answer if answer.code else None


@provokes("LOADING")
def test_server_that_reads_its_data(driver: Driver) -> None:
    with redis_with() as first:
        connection = first.connect()
        connection.mset({f"key-{number}": "x" for number in range(2000)})
        connection.save()
        first.process.kill()
        first.process.wait()
        slow = PrivateRedis("--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024",
                            folder=first.folder)
        try:
            driver.client(REDIS_URL=slow.url)
            expect(publish(driver), "LOADING")
        finally:
            slow.close()


@provokes("CLUSTERDOWN")
def test_cluster_without_slots(driver: Driver) -> None:
    with redis_with("--cluster-enabled", "yes") as server:
        driver.client(REDIS_URL=server.url)
        expect(publish(driver), "CLUSTERDOWN")


@provokes("ERR max number of clients reached")
def test_too_many_clients(driver: Driver) -> None:
    with redis_with() as server:
        connection = server.connect()
        connection.config_set("maxclients", 1)
        driver.client(REDIS_URL=server.url)
        assert "maxclients" in expect(publish(driver), "max number of clients").hint


@provokes("NOAUTH", "WRONGPASS")
@pytest.mark.parametrize(("word", "password"), [("NOAUTH", ""), ("WRONGPASS", ":wrong@")])
def test_password(driver: Driver, word: str, password: str) -> None:
    with redis_with("--requirepass", "right") as server:
        driver.client(REDIS_URL=server.url.replace("//", f"//{password}"))
        answer = expect(publish(driver), word, PERMANENT)
        assert "password" in answer.hint


@provokes("TRYAGAIN")
def test_reply_of_a_cluster_that_moves_a_slot(driver: Driver) -> None:
    def serve(connection: socket.socket) -> None:
        first = True
        while connection.recv(65536):
            connection.sendall(b"+OK\r\n" if first else b"-TRYAGAIN Multiple keys request during rehashing\r\n")
            first = False

    with server_that(serve) as port:
        driver.client(REDIS_URL=f"redis://127.0.0.1:{port}")
        expect(publish(driver), "TRYAGAIN")


@provokes("UNBLOCKED")
def test_unblocked_is_provoked_by_the_unit_test() -> None:
    assert "UNBLOCKED" in (ROOT / "tests" / "unit" / "net" / "test_redis_server.c").read_text()


# -- the system -------------------------------------------------------------------------------------------------------


@provokes("ECONNREFUSED")
def test_refused(driver: Driver) -> None:
    with server_that(lambda connection: None) as port:
        pass
    driver.client(REDIS_URL=f"redis://127.0.0.1:{port}")
    expect(publish(driver), "refused", code=ECLOSED)


@provokes("ECONNRESET")
def test_reset(driver: Driver) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    with server_that(serve) as port:
        driver.client(REDIS_URL=f"redis://127.0.0.1:{port}")
        expect(publish(driver), "reset", code=ECLOSED)


def test_server_that_says_nothing(driver: Driver) -> None:
    def listen(connection: socket.socket) -> None:
        while connection.recv(4096):
            pass  # until the client gives up

    with server_that(listen) as port:
        driver.client(REDIS_URL=f"redis://127.0.0.1:{port}", CONNECT_TIMEOUT_MS="200")
        expect(publish(driver), "in time", code=ETIMEOUT)


@provokes("EMFILE")
def test_out_of_descriptors(driver: Driver) -> None:
    with redis_with() as server:
        driver.client(REDIS_URL=server.url)
        used = len(list(Path(f"/proc/{driver.process.pid}/fd").iterdir()))
        driver.good("limit", used)
        expect(publish(driver), os.strerror(errno.EMFILE))
        driver.good("limit", -1)
        wait_until(lambda: publish(driver).code == 0, 10, "a socket")


CODES = {"ETIMEDOUT": ETIMEOUT, "ENOMEM": ENOMEM, "ENOBUFS": ENOMEM,
         **dict.fromkeys(("EAGAIN", "EINTR", "EBUSY", "ENFILE", "ENOSPC", "EDQUOT", "ESTALE", "EADDRNOTAVAIL"),
                         EREMOTE),
         **dict.fromkeys(("ECONNABORTED", "EPIPE", "ENOTCONN", "ESHUTDOWN", "ENETDOWN", "ENETUNREACH", "ENETRESET",
                          "EHOSTDOWN", "EHOSTUNREACH"), ECLOSED)}


@provokes(*CODES)
@pytest.mark.parametrize("name", CODES)
def test_system_says(driver: Driver, name: str) -> None:
    driver.client(REDIS_URL="redis://127.0.0.1:1")
    driver.good("errno", getattr(errno, name))
    expect(publish(driver), os.strerror(getattr(errno, name)), code=CODES[name])


def test_what_no_row_names_is_permanent(driver: Driver) -> None:
    driver.client(REDIS_URL="redis://127.0.0.1:1")
    driver.good("errno", errno.EPROTONOSUPPORT)
    expect(publish(driver), os.strerror(errno.EPROTONOSUPPORT), PERMANENT)


def test_refused_call_names_its_function(driver: Driver) -> None:
    driver.client(REDIS_URL="redis://127.0.0.1:1")
    answer = driver.do("publish", "d1", 101, "extracting")
    assert (answer.kind, answer.code, answer.class_, answer.operation) == (
        0, EINVALID, PERMANENT, "shared_progress_publish"), answer
