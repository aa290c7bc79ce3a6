# SPDX-License-Identifier: MIT
"""``postgresql+shared``: SQLAlchemy's engines, ORM and Alembic on the library's connections. Needs the extra
``lex-intel-shared[sqlalchemy]``::

    engine = create_async_engine("postgresql+shared://user@host/name")
    engine = create_async_engine("postgresql+shared://")   # DATABASE_URL, and the connections of shared.database

The library's pool is the pool: a connection of SQLAlchemy's is a session that takes a server's connection with its
first statement and gives it back when it is closed, so the engine has none of its own (``NullPool``), and serves any
number of event loops. Settings may stand in the URL (``?POOL_SIZE=20``).

What fails is an exception of SQLAlchemy's whose ``orig`` has ``sqlstate`` and, as ``__cause__``, the library's own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import event, exc, pool, util
from sqlalchemy.dialects.postgresql import json as pg_json
from sqlalchemy.dialects.postgresql import ranges
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg, PGExecutionContext_asyncpg
from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.util import concurrency

from . import errors, native
from .client import Client, Parts, client_of_loop
from .dialect_errors import (
    LOST,
    LOST_STATES,
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    translating,
)
from .dialect_values import Decoders, encode

await_: Any = getattr(concurrency, "await_", None) or concurrency.await_only  # as 2.1 calls it, and 2.0

__all__ = ["SharedDialect"]

MANY = 500  # statements of an executemany() under way
BATCH = 50  # rows that a server-side cursor fetches at a time
SELECTS = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*\(*\s*(?:SELECT|VALUES|TABLE|WITH)\b",
                     re.IGNORECASE | re.DOTALL)
TYPES = ("SELECT t.oid::bigint, CASE WHEN t.typcategory = 'A' THEN t.typelem::bigint ELSE 0 END"
         " FROM pg_catalog.pg_type t WHERE t.oid = ANY($1::oid[])")


# --- cursors ----------------------------------------------------------------------------------------------------------


class Cursor:
    """One statement at a time; its rows are here when execute() returns."""

    server_side = False
    _awaitable_cursor_close = False
    generation = 0

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: deque[tuple[Any, ...]] = deque()
        self.description: list[tuple[Any, ...]] | None = None
        self.arraysize = 1
        self.rowcount = -1
        self.lastrowid = None

    async def _async_soft_close(self) -> None:
        return

    def close(self) -> None:
        self._rows.clear()

    def execute(self, operation: str, parameters: Sequence[Any] | None = None) -> None:
        with translating():
            await_(self._execute(self._named(operation), parameters or ()))

    def _named(self, operation: str) -> str:
        return f"{operation} /*{self.generation}*/" if self.generation else operation

    async def _execute(self, operation: str, parameters: Sequence[Any]) -> None:
        self._take(await self._connection.run(operation, parameters))

    def _take(self, answer: Answer) -> None:
        names, types, rows, self.rowcount = answer
        self.description = [(name, kind, None, None, None, None, None)
                            for name, kind in zip(names, types, strict=True)] if names is not None else None
        self._rows = deque(rows)

    def executemany(self, operation: str, seq_of_parameters: Sequence[Sequence[Any]]) -> None:
        self.description = None
        with translating():
            await_(self._connection.run_many(self._named(operation), seq_of_parameters))

    def setinputsizes(self, *inputsizes: Any) -> None:
        raise NotImplementedError

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while self._rows:
            yield self._rows.popleft()

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        count = min(self.arraysize if size is None else size, len(self._rows))
        return [self._rows.popleft() for _ in range(count)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = list(self._rows), deque()
        return rows


class ServerCursor(Cursor):
    """The server keeps the rows (DECLARE) and gives some at a time; of what is no SELECT it is like the other."""

    server_side = True
    _name = ""

    async def _execute(self, operation: str, parameters: Sequence[Any]) -> None:
        if not SELECTS.match(operation):
            await super()._execute(operation, parameters)
            return
        self._name = self._connection.cursor_name()
        hold = " WITH HOLD" if self._connection.autocommit else ""
        await self._connection.run(f"DECLARE {self._name} NO SCROLL CURSOR{hold} FOR {operation}", parameters)
        await self._fetch(BATCH)
        self.rowcount = -1

    async def _fetch(self, count: int | str) -> bool:
        """false: there is no more."""
        rows = self._rows
        self._take(await self._connection.run(f"FETCH FORWARD {count} FROM {self._name}", ()))
        got = bool(self._rows)
        self._rows = rows + self._rows
        return got

    def _fill(self, count: int) -> None:
        with translating():
            while self._name and len(self._rows) < count:
                if not await_(self._fetch(max(BATCH, count - len(self._rows)))):
                    break

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row

    def fetchone(self) -> tuple[Any, ...] | None:
        self._fill(1)
        return super().fetchone()

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        self._fill(self.arraysize if size is None else size)
        return super().fetchmany(size)

    def fetchall(self) -> list[tuple[Any, ...]]:
        if self._name:
            with translating():
                await_(self._fetch("ALL"))
        return super().fetchall()

    def close(self) -> None:
        super().close()
        name, self._name = self._name, ""
        if name:
            self._connection.cursor_done(name)

    def executemany(self, operation: str, seq_of_parameters: Sequence[Sequence[Any]]) -> None:
        raise NotSupportedError("a cursor of the server runs one statement; executemany() needs another cursor")


# --- connections ------------------------------------------------------------------------------------------------------

Answer = tuple[list[str] | None, list[int], list[tuple[Any, ...]], int]
LEVELS = {"read_committed": native.READ_COMMITTED, "repeatable_read": native.REPEATABLE_READ,
          "serializable": native.SERIALIZABLE, None: native.READ_COMMITTED}


class Connection(AdaptedConnection):
    """A session of the library that keeps its server's connection. A transaction begins with its first statement."""

    @staticmethod
    def await_(awaitable: Any) -> Any:
        return await_(awaitable)

    def __init__(self, dbapi: Module, client: Client, decoders: Decoders) -> None:
        self.dbapi = dbapi
        self._connection: Any = self  # SQLAlchemy's driver_connection
        self.client, self._decoders = client, decoders
        self._session: Any = native.session_new(client.handle)
        native.session_pin(self._session)
        self.isolation_level: str | None = None
        self.readonly = self.deferrable = False
        self._begun = False
        self._cursors: set[str] = set()
        self._ended: list[str] = []

    def __repr__(self) -> str:  # AdaptedConnection's asks for that of _connection
        return f"<{type(self).__module__}.Connection at {id(self):#x}{', closed' if self.is_closed() else ''}>"

    @property
    def autocommit(self) -> bool:
        return self.isolation_level == "autocommit"

    @autocommit.setter
    def autocommit(self, on: bool) -> None:
        if on != self.autocommit:
            self.set_isolation_level("autocommit" if on else None)

    @property
    def session(self) -> Any:
        if self._session is None:
            raise errors.ClosedError("the connection is closed")
        return self._session

    # --- statements ---------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        if self._begun or self.autocommit:
            return
        flags = native.READ_ONLY * bool(self.readonly) | native.DEFERRABLE * bool(self.deferrable)
        native.session_begin(self.session, LEVELS[self.isolation_level], flags)
        self._begun = True
        if self.isolation_level == "read_committed":  # the server's default may be another
            native.session_query(self.session, native.query_new(0, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"), 0)

    def _question(self, operation: str, parameters: Sequence[Any]) -> Any:
        question = native.query_new(0, operation)
        native.query_bind_all(question, [encode(value) for value in parameters])
        if self.autocommit and not self._begun:
            native.query_autocommit(question)
        return question

    async def run(self, operation: str, parameters: Sequence[Any]) -> Answer:
        """Names, types, rows, rows touched; no names: the statement gives no rows."""
        if not operation.strip():
            operation = ";"
        await self._begin()
        if self._ended:
            await self._close_cursors()
        question = self._question(operation, parameters)
        parts = await self._ask(question)
        if parts[2] != native.EVENT_ROWS:
            return None, [], [], parts[3]
        names, types, rows = parts[4]
        if unknown := self._decoders.unknown(types):
            learnt = await self._ask(self._question(TYPES, [unknown]))
            for kind, element in learnt[4][2]:
                self._decoders.learn(kind, element)
        return names, types, self._decoders.rows(types, rows), parts[3]

    async def _ask(self, question: native.query) -> Parts:
        session = self.session
        return await self.client.request(lambda tag: native.session_query(session, question, tag), described=True)

    async def run_many(self, operation: str, seq_of_parameters: Sequence[Sequence[Any]]) -> None:
        """All of them, one behind the other without waiting; with autocommit they are one transaction."""
        own = self.autocommit and not self._begun
        await self._begin()
        session, last = self.session, len(seq_of_parameters) - 1
        if own:
            native.session_begin(session, native.READ_COMMITTED, 0)
            self._begun = True
        try:
            for index, parameters in enumerate(seq_of_parameters):
                question = self._question(operation, parameters)
                if index == last or index % MANY == MANY - 1:
                    await self._ask(question)
                else:
                    native.session_query(session, question, 0)
            if own:
                await self.client.request(lambda tag: native.session_commit(session, tag))
        except BaseException:
            if own:
                native.session_rollback(session, 0)
            raise
        finally:
            self._begun = self._begun and not own

    # --- cursors of the server ----------------------------------------------------------------------------------------

    def cursor(self, server_side: bool = False) -> Cursor:
        return ServerCursor(self) if server_side else Cursor(self)

    def cursor_name(self) -> str:
        """Few names, that come again: each makes a text of its own to prepare."""
        number = 1
        while (name := f"shared_{number}") in self._cursors:
            number += 1
        self._cursors.add(name)
        return name

    def cursor_done(self, name: str) -> None:
        """Closed with the next statement, since nothing can be awaited here."""
        if name in self._cursors:
            self._ended.append(name)

    async def _close_cursors(self) -> None:
        ended, self._ended = self._ended, []
        for name in ended:
            self._cursors.discard(name)
            native.session_query(self.session, self._question(f"CLOSE {name}", ()), 0)

    # --- transactions -------------------------------------------------------------------------------------------------

    def _end(self, how: Any) -> None:
        if not self._begun:
            return
        self._begun = False
        self._cursors.clear()
        self._ended.clear()
        session = self.session
        with translating():
            await_(self.client.request(lambda tag: how(session, tag)))

    def commit(self) -> None:
        self._end(native.session_commit)

    def rollback(self) -> None:
        self._end(native.session_rollback)

    def savepoint(self, name: str) -> None:
        with translating():
            await_(self._begin())
            native.session_savepoint(self.session, name)

    def rollback_to(self, name: str) -> None:
        session = self.session
        with translating():
            await_(self.client.request(lambda tag: native.session_rollback_to(session, name, tag)))

    def release(self, name: str) -> None:
        with translating():
            native.session_release(self.session, name)

    def set_isolation_level(self, level: str | None) -> None:
        self.rollback()
        self.isolation_level = level

    def ping(self) -> None:
        with translating():
            await_(self.run("SELECT 1", ()))
            if self._begun:
                self.rollback()

    # --- the end ------------------------------------------------------------------------------------------------------

    def is_closed(self) -> bool:
        return self._session is None

    def close(self) -> None:
        """What is open is rolled back, by the library's pool."""
        if self._session is not None:
            self._session = None  # frees it
            self._begun = False
            self.dbapi.closed(self)

    terminate = close

    def __del__(self) -> None:
        self.close()


class Module:
    """What SQLAlchemy takes for a DBAPI: connect(), and the exceptions."""

    paramstyle = "numeric_dollar"
    apilevel = "2.0"
    threadsafety = 0
    STRING, NUMBER, DATETIME = (util.symbol(name) for name in ("STRING", "NUMBER", "DATETIME"))
    Warning = type("Warning", (Exception,), {})
    Error, InterfaceError, DatabaseError, OperationalError = Error, InterfaceError, DatabaseError, OperationalError
    ProgrammingError, IntegrityError, DataError = ProgrammingError, IntegrityError, DataError
    InternalError, NotSupportedError = InternalError, NotSupportedError

    def __init__(self) -> None:
        self.generation = 0  # how often DDL was run
        self._clients: dict[tuple[int, frozenset[tuple[str, object]]], Client] = {}
        self._open: dict[Client, int] = {}
        self._disposed: set[Client] = set()

    def connect(self, *, settings: dict[str, object] | None = None, client: Client | None = None,
                decoders: Decoders) -> Connection:
        """client: use this one. settings: a client of the running loop with these; without any its own."""
        with translating():
            connection = Connection(self, client or self._client(settings), decoders)
        self._open[connection.client] = self._open.get(connection.client, 0) + 1
        return connection

    def _client(self, settings: dict[str, object] | None) -> Client:
        if not settings:
            return client_of_loop()
        for key, client in list(self._clients.items()):
            if client.closed or client._loop.is_closed():
                del self._clients[key]
        key = (id(asyncio.get_running_loop()), frozenset(settings.items()))
        if key not in self._clients:
            self._clients[key] = Client(settings, _of_loop=True)
        return self._clients[key]

    def closed(self, connection: Connection) -> None:
        client = connection.client
        left = self._open[client] = self._open.get(client, 1) - 1
        if not left:
            del self._open[client]
            if client in self._disposed:
                self._close(client)

    def dispose(self) -> None:
        """Closes the clients that were made here, once the last connection of each is closed."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            self._disposed.add(client)
            if client not in self._open:
                self._close(client)

    def _close(self, client: Client) -> None:
        self._disposed.discard(client)
        if not client._loop.is_closed():
            with contextlib.suppress(StopIteration):
                client.close().send(None)  # which waits for nothing

    def Binary(self, value: bytes) -> bytes:  # noqa: N802  DBAPI's name
        return value


# --- the dialect ------------------------------------------------------------------------------------------------------


class _Range(ranges.AbstractSingleRangeImpl[Any]):
    """As it is: dialect_values.py reads and writes them."""


class _MultiRange(ranges.AbstractMultiRangeImpl[Any]):
    pass


class _JSONPath(pg_json.JSONPathType):
    def bind_processor(self, dialect: Any) -> Any:
        def process(value: Any) -> Any:
            return value if isinstance(value, str) else [str(part) for part in value or ()]
        return process


class ExecutionContext(PGExecutionContext_asyncpg):
    """DDL makes plans of the server's stale, which inside a transaction cannot be mended. So behind it texts differ
    from those before it, by a comment, and are prepared anew."""

    def handle_dbapi_exception(self, e: BaseException) -> None:
        if isinstance(e, NotSupportedError) and "cached plan" in str(e):  # somebody else's DDL
            self.dialect.dbapi.generation += 1  # type: ignore[union-attr]

    def pre_exec(self) -> None:
        module: Any = self.dialect.dbapi
        module.generation += self.isddl
        self.cursor.generation = module.generation  # type: ignore[attr-defined]


class SharedDialect(PGDialect_asyncpg):
    """PostgreSQL's dialect, with the casts that asyncpg's has."""

    driver = "shared"
    supports_statement_cache = True
    supports_server_side_cursors = True
    supports_sane_multi_rowcount = False
    has_terminate = True
    is_async = True
    execution_ctx_cls = ExecutionContext
    colspecs = util.update_copy(PGDialect_asyncpg.colspecs, {
        ranges.AbstractSingleRange: _Range,
        ranges.AbstractMultiRange: _MultiRange,
        pg_json.JSONPathType: _JSONPath,
    })

    @classmethod
    def import_dbapi(cls) -> Any:
        return Module()

    @classmethod
    def load_provisioning(cls) -> None:
        """For SQLAlchemy's suite."""
        import sqlalchemy.dialects.postgresql.provision  # noqa: F401

    @classmethod
    def get_pool_class(cls, url: Any) -> Any:
        return pool.NullPool

    @classmethod
    def engine_created(cls, engine: Any) -> None:
        event.listen(engine, "engine_disposed", lambda disposed: disposed.dialect.dbapi.dispose())

    def create_connect_args(self, url: Any) -> Any:
        """Names of settings in the URL are the library's, all else is the server's."""
        query = {name: value for name, value in url.query.items() if not name.isupper()}
        settings: dict[str, object] = {name: value for name, value in url.query.items() if name.isupper()}
        hosts, ports = self._split_multihost_from_url(url)
        plain = url.set(drivername="postgresql", query={name: value for name, value in query.items()
                                                        if name not in ("host", "port")})
        if hosts and len(hosts) > 1:
            given = list(ports or ())
            if len(given) != len(hosts):
                raise exc.ArgumentError("several hosts in the URL need a port each")
            places = ",".join(f"{host}:{port}" for host, port in zip(hosts, given, strict=True))
            text = plain.set(host="places", port=None).render_as_string(hide_password=False)
            settings["DATABASE_URL"] = text.replace("places", places, 1)
        elif hosts:
            host, port = hosts[0], (ports or [None])[0]
            plain = plain.update_query_dict({"host": host}) if str(host).startswith("/") else plain.set(host=host)
            if port:
                plain = plain.set(port=int(port))
            settings["DATABASE_URL"] = plain.render_as_string(hide_password=False)
        elif url.database or url.username or plain.query:
            settings["DATABASE_URL"] = plain.render_as_string(hide_password=False)
        return [], {"settings": settings, "decoders": self._decoders}

    @util.memoized_property
    def _decoders(self) -> Decoders:
        return Decoders(self._json_deserializer or json.loads, self._native_inet_types is not False)

    def on_connect(self) -> Any:
        return super(PGDialect_asyncpg, self).on_connect()

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        cause = getattr(e, "__cause__", None)
        state = getattr(e, "sqlstate", "")
        return isinstance(cause, LOST) or bool(state and state.startswith(LOST_STATES))

    def get_driver_connection(self, connection: Any) -> Any:
        return connection

    # A failed transaction is the library's business, so that it must know of savepoints.

    def do_savepoint(self, connection: Any, name: str) -> None:
        connection.connection.dbapi_connection.savepoint(name)

    def do_rollback_to_savepoint(self, connection: Any, name: str) -> None:
        connection.connection.dbapi_connection.rollback_to(name)

    def do_release_savepoint(self, connection: Any, name: str) -> None:
        connection.connection.dbapi_connection.release(name)
