# SPDX-License-Identifier: MIT
"""shared.queue: tasks sent, worked on, failed and waited for."""

from __future__ import annotations

import asyncio
import datetime
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import celery
import pytest

from shared import errors
from shared.database import async_session
from shared.models import Case
from shared.queue import Task, TaskFailedError, Worker, send_task


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[None]:
    run = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await asyncio.wait_for(run, 30)


def greeter(queue: str) -> Worker:
    worker = Worker(queue)

    @worker.task("greet")
    async def greet(name: str, times: int = 1) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"length": len(name) * times}

    @worker.task("fail")
    async def fail(how: str) -> None:
        raise {"permanent": errors.PermanentError("no such document"), "value": ValueError("wrong")}[how]

    @worker.task("about")
    def about(task: Task) -> list[object]:
        return [task.name, task.retries, task.is_last, task.queue]
    return worker


async def test_a_coroutine_answers() -> None:
    async with running(greeter("py-1")):
        results = [await send_task("greet", "Anna", kwargs={"times": 2}, queue="py-1") for _ in range(20)]
        assert [await result.get(30) for result in results] == [{"length": 8}] * 20


async def test_a_celery_client_is_answered() -> None:
    app = celery.Celery(broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])
    async with running(greeter("py-2")):
        result = await asyncio.to_thread(app.send_task, "greet", ["Ben"], queue="py-2")
        assert await asyncio.to_thread(result.get, timeout=30) == {"length": 3}


async def test_a_failure_has_its_words() -> None:
    async with running(greeter("py-3")):
        with pytest.raises(TaskFailedError, match="no such document") as failed:
            await (await send_task("fail", "permanent", queue="py-3")).get(30)
        assert failed.value.kind == "PermanentError"
        with pytest.raises(TaskFailedError, match="ValueError: wrong"):
            await (await send_task("fail", "value", queue="py-3")).get(30)


async def test_a_handler_may_ask_for_its_task() -> None:
    async with running(greeter("py-4")):
        assert await (await send_task("about", queue="py-4")).get(30) == ["about", 0, False, "py-4"]


async def test_a_cancelled_worker_hands_its_task_back() -> None:
    begun = asyncio.Event()
    worker = Worker("py-5")

    @worker.task("slow")
    async def slow() -> None:
        begun.set()
        await asyncio.Event().wait()

    result = await send_task("slow", queue="py-5")
    run = asyncio.create_task(worker.run())
    await asyncio.wait_for(begun.wait(), 30)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    quick = Worker("py-5")

    @quick.task("slow")
    async def fast() -> str:
        return "done"

    async with running(quick):
        assert await result.get(30) == "done"


async def test_what_is_too_late_is_not_run() -> None:
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    result = await send_task("greet", "x", queue="py-6", expires=past)
    async with running(greeter("py-6")):
        with pytest.raises(TaskFailedError) as refused:
            await result.get(30)
        assert refused.value.kind == "TaskRevokedError"


async def test_no_result_in_time() -> None:
    result = await send_task("greet", "x", queue="py-nobody")
    with pytest.raises(errors.RequestTimeoutError):
        await result.get(0.05)


async def test_a_task_goes_with_the_commit() -> None:
    async with async_session() as db:
        db.add(Case(id="case-task", title="x"))
        db.enqueue("greet", {"name": "x"}, key="case-task")
        await db.rollback()
        db.enqueue("greet", {"name": "y"}, key="case-task")
        await db.commit()
        assert (await db.execute("SELECT count(*) FROM task_outbox")).scalar() == 1


@pytest.mark.parametrize(("wrong", "word"), [
    ({"eta": datetime.datetime(2026, 1, 1)}, "eta: "), ({"priority": 10}, "priority: 10"), ({"task_id": ""}, "id: "),
    ({"countdown": -1.0}, "delay_ms: -1000"), ({"soft_time_limit": 2.0, "time_limit": 1.0}, "soft_ms: 2000")])
async def test_wrong_options_are_named(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(errors.InvalidError, match=word):
        await send_task("greet", "x", queue="py-7", **wrong)  # type: ignore[arg-type]
