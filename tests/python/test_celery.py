# SPDX-License-Identifier: MIT
"""shared.celery: coroutines as tasks. The real worker is tests/services'."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

import celery
import pytest
from celery.exceptions import Reject, SoftTimeLimitExceeded

from shared.celery import SOFT_LIMIT, Celery, run
from shared.config import settings
from shared.database import async_session
from shared.errors import PermanentError, RequestCancelledError, RetryableError
from shared.models import Case


@pytest.fixture
def app() -> Celery:
    return Celery("test", set_as_current=False)


def test_a_coroutine_is_run_and_gives_its_value(app: Celery) -> None:
    @app.task
    async def add(a: int, b: int) -> int:
        await asyncio.sleep(0)
        return a + b
    assert add.name == "add" and add.apply(args=[2, 3], throw=True).get() == 5


def test_a_plain_function_stays_one(app: Celery) -> None:
    @app.task(name="other.name", max_retries=7)
    def add(a: int, b: int) -> int:
        return a + b
    assert add.name == "other.name" and add.max_retries == 7
    assert add(2, 3) == 5


def test_tasks_of_a_thread_share_a_loop_and_its_client(app: Celery) -> None:
    """Else each task would connect anew."""
    @app.task
    async def count() -> tuple[int, int]:
        async with async_session() as db:
            await db.execute(f"SELECT 1 FROM {Case.__tablename__}")
            return id(asyncio.get_running_loop()), id(db._client)
    first, second = count.apply(throw=True).get(), count.apply(throw=True).get()
    assert first == second
    others: list[Any] = []
    thread = threading.Thread(target=lambda: others.append(count.apply(throw=True).get()))
    thread.start()
    thread.join()
    assert others[0][0] != first[0]


def test_wrong_arguments_are_refused_when_it_is_sent(app: Celery) -> None:
    @app.task(bind=True)
    async def one(self: celery.Task, payload: dict[str, Any]) -> None: ...
    with pytest.raises(TypeError, match="payload"):
        one.apply_async(args=[])


@pytest.mark.parametrize(("retries", "wanted"), [(0, 60), (1, 120), (2, 240), (3, 480)])
def test_a_retryable_failure_is_tried_again_after(app: Celery, monkeypatch: pytest.MonkeyPatch, retries: int,
                                                  wanted: int) -> None:
    """Also without a word of the task's own: autoretry_for is enough."""
    class WorkerTask(celery.Task):
        autoretry_for = (RetryableError,)

    @app.task(base=WorkerTask)
    async def away() -> None:
        raise RetryableError("away")
    asked: list[Any] = []

    def noting(*_args: Any, **options: Any) -> Any:
        asked.append(options["countdown"])
        return Reject("noted")
    monkeypatch.setattr(away.__class__, "retry", noting)
    away.apply(retries=retries)
    assert asked == [wanted] and away.max_retries == 4


def test_a_base_of_the_users_own_has_the_last_word(app: Celery) -> None:
    class Stubborn(celery.Task):
        max_retries = 9

    @app.task(base=Stubborn)
    async def away() -> None: ...
    assert away.max_retries == 9


def test_a_permanent_failure_is_raised(app: Celery) -> None:
    @app.task
    async def absent() -> None:
        raise PermanentError("Document not found in database")
    with pytest.raises(PermanentError, match="not found"):
        absent.apply(throw=True)


def test_the_soft_limit_cancels_the_coroutine(app: Celery) -> None:
    """The prefork pool sends SIGUSR1, whose handler raises wherever the loop is."""
    def raises(_number: int, _frame: object) -> None:
        raise SoftTimeLimitExceeded
    before, seen = signal.signal(signal.SIGUSR1, raises), list[str]()

    @app.task
    async def slow() -> None:
        try:
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.Event().wait()
        except asyncio.CancelledError as cancelled:
            seen.extend(cancelled.args)
            raise
    try:
        with pytest.raises(SoftTimeLimitExceeded):
            slow.apply(throw=True)
        assert signal.getsignal(signal.SIGUSR1) is raises
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [SOFT_LIMIT]


def test_a_coroutine_that_cancels_itself_does_not_end_the_worker() -> None:
    """CancelledError is no Exception: Celery would take it for the process's end."""
    async def cancelled() -> None:
        raise asyncio.CancelledError
    with pytest.raises(RequestCancelledError):
        run(cancelled())


def test_a_child_of_fork_has_a_loop_of_its_own(app: Celery) -> None:
    @app.task
    async def loop() -> int:
        async with async_session() as db:
            await db.execute("SELECT 1")
        return id(asyncio.get_running_loop())
    here = loop.apply(throw=True).get()
    child = os.fork()
    if child == 0:
        os._exit(0 if loop.apply(throw=True).get() != here else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


async def test_in_a_running_loop_the_task_is_awaited(app: Celery) -> None:
    @app.task
    async def add(a: int, b: int) -> int:
        return a + b
    assert await add(2, 3) == 5


def test_settings_are_the_librarys(app: Celery, servers: Any) -> None:
    assert app.conf.broker_url == servers.urls()["CELERY_BROKER_URL"]
    assert (app.conf.task_default_queue, app.conf.task_acks_late) == ("celery", True)
    assert (app.conf.task_soft_time_limit, app.conf.task_time_limit) == (1500, 1800)
    assert app.conf.broker_transport_options["visibility_timeout"] >= 3600


@pytest.mark.parametrize(("visibility_s", "limit_s", "held_s"), [(60, 100, 200), (5000, 100, 5000)])
def test_a_message_is_held_as_long_as_the_c_programs_think(visibility_s: int, limit_s: int, held_s: int) -> None:
    wanted = {"VISIBILITY_TIMEOUT_S": visibility_s, "TASK_SOFT_TIME_LIMIT": limit_s, "TASK_TIME_LIMIT": limit_s}
    try:
        for name, value in wanted.items():
            setattr(settings, name, value)
        other = Celery("other", set_as_current=False)
    finally:
        settings.reload()
    assert other.conf.broker_transport_options["visibility_timeout"] == held_s
