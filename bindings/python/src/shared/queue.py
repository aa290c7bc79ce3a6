# SPDX-License-Identifier: MIT
"""Tasks: sent to any Celery worker or ours, and worked on by coroutines.

    result = await send_task("extract_text_from_document", {"document_id": "doc-123"})
    print(await result.get(timeout=60))

    worker = Worker("celery")

    @worker.task("greet")
    async def greet(name: str) -> dict[str, int]:
        return {"length": len(name)}

    await worker.run()

A handler that raises :class:`shared.errors.RetryableError` (or TimeoutError, ConnectionError) is tried again after 60,
120, 240, 480 s; any other exception is the task's failure. A worker that is killed loses nothing: another one has the
task.
"""

from __future__ import annotations

import asyncio
import datetime
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import native
from .client import Client, Parts, client_of_loop
from .errors import InvalidError, PermanentError, SharedError, classify

__all__ = ["Task", "TaskFailedError", "TaskResult", "Worker", "send_task"]

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
Handler = Callable[..., Awaitable[Any] | Any]


class TaskFailedError(PermanentError):
    """The task ended in FAILURE or REVOKED. `kind` is the name of the exception that its worker had."""

    code = "task_failed"

    def __init__(self, message: str = "", kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class TaskResult:
    """A task that was sent."""

    def __init__(self, task_id: str, client: Client) -> None:
        self.id, self._client = task_id, client

    async def get(self, timeout: float = 3600.0) -> Any:  # noqa: ASYNC109  Celery's word
        """What the task returned. TaskFailedError: it failed; RequestTimeoutError: no result within so many seconds."""
        handle = self._client.handle
        parts = await self._client.request(
            lambda tag: native.queue_result(handle, self.id, int(timeout * 1000), tag))
        answer = json.loads(parts[4][1])
        if answer["status"] == "SUCCESS":
            return answer.get("result")
        failure = answer.get("result") or {}
        raise TaskFailedError(" ".join(map(str, failure.get("exc_message") or [answer["status"]])),
                              str(failure.get("exc_type") or answer["status"]))

    def __repr__(self) -> str:
        return f"TaskResult({self.id!r})"


async def send_task(name: str, *args: Any, kwargs: Mapping[str, Any] | None = None, queue: str | None = None,
                    task_id: str | None = None, key: str | None = None, countdown: float = 0.0,
                    eta: datetime.datetime | None = None, expires: float | datetime.datetime | None = None,
                    priority: int = 0, soft_time_limit: float = 0.0, time_limit: float = 0.0,
                    ignore_result: bool = False, client: Client | None = None) -> TaskResult:
    """Sends a task, as Celery's does; times in seconds. For one that belongs to a commit use ``db.enqueue()``."""
    used = client or client_of_loop()
    message = native.message_new(name, json.dumps(args))
    if kwargs:
        native.message_set_kwargs(message, json.dumps(dict(kwargs)))
    if task_id is not None:
        native.message_set_id(message, task_id)
    if key is not None:
        native.message_set_key(message, key)
    if eta is not None:
        native.message_set_eta(message, microseconds(eta, "eta"))
    elif countdown:
        native.message_set_countdown(message, int(countdown * 1000))
    if isinstance(expires, datetime.datetime):
        native.message_set_expires(message, microseconds(expires, "expires"))
    elif expires is not None:
        native.message_set_expires_in(message, int(expires * 1000))
    if priority:
        native.message_set_priority(message, priority)
    if soft_time_limit or time_limit:
        native.message_set_time_limits(message, int(soft_time_limit * 1000), int(time_limit * 1000))
    if ignore_result:
        native.message_set_ignore_result(message, 1)
    handle = used.handle
    await used.request(lambda tag: native.queue_send_message(handle, queue, message, tag))
    return TaskResult(native.message_id(message), used)


def microseconds(moment: datetime.datetime, what: str) -> int:
    if moment.tzinfo is None:
        raise InvalidError(f"{what}: {moment!r} has no zone; datetime.now(timezone.utc) has one")
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


@dataclass(frozen=True)
class Task:
    """What a handler can ask for: a parameter of its own named `task`."""

    id: str
    name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    retries: int
    is_last: bool
    queue: str


class Worker:
    """Works on the tasks of a queue, `concurrency` of them at a time, until it is stopped or its run() is cancelled."""

    def __init__(self, queue: str | None = None, *, concurrency: int = 10, client: Client | None = None) -> None:
        if concurrency < 1:
            raise InvalidError(f"concurrency: {concurrency}, at least 1")
        self._queue, self._concurrency, self._given = queue, concurrency, client
        self._handlers: dict[str, Handler] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()

    def task(self, name: str) -> Callable[[Handler], Handler]:
        """Makes a function the handler of tasks of that name; `async def` is awaited, `def` runs in a thread."""

        def register(handler: Handler) -> Handler:
            self._handlers[name] = handler
            return handler
        return register

    def stop(self) -> None:
        """Claims no more; run() returns when the tasks under way have ended."""
        self._stopped.set()

    async def run(self) -> None:
        client = self._given or client_of_loop()
        handle = client.handle
        for name in self._handlers:
            native.queue_register(handle, name)
        queue = self._queue or native.config_get(native.config_from_env(), "QUEUE_NAME")
        stream = client.stream(lambda tag: native.queue_consume(handle, queue, self._concurrency, tag))
        stopper = asyncio.ensure_future(self._stopped.wait())
        stopper.add_done_callback(lambda _: stream.stop())
        try:
            async for parts in stream:
                if parts[2] == native.EVENT_TASK:
                    work = asyncio.ensure_future(self._work(client, parts[4]))
                    self._running.add(work)
                    work.add_done_callback(self._running.discard)
        finally:
            stopper.cancel()
            stream.close()
            if self._stopped.is_set():
                await asyncio.gather(*self._running, return_exceptions=True)
            else:  # cancelled: what runs is cancelled too, and goes back to the queue
                for work in list(self._running):
                    work.cancel()
                await asyncio.gather(*self._running, return_exceptions=True)

    async def _work(self, client: Client, handle: native.task) -> None:
        try:
            answer = json.dumps(await self._call(handle))
        except asyncio.CancelledError:
            native.task_hand_back(handle, 0)
            raise
        except Exception as error:
            await self._fail(client, handle, error)
        else:
            await self._finish(client, lambda tag: native.task_succeed(handle, answer, tag))

    async def _call(self, handle: native.task) -> Any:
        task = Task(native.task_id(handle), native.task_name(handle), json.loads(native.task_args(handle)),
                    json.loads(native.task_kwargs(handle)), native.task_attempt(handle),
                    bool(native.task_is_last(handle)), native.task_queue(handle))
        handler = self._handlers[task.name]
        more = {"task": task} if "task" in inspect.signature(handler).parameters else {}
        if inspect.iscoroutinefunction(handler):
            return await handler(*task.args, **task.kwargs, **more)
        return await asyncio.to_thread(handler, *task.args, **task.kwargs, **more)

    async def _fail(self, client: Client, handle: native.task, error: Exception) -> None:
        kind = native.RETRYABLE if classify(error) == "retryable" else native.PERMANENT
        words = str(error) if isinstance(error, SharedError) else f"{type(error).__name__}: {error}"
        shown = words[:2000] or type(error).__name__
        await self._finish(client, lambda tag: native.task_fail(handle, kind, shown, tag))

    async def _finish(self, client: Client, start: Callable[[int], object]) -> Parts | None:
        """A claim that another worker has taken over meanwhile is that one's to answer."""
        try:
            return await client.request(start)
        except SharedError as error:
            native.log_pairs_of("shared.python.worker", native.WARNING, f"a task could not be answered: {error}", {})
            return None
