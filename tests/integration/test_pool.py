# SPDX-License-Identifier: MIT
"""The pool and a server that restarts: who comes back finds working connections, the second time at the latest."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from driver import RETRYABLE, Driver
from stack import LabStack

SESSIONS = 6


@pytest.fixture
def driver(stack: LabStack) -> Iterator[Driver]:
    driver = Driver(stack.logs / "driver.log", **stack.urls(), LOG_LEVEL="debug")
    driver.client()
    yield driver
    driver.close()


def idle_connections(driver: Driver) -> None:
    """One of each session's own, and the shared ones."""
    tags = [driver.begin("query", session, 0, "SELECT pg_sleep(0.05)") for session in range(SESSIONS)]
    assert [driver.wait(tag).code for tag in tags] == [0] * SESSIONS
    for session in range(SESSIONS):
        driver.good("rollback", session)
    driver.good("get", 0, "x")


@pytest.mark.parametrize("away", [LabStack.kill, LabStack.stop_one], ids=["killed", "stopped"])
def test_after_a_restart_nobody_fails_twice(stack: LabStack, driver: Driver,
                                            away: Callable[[LabStack, str], object]) -> None:
    idle_connections(driver)
    away(stack, "postgres")
    stack.start_again("postgres")
    failures = []
    for session in range(SESSIONS):
        answer = driver.sql("SELECT 1", session)
        if answer.code:
            failures.append(answer)
            driver.good("rollback", session)
            answer = driver.sql("SELECT 1", session)
        assert answer.code == 0 and answer.text == "1", answer
        driver.good("rollback", session)
    assert driver.do("get", 0, "x").code == 0
    assert len(failures) <= 1, failures
    assert all(answer.class_ == RETRYABLE for answer in failures), failures


def test_a_client_that_did_not_look_meanwhile_loses_one_request_at_most(stack: LabStack, driver: Driver) -> None:
    """Its process was stopped while the server restarted, so it learns of the end only with its next request."""
    idle_connections(driver)
    driver.pause()
    stack.restart("postgres")
    tags = [driver.begin("get", 0, "x") for _ in range(3)]
    driver.resume()
    for tag in tags:
        driver.wait(tag)
    assert driver.do("get", 0, "x").code == 0
    assert driver.sql("SELECT 1").code == 0


def test_sessions_and_reads_do_not_starve_each_other(driver: Driver) -> None:
    """Fifty sessions share two connections while reads come without an end: all are served, within their wait."""
    driver.client(POOL_SIZE="2", POOL_WAIT_MS="20000")
    sessions = [driver.begin("query", session, 0, "SELECT pg_sleep(0.002)") for session in range(50)]
    commits = [driver.begin("commit", session) for session in range(50)]
    reads = [driver.begin("get", 60, "x") for _ in range(2000)]
    assert {driver.wait(tag).code for tag in reads} == {0}
    assert {driver.wait(tag).code for tag in sessions + commits} == {0}
    assert int(driver.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lex-intel'",
                          read_only=True).text) <= 2 + 2
