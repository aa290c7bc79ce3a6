# SPDX-License-Identifier: MIT
"""The session, for asyncio::

    async with async_session() as db:
        document = await db.get(Document, "doc-123")
        document.file_name = "Last will.pdf"
        await db.commit()

Leaving the block rolls back what was not committed. Calls on one session may overlap: they run in their order.
"""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections.abc import AsyncIterator, Generator, Iterable, Sequence
from types import TracebackType
from typing import Any, TypeVar

from . import native
from .client import Client, Parts, client_of_loop
from .errors import InvalidError, NotFoundError, SharedError
from .model import Model
from .query import and_, delete, func, insert, not_, or_, select, text, update
from .result import MappingResult, Result, Row, ScalarResult
from .unit import Unit, Work, query_of

__all__ = ["AsyncSession", "MappingResult", "Result", "Row", "ScalarResult", "and_", "async_session", "delete", "func",
           "insert", "not_", "or_", "select", "text", "update"]

T = TypeVar("T")
M = TypeVar("M", bound=Model)
_cursors = itertools.count(1)


class AsyncSession:
    """A unit of work. Costs nothing until it must: reads share a few connections, changes wait for the commit."""

    def __init__(self, client: Client | None = None) -> None:
        if client is None:
            client = client_of_loop()
            self._unit = Unit(client._native or client.handle)  # it is this loop's: no need to ask
        else:
            self._unit = Unit(client.handle)
        self._client = client

    async def _run(self, work: Work[T]) -> T:
        try:
            start = next(work)
            while True:
                try:
                    parts = await self._client.request(start)
                except BaseException as error:  # also a cancel: the work may have to tidy up
                    start = work.throw(error)
                else:
                    start = work.send(parts)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    # --- objects ------------------------------------------------------------------------------------------------------

    async def get(self, model: type[M], key: Any, *, populate_existing: bool = False,
                  with_for_update: bool = False) -> M | None:
        """The object with this key, or None. One that the session has is not asked for again."""
        unit = self._unit
        if type(key) is str and not (populate_existing or with_for_update) and unit.is_plain(model, key):
            handle, number = unit.session(), model._number
            parts = await self._client.request(lambda tag: native.session_get(handle, number, key, tag))
            return unit.watch_all(model, parts[4])[0] if parts[3] else None
        return await self._run(unit.get(
            model, key, fresh=populate_existing, lock=" FOR UPDATE" if with_for_update else ""))

    async def get_one(self, model: type[M], key: Any, *, populate_existing: bool = False,
                      with_for_update: bool = False) -> M:
        """As get(), but none is a NotFoundError."""
        found = await self.get(model, key, populate_existing=populate_existing, with_for_update=with_for_update)
        if found is None:
            raise NotFoundError(f"there is no {model.__name__} {key!r}")
        return found

    async def get_many(self, model: type[M], keys: Sequence[str]) -> list[M]:
        """The objects with these keys, in their order; missing ones are left out."""
        return await self._run(self._unit.get_many(model, keys))

    def add(self, item: Model) -> None:
        """Inserted at the next flush or commit. A key that is not set is a UUIDv7 then."""
        self._unit.add(item)

    def add_all(self, items: Iterable[Model]) -> None:
        for item in items:
            self._unit.add(item)

    async def delete(self, item: Model) -> None:
        """Deleted at the next flush or commit."""
        self._unit.delete(item)

    async def refresh(self, item: Model) -> None:
        """Shows what is stored now, in the same object; what was changed in it is forgotten."""
        await self._run(self._unit.refresh(item))

    def expunge(self, item: Model) -> None:
        self._unit.expunge(item)

    def __contains__(self, item: object) -> bool:
        return isinstance(item, Model) and item._unit is self._unit

    @property
    def new(self) -> list[Model]:
        return list(self._unit.new)

    @property
    def dirty(self) -> list[Model]:
        return list(self._unit.dirty.values())

    @property
    def deleted(self) -> list[Model]:
        return list(self._unit.deleted.values())

    def enqueue(self, task: str, *args: Any, key: str | None = None) -> None:
        """A task that is sent if and only if this session commits."""
        import json
        native.session_enqueue(self._unit.session(), task, json.dumps(args), key)

    # --- statements ---------------------------------------------------------------------------------------------------

    async def execute(self, statement: Any, parameters: Any = None) -> Result:
        """Runs a select(), update(), ... of ours or of SQLAlchemy, or SQL with :names. Changes are flushed first."""
        return await self._run(self._unit.execute(statement, parameters))

    async def scalars(self, statement: Any, parameters: Any = None) -> ScalarResult:
        return (await self.execute(statement, parameters)).scalars()

    async def scalar(self, statement: Any, parameters: Any = None) -> Any:
        return (await self.execute(statement, parameters)).scalar()

    async def stream(self, statement: Any, parameters: Any = None, *, rows: int = 500) -> AsyncIterator[Any]:
        """Rows one by one, in bounded memory: objects of a model, else rows. They are not the session's. In an open
        transaction it is part of that, else it has one of its own, and sees the rows as they were when it began."""
        if not 1 <= rows <= self._client.stream_rows_max:
            raise InvalidError(f"rows: {rows}, from 1 to STREAM_ROWS_MAX = {self._client.stream_rows_max}")
        own = None if self.in_transaction() else AsyncSession(self._client)
        session = own or self
        cursor = f"shared_stream_{next(_cursors)}"
        try:
            declared, entity = query_of(statement, parameters, cursor)
            session._unit.changes_give()
            await session._ask(declared)
            fetched = rows
            # Our own cursor: the library's stream stops when its events wait, and a loop lets none of them wait.
            while fetched == rows:
                payload = (await session._ask(native.query_new(0, f"FETCH FORWARD {rows} FROM {cursor}")))[4]
                names, *batch = native.rows_list(payload) if payload is not None else ((),)
                fetched = len(batch)
                for row in batch:
                    yield Row(names, row) if entity is None else entity._from_row(row)
            if own is None:  # one that is left early ends with its transaction, which may be over by then
                await self._ask(native.query_new(0, f"CLOSE {cursor}"))
        finally:
            if own is not None:
                await own.close()

    async def _ask(self, question: native.query) -> Parts:
        handle = self._unit.session()
        return await self._client.request(lambda tag: native.session_query(handle, question, tag))

    # --- transactions -------------------------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Writes what waits, without a commit."""
        await self._run(self._unit.flush())

    async def commit(self) -> None:
        """Writes what waits and commits: one round trip when nothing else was in the transaction."""
        await self._run(self._unit.commit())

    async def rollback(self) -> None:
        await self._run(self._unit.rollback())

    def begin(self, isolation: str = "read committed", *, read_only: bool = False,
              deferrable: bool = False) -> Transaction:
        """``async with db.begin(): ...`` commits at its end, or rolls back at an exception."""
        return Transaction(self, isolation, read_only, deferrable)

    def begin_nested(self) -> Savepoint:
        """``async with db.begin_nested(): ...`` writes its own part at its end, and undoes it at an exception."""
        return Savepoint(self)

    def in_transaction(self) -> bool:
        unit = self._unit
        return bool(unit.is_begun or unit.stored or unit.new or unit.dirty or unit.deleted)

    async def close(self) -> None:
        """Rolls back what is open. The session may not be used any more."""
        self._unit.close()

    def __del__(self) -> None:
        if getattr(self, "_unit", None) is not None and self._unit.handle is not None:
            warnings.warn("a session was not closed: use async with", ResourceWarning, stacklevel=2, source=self)

    async def __aenter__(self) -> AsyncSession:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        self._unit.close()


