# SPDX-License-Identifier: MIT
"""PgBouncer in transaction mode between the library and PostgreSQL: every transaction may run on another server
connection. What holds, and what the library says where it cannot."""

from __future__ import annotations

import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from dev.process import wait_until
from dev.servers import HOST, port_choose, service_user
from driver import ECLOSED, EREMOTE, RETRYABLE, Driver
from provoked import provokes
from stack import LabStack

SERVERS = 3  # server connections for all clients: fewer than the library has, so that they are shared
IGNORE = "ignore_startup_parameters = options"


@contextmanager
def pgbouncer(stack: LabStack, *, ignore: bool = True) -> Iterator[str]:
    """A private one, as an unprivileged user; the URL through it."""
    server, port = stack.postgres, port_choose()
    folder = Path(tempfile.mkdtemp(prefix="lex-pgbouncer-"))
    (folder / "users").write_text(f'"lex_intel" "{server.password}"\n')
    (folder / "ini").write_text(
        f"[databases]\nlex_intel = host={HOST} port={server.port} dbname=lex_intel "
        "connect_query='SET TimeZone = ''UTC'''\n"
        f"[pgbouncer]\nlisten_addr = {HOST}\nlisten_port = {port}\nunix_socket_dir =\nauth_type = plain\n"
        f"auth_file = {folder}/users\nlogfile = {folder}/log\npool_mode = transaction\n"
        f"default_pool_size = {SERVERS}\nmax_client_conn = 200\n{IGNORE if ignore else ''}\n")
    words = ["pgbouncer", "-q", str(folder / "ini")]
    if user := service_user():
        entry = pwd.getpwnam(user)
        for path in (folder, folder / "users", folder / "ini"):
            shutil.chown(path, entry.pw_uid, entry.pw_gid)
        words = ["setpriv", f"--reuid={user}", f"--regid={entry.pw_gid}", "--clear-groups", "--", *words]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, cwd="/")
    url = server.url.replace(f":{server.port}/", f":{port}/")
    try:
        wait_until(lambda: process.poll() is None and answers(url), 20, "pgbouncer")
        yield url
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


@pytest.fixture
def driver(stack: LabStack) -> Iterator[Driver]:
    stack.empty()
    with pgbouncer(stack) as url:
        driver = Driver(stack.logs / "driver.log", **stack.urls() | {"DATABASE_URL": url}, LOG_LEVEL="debug")
        driver.client(STATEMENT_CACHE="0")
        yield driver
        driver.close()


def write(driver: Driver, count: int, sessions: int) -> list[int]:
    """Documents by that many sessions at once; the tags of their commits."""
    tags = []
    for number in range(count):
        session = number % sessions
        driver.good("add", session, f"doc-{number}")
        driver.good("enqueue", session, "task", "[]", f"doc-{number}")
        tags.append(driver.begin("commit", session))
    return tags


def test_sessions_reads_and_commits(driver: Driver, pg: psycopg.Connection) -> None:
    """Each session in the middle of a transaction of its own, more of them than there are server connections for."""
    for tag in write(driver, 60, 8):
        assert driver.wait(tag).code == 0
    tags = [driver.begin("get", number % 8, f"doc-{number % 60}") for number in range(300)]
    assert all(driver.wait(tag).count == 1 for tag in tags)
    assert pg.execute("SELECT count(*) FROM documents").fetchone() == (60,)
    assert pg.execute("SELECT count(*) FROM task_outbox").fetchone() == (60,)


def test_transaction_stays_on_one_server_connection(driver: Driver, pg: psycopg.Connection) -> None:
    first = driver.sql("SELECT pg_backend_pid()").text
    for session in range(1, 3):
        driver.sql("SELECT pg_backend_pid()", session)
    assert driver.sql("SELECT pg_backend_pid()").text == first
    driver.sql("INSERT INTO cases (id, title) VALUES ('c', 'x')")
    driver.good("rollback", 0)
    assert pg.execute("SELECT count(*) FROM cases").fetchone() == (0,)
    for session in range(1, 3):
        driver.good("rollback", session)


def test_times_are_read_as_they_were_written(driver: Driver) -> None:
    assert driver.sql("SHOW TimeZone", read_only=True).text == "UTC"
    assert driver.sql("SELECT '2026-01-02 03:04:05+02'::timestamptz::text", read_only=True).text == (
        "2026-01-02 01:04:05+00")


