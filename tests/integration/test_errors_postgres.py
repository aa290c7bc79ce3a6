# SPDX-License-Identifier: MIT
"""Each row of the SQLSTATE table of libshared/base/error.c, provoked at a real PostgreSQL: what the library then says.
Nothing here is faked."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from dev.process import wait_until
from driver import (
    ECLOSED,
    ECONFLICT,
    EREMOTE,
    PERMANENT,
    POSTGRES,
    RETRYABLE,
    Answer,
    Driver,
)
from provoked import provokes
from stack import LabStack


@pytest.fixture
def driver(stack: LabStack) -> Iterator[Driver]:
    driver = Driver(stack.logs / "driver.log", **stack.urls(), LOG_LEVEL="debug")
    driver.client()
    yield driver
    driver.close()


@contextmanager
def admin(stack: LabStack) -> Iterator[psycopg.Connection]:
    server = stack.postgres
    with psycopg.connect(host="127.0.0.1", port=server.port, user="postgres", password=server.admin_password,
                         dbname="lex_intel", autocommit=True) as connection:
        yield connection


def expect(answer: Answer, sqlstate: str, class_: int, code: int, operation: str = "shared_session_query") -> Answer:
    assert (answer.sqlstate, answer.class_, answer.code, answer.domain, answer.operation) == (
        sqlstate, class_, code, POSTGRES, operation), answer
    assert answer.message
    return answer


# -- what the statement did -------------------------------------------------------------------------------------------


@provokes("23503")
def test_foreign_key(driver: Driver) -> None:
    driver.good("add", 0, "orphan", "no-such-case")
    answer = expect(driver.do("commit", 0), "23503", PERMANENT, ECONFLICT, "shared_session_commit")
    assert "no-such-case" in answer.detail


@provokes("23505")
def test_unique(driver: Driver) -> None:
    driver.sql("DELETE FROM documents WHERE id = 'twice'")
    driver.good("commit", 0)
    driver.good("add", 0, "twice")
    driver.good("commit", 0)
    driver.good("add", 0, "twice")
    answer = expect(driver.do("commit", 0), "23505", PERMANENT, ECONFLICT, "shared_session_commit")
    assert "twice" in answer.detail


@provokes("23P01")
def test_exclusion(driver: Driver) -> None:
    driver.sql("CREATE TEMP TABLE room (at int4range, EXCLUDE USING gist (at WITH &&))")
    driver.sql("INSERT INTO room VALUES ('[1,5)')")
    expect(driver.sql("INSERT INTO room VALUES ('[4,9)')"), "23P01", PERMANENT, ECONFLICT)


def test_a_constraint_is_named_where_the_server_gives_no_detail(driver: Driver) -> None:
    driver.sql("CREATE DOMAIN pg_temp.small AS int CONSTRAINT small_limit CHECK (VALUE < 10)")
    driver.sql("CREATE TEMP TABLE item (id int CONSTRAINT item_id_limit CHECK (id < 10))")
    answer = driver.sql("INSERT INTO item VALUES (11)")
    assert answer.sqlstate == "23514" and answer.detail and "item_id_limit" in answer.message, answer
    driver.good("rollback", 0)
    driver.sql("CREATE TEMP TABLE item (id int NOT NULL)")
    driver.sql("INSERT INTO item VALUES (1)")
    answer = driver.sql("ALTER TABLE item ADD CONSTRAINT item_limit CHECK (id > 1)")
    assert (answer.sqlstate, answer.class_, answer.detail) == (
        "23514", PERMANENT, "constraint item_limit of table item"), answer


def test_the_servers_hint_is_passed_on(driver: Driver) -> None:
    answer = driver.sql("SELECT no_such_function(1)")
    assert answer.sqlstate == "42883" and "argument types" in answer.hint, answer


@provokes("LX001")
def test_fence(driver: Driver) -> None:
    driver.sql("INSERT INTO documents (id, file_name) VALUES ('fenced', 'a.pdf') ON CONFLICT DO NOTHING")
    driver.good("commit", 0)
    answer = expect(driver.sql("SELECT document_fence('fenced', 99)", read_only=True), "LX001", PERMANENT, ECONFLICT)
    assert "another attempt" in answer.hint


# -- who else is there ------------------------------------------------------------------------------------------------


@provokes("40001")
def test_serialization_failure(driver: Driver) -> None:
    driver.sql("CREATE TABLE IF NOT EXISTS counter (n int)")
    driver.sql("INSERT INTO counter VALUES (1)")
    driver.good("commit", 0)
    for session in (0, 1):
        driver.sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", session)
        driver.sql("SELECT n FROM counter", session)
    driver.sql("UPDATE counter SET n = n + 1", 0)
    driver.good("commit", 0)
    answer = expect(driver.sql("UPDATE counter SET n = n + 1", 1), "40001", RETRYABLE, EREMOTE)
    assert "again" in answer.hint


@provokes("40P01")
def test_deadlock(driver: Driver) -> None:
    for session in (0, 1):
        driver.sql(f"SELECT pg_advisory_xact_lock({session})", session)
    tags = [driver.begin("query", session, 0, f"SELECT pg_advisory_xact_lock({1 - session})") for session in (0, 1)]
    answers = [driver.wait(tag) for tag in tags]
    failed = [answer for answer in answers if answer.code]
    assert len(failed) == 1, answers
    expect(failed[0], "40P01", RETRYABLE, EREMOTE)


@provokes("55P03")
def test_lock_not_available(driver: Driver) -> None:
    driver.sql("LOCK TABLE cases IN ACCESS EXCLUSIVE MODE", 0)
    driver.sql("SET LOCAL lock_timeout = '10ms'", 1)
    expect(driver.sql("SELECT count(*) FROM cases", 1), "55P03", RETRYABLE, EREMOTE)


@provokes("57014")
def test_statement_timeout(driver: Driver) -> None:
    """The server's own; a cancel of ours is SHARED_ECANCELLED."""
    driver.sql("SET LOCAL statement_timeout = '10ms'")
    answer = expect(driver.sql("SELECT pg_sleep(30)"), "57014", PERMANENT, EREMOTE)
    assert "statement_timeout" in answer.hint


