# SPDX-License-Identifier: MIT
"""Celery tasks that may be coroutines, and really run::

    celery_app = Celery("lex-intel")

    @celery_app.task(base=WorkerTask, bind=True)
    async def extract_text_from_document(self, job_payload: dict): ...

Celery itself calls such a function and stores the coroutine that nobody awaits. Needs celery (`pip install
lex-intel-shared[celery]`); every pool of threads or processes will do, gevent and eventlet not.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import Any

import celery  # type: ignore[import-untyped]
from celery.exceptions import SoftTimeLimitExceeded  # type: ignore[import-untyped]

from .client import settle_loop
from .config import settings
from .errors import RequestCancelledError

__all__ = ["SOFT_LIMIT", "Celery", "run"]

SOFT_LIMIT = "soft time limit"  # the argument of a CancelledError that comes of it

_local = threading.local()


class Celery(celery.Celery):  # type: ignore[misc]
    """An app with the settings of the library: servers, queue, limits, JSON alone, messages acknowledged when their
    task has ended. A task's name is its function's, as the C programs send it; a :class:`shared.errors.RetryableError`
    is tried again RETRY_MAX times, after 60, 120, 240, 480 s, where the task's base does not say otherwise."""

    def __init__(self, main: str | None = None, **options: Any) -> None:
        super().__init__(main, **options)
        limit_s = int(settings.TASK_TIME_LIMIT)
        visibility_s = max(int(settings.VISIBILITY_TIMEOUT_S), 2 * limit_s)  # as the C programs have it (queue.c)
        self.conf.update(
            broker_url=settings.CELERY_BROKER_URL, result_backend=settings.CELERY_RESULT_BACKEND,
            task_default_queue=settings.QUEUE_NAME, worker_prefetch_multiplier=int(settings.WORKER_PREFETCH_MULTIPLIER),
            task_soft_time_limit=int(settings.TASK_SOFT_TIME_LIMIT), task_time_limit=limit_s,
            task_acks_late=True, task_reject_on_worker_lost=True, task_track_started=True,
            task_serializer="json", result_serializer="json", accept_content=["json"],
            broker_connection_retry_on_startup=True,
            broker_transport_options={"visibility_timeout": visibility_s})

    def gen_task_name(self, name: str, module: str) -> str:
        return name

    def task(self, *args: Any, **options: Any) -> Any:
        """As Celery's. The function may be ``async def``."""
        base = options.get("base") or self.Task
        for name, value in (("max_retries", int(settings.RETRY_MAX)), ("retry_backoff", int(settings.RETRY_DELAY_S)),
                            ("retry_jitter", False)):
            if name not in options and not _says(base, name):
                options[name] = value
        if len(args) == 1 and callable(args[0]):
            return super().task(**options)(_awaited(args[0]))
        decorate = super().task(*args, **options)
        return lambda function: decorate(_awaited(function))


def _says(base: type, name: str) -> bool:
    """Whether a task class of the user's own has a word on it."""
    return any(name in vars(each) for each in base.__mro__ if each.__module__.partition(".")[0] != "celery")


def _awaited(function: Callable[..., Any]) -> Callable[..., Any]:
    if not inspect.iscoroutinefunction(function):
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return run(function(*args, **kwargs))
    call.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]  # Celery checks calls by it
    return call


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Runs it to its end on this thread's event loop, one for all tasks of the process: clients and connections
    outlive a task, and progress that it published is sent before this returns. In a running loop it is returned
    instead, for that one to await. At Celery's soft time limit it is cancelled, by a CancelledError with SOFT_LIMIT in
    it, and the task ends with SoftTimeLimitExceeded."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        return coroutine
    loop = _loop()
    task = loop.create_task(coroutine)
    with _soft_limit(loop, task) as passed:
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            if passed:
                raise SoftTimeLimitExceeded from None
            raise RequestCancelledError("the task was cancelled from within") from None
        finally:
            if not task.done():  # the worker is being ended
                task.cancel()
                with contextlib.suppress(BaseException):
                    loop.run_until_complete(task)
            loop.run_until_complete(settle_loop())  # the loop stands still until the next task


def _loop() -> asyncio.AbstractEventLoop:
    """This thread's own; a child of fork has a new one."""
    if getattr(_local, "pid", None) != os.getpid() or _local.loop.is_closed():
        _local.loop, _local.pid = asyncio.new_event_loop(), os.getpid()
    return _local.loop  # type: ignore[no-any-return]


@contextlib.contextmanager
def _soft_limit(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> Iterator[list[bool]]:
    """The prefork pool tells a child by SIGUSR1, whose handler would raise anywhere in the loop."""
    passed: list[bool] = []
    before = signal.getsignal(signal.SIGUSR1)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield passed
        return

    def tell(_number: int, _frame: FrameType | None) -> None:
        passed.append(True)
        loop.call_soon_threadsafe(task.cancel, SOFT_LIMIT)
    signal.signal(signal.SIGUSR1, tell)
    try:
        yield passed
    finally:
        signal.signal(signal.SIGUSR1, before)