class Transaction:
    def __init__(self, session: AsyncSession, isolation: str, read_only: bool, deferrable: bool) -> None:
        self._session, self._how = session, (isolation, read_only, deferrable)

    async def __aenter__(self) -> AsyncSession:
        self._session._unit.begin(*self._how)
        return self._session

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        if kind is None:
            await self._session.commit()
            return
        with contextlib.suppress(SharedError):  # what went wrong first is what is raised
            await self._session.rollback()

    def __await__(self) -> Generator[Any, None, AsyncSession]:
        return self.__aenter__().__await__()


class Savepoint:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def __aenter__(self) -> Savepoint:
        self._level = await self._session._run(self._session._unit.savepoint())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        if kind is None:
            await self.commit()
        else:
            with contextlib.suppress(SharedError):  # a cancel inside has failed the whole transaction
                await self.rollback()

    async def commit(self) -> None:
        """Writes what waits; when that is refused, its part is undone."""
        try:
            await self._session._run(self._session._unit.release(self._level))
        except BaseException:
            with contextlib.suppress(SharedError):  # a cancel has failed the whole transaction
                await self.rollback()
            raise

    async def rollback(self) -> None:
        await self._session._run(self._session._unit.rollback_to(self._level))

    def __await__(self) -> Generator[Any, None, Savepoint]:
        return self.__aenter__().__await__()


class SessionMaker:
    """``async_session()`` is a session; ``async_session.begin()`` one in a transaction that commits at its end."""

    def __init__(self, client: Client | None = None) -> None:
        self._client = client

    def __call__(self) -> AsyncSession:
        return AsyncSession(self._client)

    def begin(self) -> _Begun:
        return _Begun(self)


class _Begun:
    def __init__(self, maker: SessionMaker) -> None:
        self._maker = maker

    async def __aenter__(self) -> AsyncSession:
        self._session = self._maker()
        self._transaction = self._session.begin()
        return await self._transaction.__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        try:
            await self._transaction.__aexit__(kind, error, trace)
        finally:
            await self._session.close()


async_session = SessionMaker()