# -- prepared statements ----------------------------------------------------------------------------------------------


@provokes("26000")
def test_prepared_statement_that_went_missing(driver: Driver) -> None:
    driver.sql("SELECT 41")
    driver.sql("DEALLOCATE ALL")
    answer = expect(driver.sql("SELECT 41"), "26000", RETRYABLE, EREMOTE)
    assert "STATEMENT_CACHE=0" in answer.hint
    driver.good("rollback", 0)
    assert driver.sql("SELECT 41").text == "41"


@provokes("42P05")
def test_prepared_statement_that_is_there_already(driver: Driver) -> None:
    driver.sql("SELECT 42", 0)
    name = driver.sql("SELECT name FROM pg_prepared_statements WHERE statement = 'SELECT 42'", 0).text
    driver.sql(f"PREPARE {name} AS SELECT 42", 1)
    answer = expect(driver.sql("SELECT 42", 1), "42P05", RETRYABLE, EREMOTE)
    assert "STATEMENT_CACHE=0" in answer.hint
    driver.good("rollback", 1)
    assert driver.sql("SELECT 42", 1).text == "42"


# -- what the server runs out of --------------------------------------------------------------------------------------


@provokes("53100")
def test_disk_full(stack: LabStack, driver: Driver) -> None:
    """The kernel's own ENOSPC, from /dev/full."""
    with admin(stack) as connection:
        connection.execute("""
            CREATE OR REPLACE FUNCTION disk_fill() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1000)) TO '/dev/full'; END $$""")
    answer = expect(driver.sql("SELECT disk_fill()"), "53100", RETRYABLE, EREMOTE)
    assert "disk" in answer.hint


@provokes("53200")
def test_out_of_shared_memory(driver: Driver) -> None:
    answer = expect(driver.sql("SELECT count(pg_advisory_xact_lock(n)) FROM generate_series(1, 10000000) n"),
                    "53200", RETRYABLE, EREMOTE)
    assert "max_locks_per_transaction" in answer.hint  # the server's own advice


