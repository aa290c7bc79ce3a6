# SPDX-License-Identifier: MIT
"""libshared under load: many requests, many threads, many forks, and servers that come and go. LOAD_SECONDS says how
long the mixed load goes on; each 20 s both servers are restarted, in turns cleanly and by kill -9."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dev.process import Process
from dev.servers import Postgres, Redis, folder_make, port_choose, service_user

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD_DIR", ROOT / "build")) / "tests" / "load"
SECONDS = int(os.environ.get("LOAD_SECONDS", "20"))
RESTART_S = 20


class Servers:
    """PostgreSQL, with our tables, and Redis."""

    def __init__(self, top: Path) -> None:
        logs = folder_make(top / "log")
        self.postgres = Postgres(top / "postgres", logs, port_choose(), "private", "private", throwaway=True)
        self.redis = Redis(top / "redis", logs, port_choose(), "private", throwaway=True)
        self.processes: list[Process] = []
        for server in (self.postgres, self.redis):
            server.prepare()
            process = Process(server.program())
            process.start()
            self.processes.append(process)
        for process in self.processes:
            process.wait_ready()
        self.postgres.database_make()
        with psycopg.connect(self.postgres.url) as connection:
            connection.execute((ROOT / "deploy" / "migrations" / "0001-initial.sql").read_text())
            connection.execute("INSERT INTO documents (id, file_name, extraction_status) "
                               "SELECT 'load-' || n, 'f', 'processing' FROM generate_series(0, 7) n")

    def restart(self, hard: bool) -> None:
        for process in self.processes:
            if hard:
                process.kill()
            else:
                process.stop()
            process.start()
            process.wait_ready()

    def close(self) -> None:
        for process in self.processes:
            process.signal(signal.SIGQUIT)
        for process in self.processes:
            process.stop_wait()

    def environment(self) -> dict[str, str]:
        return os.environ | {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url, "RECONNECT_MS_MAX": "500",
                             "LOG_LEVEL": "error"}


@pytest.fixture
def servers() -> Iterator[Servers]:
    top = Path(tempfile.mkdtemp(prefix="lex-load-"))
    top.chmod(0o711 if service_user() else 0o700)
    made = Servers(top)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(top, ignore_errors=True)


def run(servers: Servers, name: str, *words: str) -> str:
    done = subprocess.run([BUILD / f"load-{name}", *words], env=servers.environment(), text=True, check=False,
                          stdout=subprocess.PIPE)
    print(done.stdout)
    assert done.returncode == 0
    return done.stdout


def test_ten_thousand_requests_in_flight_on_one_client(servers: Servers) -> None:
    assert "10000 requests in flight" in run(servers, "inflight", "10000")


def test_sixty_four_clients_in_threads(servers: Servers) -> None:
    with psycopg.connect(servers.postgres.url) as connection:
        assert "64 clients" in run(servers, "threads", "64", "20")
        row = connection.execute("SELECT count(*) FROM documents WHERE id NOT LIKE 'load-%'").fetchone()
        assert row == (64 * 20,)


def test_a_thousand_forks_of_a_parent_with_an_open_client(servers: Servers) -> None:
    assert "1000 forks" in run(servers, "forks", "1000")


def test_every_accepted_tag_ends_once_while_servers_restart(servers: Servers) -> None:
    started, restarts = time.monotonic(), 0
    first_s = min(RESTART_S, SECONDS / 3)
    with subprocess.Popen([BUILD / "load-mixed", str(SECONDS)], env=servers.environment(), text=True,
                          stdout=subprocess.PIPE) as program:
        while program.poll() is None:
            due_s = first_s + restarts * RESTART_S - (time.monotonic() - started)
            try:
                program.wait(max(due_s, 0.01))
            except subprocess.TimeoutExpired:
                if time.monotonic() - started < SECONDS - 5:
                    servers.restart(hard=restarts % 2 == 0)
                restarts += 1
        output = program.stdout.read() if program.stdout else ""
    print(f"{SECONDS} s, {restarts} restarts of both servers\n{output}")
    assert program.returncode == 0
    for kind in ("get", "commit", "publish", "listen", "send", "ack"):
        assert f"{kind:8} accepted" in output