def test_streams_and_copies_of_many_sessions(driver: Driver, pg: psycopg.Connection) -> None:
    """Cursors with one name, more than there are server connections for, and COPY out of and back into pipelines."""
    sql = "SELECT n, {} FROM generate_series(1, 1000) AS n"
    tags = [driver.begin("stream", session, 50, sql.format(session)) for session in range(8)]
    tags += [driver.begin("copy-out", session, f"COPY ({sql.format(session)}) TO STDOUT") for session in range(8)]
    for tag in tags:
        while (answer := driver.wait(tag)).more:
            assert answer.count > 0
        assert (answer.code, answer.count) == (0, 1000), answer
    for session in range(6):
        assert driver.good("copy-in", session, "COPY cases (id, title) FROM STDIN (DELIMITER '|')",
                           f"case-{session}|x").count == 1
        driver.good("commit", session)
    assert pg.execute("SELECT count(*) FROM cases").fetchone() == (6,)


def test_migrations_wait_for_each_other(stack: LabStack, driver: Driver) -> None:
    """Their advisory lock belongs to a transaction, so it holds here too: many at once, and nothing is done twice."""
    drivers = [Driver(stack.logs / "driver.log", **stack.urls() | {"DATABASE_URL": url_of(driver)}) for _ in range(4)]
    with stack.pg_connect() as pg:
        before = pg.execute("SELECT version_num FROM alembic_version").fetchone()
    for one in drivers:
        one.client(STATEMENT_CACHE="0")
    tags = [(one, one.begin("migrate")) for one in drivers]
    assert [one.wait(tag).code for one, tag in tags] == [0] * 4
    for one in drivers:
        one.close()
    with stack.pg_connect() as pg:
        assert pg.execute("SELECT version_num FROM alembic_version").fetchall() == [before]


def url_of(driver: Driver) -> str:
    """The DATABASE_URL that it was started with."""
    environment = Path(f"/proc/{driver.process.pid}/environ").read_bytes().split(b"\0")
    return next(entry for entry in environment if entry.startswith(b"DATABASE_URL=")).decode().partition("=")[2]


def test_a_cache_that_was_left_on_is_noticed(driver: Driver, stack: LabStack) -> None:
    """Two clients with the same statements over the same few server connections: reads never fail; a session fails at
    most once for each connection, with a retryable error that says what to set; then nothing is prepared any more."""
    other = Driver(stack.logs / "driver.log", **stack.urls() | {"DATABASE_URL": url_of(driver)})
    failures = []
    for one in (driver, other):
        one.client(STATEMENT_CACHE="256")
    for round_ in range(40):
        for one in (driver, other):
            tags = [one.begin("get", session, f"none-{round_}") for session in range(8)]
            assert [one.wait(tag).code for tag in tags] == [0] * 8
            for session in range(4):
                one.good("add", session, f"{one.process.pid}-{round_}-{session}")
            tags = [one.begin("commit", session) for session in range(4)]
            failures += [(round_, one.wait(tag)) for tag in tags]
    failures = [(round_, answer) for round_, answer in failures if answer.code]
    for _, answer in failures:
        assert (answer.class_, answer.code, answer.operation) == (RETRYABLE, EREMOTE, "shared_session_commit"), answer
        assert answer.sqlstate in ("42P05", "26000") and "STATEMENT_CACHE=0" in answer.hint, answer
    assert len(failures) <= 2 * (4 + 2), failures
    assert all(round_ < 20 for round_, _ in failures), failures
    other.close()


@provokes("08P01")
def test_pooler_that_does_not_take_our_options_says_so(stack: LabStack) -> None:
    with pgbouncer(stack, ignore=False) as url:
        driver = Driver(stack.logs / "driver.log", **stack.urls() | {"DATABASE_URL": url})
        driver.client(STATEMENT_CACHE="0")
        answer = driver.do("get", 0, "x")
        assert (answer.class_, answer.code, answer.sqlstate) == (RETRYABLE, ECLOSED, "08P01"), answer
        assert "options" in answer.message and IGNORE in answer.hint, answer
        driver.close()