@provokes("53", "53400")
def test_limit_of_temporary_files(stack: LabStack, driver: Driver) -> None:
    with admin(stack) as connection:
        connection.execute("ALTER ROLE lex_intel SET temp_file_limit = '64kB'")
    try:
        driver.client()
        driver.sql("SET LOCAL work_mem = '64kB'")
        expect(driver.sql("SELECT count(*) FROM (SELECT n FROM generate_series(1, 100000) n ORDER BY random()) s"),
               "53400", RETRYABLE, EREMOTE)
    finally:
        with admin(stack) as connection:
            connection.execute("ALTER ROLE lex_intel RESET temp_file_limit")


@provokes("53300")
def test_too_many_connections(stack: LabStack, driver: Driver) -> None:
    with admin(stack) as connection:
        connection.execute("ALTER ROLE lex_intel CONNECTION LIMIT 0")
        answer = expect(driver.do("get", 0, "x"), "53300", RETRYABLE, EREMOTE, "shared_session_get")
        assert "max_connections" in answer.hint
        connection.execute("ALTER ROLE lex_intel CONNECTION LIMIT -1")
    wait_until(lambda: driver.do("get", 0, "x").code == 0, 10, "a connection")


# -- the server goes away ---------------------------------------------------------------------------------------------


def backend_pid(driver: Driver) -> int:
    return int(driver.sql("SELECT pg_backend_pid()").text)


def sleeps(connection: psycopg.Connection) -> bool:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)' AND state = 'active'"
    return connection.execute(sql).fetchone() == (1,)


@provokes("57P01")
def test_shutdown_by_the_administrator(stack: LabStack, driver: Driver) -> None:
    pid = backend_pid(driver)
    tag = driver.begin("query", 0, 0, "SELECT pg_sleep(30)")
    with admin(stack) as connection:
        wait_until(lambda: sleeps(connection), 10, "the statement")
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])
    expect(driver.wait(tag), "57P01", RETRYABLE, ECLOSED)
    driver.good("rollback", 0)
    assert driver.sql("SELECT 1").text == "1"


@provokes("57P02", "57P03")
def test_crash_of_another_process(stack: LabStack, driver: Driver) -> None:
    """kill -9 of a backend: the server ends all others. While it mends itself, and while it ends, it takes nobody."""
    backend_pid(driver)
    with stack.pg_connect() as other:
        victim = other.info.backend_pid
        tag = driver.begin("query", 0, 0, "SELECT pg_sleep(30)")
        wait_until(lambda: sleeps(other), 10, "the statement")
        os.kill(victim, signal.SIGKILL)
        expect(driver.wait(tag), "57P02", RETRYABLE, ECLOSED)
    wait_until(lambda: stack.postgres.missing() is None, 30, "the server's recovery")
    driver.client()
    with stack.pg_connect() as holder:  # a smart shutdown waits for it, and refuses others meanwhile
        os.kill(stack.pid("postgres"), signal.SIGTERM)
        answer = wait_until(lambda: refused(driver), 10, "57P03")
        expect(answer, "57P03", RETRYABLE, ECLOSED, "shared_session_get")
        assert holder.execute("SELECT 1").fetchone() == (1,)
    stack.processes["postgres"].stop()
    stack.start_again("postgres")
    wait_until(lambda: driver.do("get", 0, "x").code == 0, 10, "the client's return")


def refused(driver: Driver) -> Answer | None:
    driver.client()
    answer = driver.do("get", 0, "x")
    return answer if answer.code else None


@provokes("08")
def test_connection_exception_inside_the_server(stack: LabStack, driver: Driver) -> None:
    """One that PostgreSQL itself makes to another server. Those of our own are in tests/network."""
    with admin(stack) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS dblink")
    expect(driver.sql("SELECT dblink_connect('a', 'host=127.0.0.1 port=1 user=u password=p')"), "08001", RETRYABLE,
           ECLOSED)
