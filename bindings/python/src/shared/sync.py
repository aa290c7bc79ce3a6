# SPDX-License-Identifier: MIT
"""The same session, blocking, for scripts and Celery tasks::

    with session() as db:
        document = db.get(Document, "doc-123")

A thread has a client of its own, made when first asked for, and a child of fork a new one.
"""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeVar

from . import native
from .errors import NotFoundError, RequestTimeoutError, SharedError
from .model import Model
from .result import Result, Row, ScalarResult
from .unit import Start, Unit, Work, query_of

__all__ = ["Session", "session"]

T = TypeVar("T")
M = TypeVar("M", bound=Model)
WAIT_MS = 3_600_000  # the library's own deadlines are shorter
CANCEL_MS = 10_000

_local = threading.local()


def handle_of_thread() -> native.client:
    if getattr(_local, "pid", None) != os.getpid():
        _local.client, _local.pid, _local.tag = native.client_new(native.config_from_env()), os.getpid(), 0
        _local.lost = []
    return _local.client  # type: ignore[no-any-return]


def request(start: Start) -> tuple[Any, ...]:
    """Starts a request and waits for its last event. What interrupts the wait (Ctrl-C) cancels the request."""
    client = handle_of_thread()
    _local.tag += 1
    tag = _local.tag
    start(tag)
    return wait(client, tag)


def wait(client: native.client, tag: int) -> tuple[Any, ...]:
    try:
        parts = native.wait_parts(client, tag, WAIT_MS)
        if parts is None:
            raise RequestTimeoutError(f"no answer within {WAIT_MS} ms")
    except BaseException:
        cancel(client, tag)
        raise
    if parts[5] is not None:
        raise parts[5]
    return parts  # type: ignore[no-any-return]


def cancel(client: native.client, tag: int) -> None:
    """And takes its events: nobody will ask for them."""
    with contextlib.suppress(SharedError):
        native.client_cancel(client, tag)
        while (parts := native.wait_parts(client, tag, CANCEL_MS)) is not None and parts[1]:
            pass


class Session:
    """As :class:`shared.database.AsyncSession`, without await. Belongs to the thread that made it."""

    def __init__(self) -> None:
        self._client = handle_of_thread()
        self._lost: list[native.session] = _local.lost
        self._lost.clear()
        self._unit = Unit(self._client)

    def _check(self) -> None:
        if handle_of_thread() is not self._client:
            raise RuntimeError("the session belongs to another thread or to the parent process; make one here")

    def __del__(self) -> None:
        if getattr(self, "_unit", None) is not None and self._unit.handle is not None:
            self._lost.append(self._unit.handle)  # whichever thread collects it: its own one frees it
            warnings.warn("a session was not closed: use with", ResourceWarning, stacklevel=2, source=self)

    def _run(self, work: Work[T]) -> T:
        self._check()
        try:
            start = next(work)
            while True:
                try:
                    parts = request(start)
                except BaseException as error:
                    start = work.throw(error)
                else:
                    start = work.send(parts)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def get(self, model: type[M], key: Any, *, populate_existing: bool = False,
            with_for_update: bool = False) -> M | None:
        return self._run(self._unit.get(
            model, key, fresh=populate_existing, lock=" FOR UPDATE" if with_for_update else ""))

    def get_one(self, model: type[M], key: Any, *, populate_existing: bool = False,
                with_for_update: bool = False) -> M:
        found = self.get(model, key, populate_existing=populate_existing, with_for_update=with_for_update)
        if found is None:
            raise NotFoundError(f"there is no {model.__name__} {key!r}")
        return found

    def get_many(self, model: type[M], keys: Sequence[str]) -> list[M]:
        return self._run(self._unit.get_many(model, keys))

    def add(self, item: Model) -> None:
        self._unit.add(item)

    def add_all(self, items: Iterable[Model]) -> None:
        for item in items:
            self._unit.add(item)

    def delete(self, item: Model) -> None:
        self._unit.delete(item)

    def refresh(self, item: Model) -> None:
        self._run(self._unit.refresh(item))

    def execute(self, statement: Any, parameters: Any = None) -> Result:
        return self._run(self._unit.execute(statement, parameters))

    def scalars(self, statement: Any, parameters: Any = None) -> ScalarResult:
        return self.execute(statement, parameters).scalars()

    def scalar(self, statement: Any, parameters: Any = None) -> Any:
        return self.execute(statement, parameters).scalar()

    def stream(self, statement: Any, parameters: Any = None, *, rows: int = 500) -> Iterator[Any]:
        question, entity = query_of(statement, parameters)
        self._check()
        client, unit = self._client, self._unit
        unit.changes_give()
        _local.tag += 1
        tag = _local.tag
        native.session_stream(unit.session(), question, rows, tag)
        more = 1
        try:
            while more:
                parts = wait(client, tag)
                more = parts[1]
                if parts[2] == native.EVENT_ROWS and parts[4]:
                    names, *batch = native.rows_list(parts[4])
                    for row in batch:
                        yield Row(names, row) if entity is None else entity._from_row(row)
        finally:
            if more:
                cancel(client, tag)

    def flush(self) -> None:
        self._run(self._unit.flush())

    def commit(self) -> None:
        self._run(self._unit.commit())

    def rollback(self) -> None:
        self._run(self._unit.rollback())

    def close(self) -> None:
        self._unit.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def session() -> Session:
    return Session()
