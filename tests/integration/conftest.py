# SPDX-License-Identifier: MIT
"""Fixtures: one stack a session, its programs, and real clients of it. BUILD_DIR chooses the build that is tested."""

from __future__ import annotations

from collections.abc import Iterator

import celery
import httpx
import psycopg
import pytest
import redis

from dev.process import Process
from stack import LabStack

running: list[LabStack] = []


@pytest.fixture(scope="session")
def servers() -> Iterator[LabStack]:
    """PostgreSQL, migrated, and Redis; one for the whole session. Use `stack`."""
    lab = LabStack()
    running.append(lab)
    try:
        lab.prepare()
        lab.servers_start()
        yield lab
    finally:
        running.remove(lab)
        lab.close()


@pytest.fixture
def stack(servers: LabStack, request: pytest.FixtureRequest) -> LabStack:
    """The session's stack with both servers alive; a worker runs only while tests ask for one."""
    servers.heal()
    servers.workers_stop(but="worker" if "worker" in request.fixturenames else "")
    return servers


@pytest.fixture
def stack_new() -> Iterator[LabStack]:
    """A stack of the test's own, prepared but with nothing started."""
    lab = LabStack()
    running.append(lab)
    try:
        lab.prepare()
        yield lab
    finally:
        running.remove(lab)
        lab.close()


@pytest.fixture
def backend(stack: LabStack) -> Process:
    """A running backend with the default settings."""
    return stack.backend_up()


@pytest.fixture
def worker(stack: LabStack) -> Process:
    """A running worker with the default settings."""
    return stack.worker_up()


@pytest.fixture
def client(stack: LabStack, backend: Process) -> httpx.Client:
    """HTTP to the running backend; paths start with / or /api/."""
    return stack.client


@pytest.fixture
def pg(stack: LabStack) -> Iterator[psycopg.Connection]:
    """A connection to the database, in autocommit, as the programs' own role."""
    with stack.pg_connect() as connection:
        yield connection


@pytest.fixture
def redis_client(stack: LabStack) -> Iterator[redis.Redis]:
    """Redis database 0: the broker's, and the one of progress."""
    with stack.redis_connect() as connection:
        yield connection


@pytest.fixture
def celery_app(stack: LabStack) -> Iterator[celery.Celery]:
    """An unmodified Celery client of the stack's queue."""
    urls = stack.urls()
    app = celery.Celery("tests", broker=urls["CELERY_BROKER_URL"], backend=urls["CELERY_RESULT_BACKEND"])
    yield app
    app.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test shows the end of every program's log."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for lab in running:
            report.sections += [(f"{name} ({lab.folder})", tail) for name, tail in lab.tails()]
