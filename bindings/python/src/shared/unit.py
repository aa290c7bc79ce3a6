# SPDX-License-Identifier: MIT
"""A unit of work, without saying how one waits: each operation is a generator that yields what starts a request and is
sent the parts of its last event. :mod:`shared.database` drives it with asyncio, :mod:`shared.sync` by blocking."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Generator, Sequence
from itertools import chain
from typing import Any, TypeVar

from . import native
from .errors import NotFoundError
from .model import UNCHANGED, Model
from .query import SQL, Select, Statement
from .result import Objects, Result

Start = Callable[[int], object]
T = TypeVar("T")
M = TypeVar("M", bound=Model)
Work = Generator[Start, tuple[Any, ...], T]

ADD, COPY, UPDATE, DELETE = range(4)
_NUMBER = operator.attrgetter("_number")
COPY_FROM = 64  # new rows of one model, from which they go in bulk and their defaults are not read back


class Unit:
    """Objects by their key, and what is to be written. Never talks to a server by itself."""

    def __init__(self, client: native.client) -> None:
        self.handle: native.session | None = native.session_new(client)
        self.known: dict[type[Model], dict[Any, Model]] = {}  # by _ident()
        self.new: list[Model] = []
        self.dirty: dict[int, Model] = {}
        self.deleted: list[Model] = []
        self.stored: list[tuple[Model, object]] = []  # written in this transaction
        self.savepoints = 0
        self.is_begun = False

    # --- objects ------------------------------------------------------------------------------------------------------

    def add(self, item: Model) -> None:
        """Inserted at the next flush; one that the session knows already is left as it is."""
        if not isinstance(item, Model):
            raise TypeError(f"add() takes an object of shared.models, not {type(item).__name__}")
        if item._unit is self and item in self.deleted:
            self.deleted.remove(item)
        elif item._unit is None:
            item.__dict__["_unit"] = self
            self.new.append(item)
        elif item._unit is not self:
            raise ValueError(f"{item!r} belongs to another session; expunge() it there first")

    def touch(self, item: Model) -> None:
        if item._changed is not None:
            self.dirty[id(item)] = item

    def delete(self, item: Model) -> None:
        if item in self.new:
            self.new.remove(item)
            item._unit = None
        else:
            self.deleted.append(item)

    def expunge(self, item: Model) -> None:
        """The session forgets it, with what was not written."""
        item._unit = item._changed = None
        self.known_of(type(item)).pop(item._ident(), None)
        self.dirty.pop(id(item), None)
        self.new = [other for other in self.new if other is not item]
        self.deleted = [other for other in self.deleted if other is not item]

    def forget(self) -> None:
        """Nothing waits any more, and no object is watched."""
        for item in chain(*map(dict.values, self.known.values()), self.new, (item for item, _ in self.stored)):
            values = item.__dict__
            values["_unit"] = values["_changed"] = None
        self.known.clear()
        self.new.clear()
        self.dirty.clear()
        self.deleted.clear()
        self.stored.clear()

    def known_of(self, model: type[Model]) -> dict[Any, Model]:
        """The objects of a model that this session watches."""
        known = self.known.get(model)
        if known is None:
            known = self.known[model] = {}
        return known

    def watch_all(self, model: type[M], rows: Any) -> list[M]:
        """The objects of rows: one that is known already is shown anew unless it has changes of its own."""
        return native.objects_watch(model, rows, self.known_of(model), self, UNCHANGED)  # type: ignore[no-any-return]

    # --- flush --------------------------------------------------------------------------------------------------------

    def changes_give(self) -> None:
        """What waits is given to the library, which writes it before its next request. Parents before children."""
        handle = self.session()
        if self.new:
            new, self.new = sorted(self.new, key=_NUMBER), []
            how = COPY if len(new) >= COPY_FROM else ADD
            before = len(self.stored)
            try:
                native.objects_add(handle, new, how == COPY, self.stored)
            finally:  # one that is refused is still waiting, as are those behind it
                self.new += new[len(self.stored) - before:]
        if self.dirty:
            dirty, self.dirty = list(self.dirty.values()), {}
            for item in dirty:
                if item._changed and item not in self.deleted:
                    values = item._values(item._changed | set(item._keys))
                    self.stored.append((item, native.session_change(handle, item._number, values, UPDATE)))
        if self.deleted:
            gone, self.deleted = sorted(self.deleted, key=_NUMBER, reverse=True), []
            for item in gone:
                native.session_change(handle, item._number, item._values(set(item._keys)), DELETE)
                self.known_of(type(item)).pop(item._ident(), None)
                item._unit = item._changed = None

    def changes_show(self) -> None:
        """After the commit: objects are as they are stored."""
        stored, self.stored = self.stored, []
        native.objects_show(stored, True)
        for item, _ in stored:
            item.__dict__["_changed"] = UNCHANGED
            self.known_of(type(item))[item._ident()] = item

    def session(self) -> native.session:
        if self.handle is None:
            raise RuntimeError("the session is closed")
        return self.handle

    # --- operations ---------------------------------------------------------------------------------------------------

    def is_plain(self, model: type[Model], key: str) -> bool:
        """get() of this key is a read and nothing else: it is not known, and nothing waits to be written."""
        return (len(model._keys) == 1 and not (self.new or self.dirty or self.deleted)
                and key not in self.known_of(model))

    def get(self, model: type[M], key: Any, *, fresh: bool = False, lock: str = "") -> Work[M | None]:
        wanted = tuple(key) if isinstance(key, (tuple, list)) else (key,)
        if len(wanted) != len(model._keys):
            raise ValueError(f"the key of a {model.__name__} is {', '.join(model._keys)}; given: {key!r}")
        known: Any = self.known_of(model).get(wanted if len(wanted) > 1 else wanted[0])
        if known is not None and not fresh and not lock:
            return known if known not in self.deleted else None
        if lock or len(wanted) > 1:
            question: Select[M] = Select(model).where(*[model.column(name) == value
                                             for name, value in zip(model._keys, wanted, strict=True)])
            question._lock = lock
            found = yield from self.execute(question)
            return found.scalars().first()  # type: ignore[no-any-return]
        handle = self.session()
        self.changes_give()
        number, ident = model._number, wanted[0]
        if ident is None:
            return None
        parts = yield lambda tag: native.session_get(handle, number, ident, tag)
        return self.watch_all(model, parts[4])[0] if parts[3] else None

    def get_many(self, model: type[M], keys: Sequence[str]) -> Work[list[M]]:
        handle = self.session()
        self.changes_give()
        wanted, number = list(keys), model._number
        parts = yield lambda tag: native.session_get_many(handle, number, wanted, tag)
        return [] if parts[4] is None else self.watch_all(model, parts[4])

    def refresh(self, item: Model) -> Work[None]:
        self.dirty.pop(id(item), None)
        if item._changed:
            item.__dict__["_changed"] = UNCHANGED
        found = yield from self.get(type(item), item._key(), fresh=True)
        if found is None:
            raise NotFoundError(f"{type(item).__name__} {item._key()!r}: the row is gone")
        if found is not item:
            item.__dict__.update((name, found.__dict__.get(name)) for name in item._names)

    def execute(self, statement: Any, parameters: Any = None) -> Work[Result]:
        handle = self.session()
        question, entity = query_of(statement, parameters)
        self.changes_give()
        parts = yield lambda tag: native.session_query(handle, question, tag)
        return self.result(parts, entity)

    def result(self, parts: tuple[Any, ...], entity: type[Model] | None) -> Result:
        if parts[2] != native.EVENT_ROWS or parts[4] is None:
            return Result((), [], parts[3])
        if entity is not None:
            return Objects(self.watch_all(entity, parts[4]), parts[3])
        names, *rows = native.rows_list(parts[4])
        return Result(names, rows, parts[3])

    def flush(self) -> Work[None]:
        if not (self.new or self.dirty or self.deleted):
            return
        handle = self.session()
        self.changes_give()
        yield lambda tag: native.session_flush(handle, tag)
        native.objects_show(self.stored, False)  # what the library and the database have chosen: the key, times

    def commit(self) -> Work[None]:
        handle = self.session()
        try:
            self.changes_give()
            yield lambda tag: native.session_commit(handle, tag)
        except BaseException:
            self.abandon()
            raise
        self.savepoints, self.is_begun = 0, False
        self.changes_show()

    def rollback(self) -> Work[None]:
        handle = self.session()
        self.forget()
        self.savepoints, self.is_begun = 0, False
        yield lambda tag: native.session_rollback(handle, tag)

    def abandon(self) -> None:
        """After a failed commit: the library rolls back, nobody waits for it."""
        self.forget()
        self.savepoints, self.is_begun = 0, False
        if self.handle is not None:
            with contextlib.suppress(Exception):
                native.session_rollback(self.handle, 0)

    def begin(self, isolation: str, read_only: bool, deferrable: bool) -> None:
        levels = {"read committed": native.READ_COMMITTED, "repeatable read": native.REPEATABLE_READ,
                  "serializable": native.SERIALIZABLE}
        level = levels.get(isolation.lower().replace("_", " "))
        if level is None:
            raise ValueError(f"isolation {isolation!r}: one of {', '.join(levels)}")
        flags = native.READ_ONLY * read_only | native.DEFERRABLE * deferrable
        native.session_begin(self.session(), level, flags)
        self.is_begun = True

    def savepoint(self) -> Work[str]:
        """Its name. What waits is written before it."""
        handle = self.session()
        if not self.is_begun and not (self.new or self.dirty or self.deleted or self.stored):
            self.begin("read committed", False, False)
        self.changes_give()
        self.savepoints += 1
        self.is_begun = True
        name = f"shared_{self.savepoints}"
        native.session_savepoint(handle, name)
        return name
        yield  # a generator as the others are

    def rollback_to(self, name: str, mark: int) -> Work[None]:
        handle = self.session()
        undone, self.stored = self.stored[mark:], self.stored[:mark]
        for item in (*self.new, *(item for item, _ in undone)):
            item._unit = item._changed = None
        self.new.clear()
        self.dirty.clear()
        self.deleted.clear()
        yield lambda tag: native.session_rollback_to(handle, name, tag)

    def release(self, name: str) -> None:
        self.changes_give()
        native.session_release(self.session(), name)

    def close(self) -> None:
        """Rolls back what is open."""
        self.forget()
        handle, self.handle = self.handle, None
        if handle is not None:
            native.handle_close(handle)


def query_of(statement: Any, parameters: Any) -> tuple[native.query, type[Model] | None]:
    """The library's query for a statement of ours, of SQLAlchemy's, or a text; and the model of its rows."""
    entity: type[Model] | None = None
    reads_only = False
    if isinstance(statement, str):
        statement = SQL(statement)
    if isinstance(statement, SQL):
        sql, values = statement.bind(dict(parameters or {}))
    elif isinstance(statement, Statement):
        sql, values = statement.compile()
        entity, reads_only = statement.entity, statement.reads_only
    else:
        from .sqlalchemy import compile_statement
        sql, values, entity, reads_only = compile_statement(statement, parameters)
    question = native.query_new(0, sql)
    native.query_bind_all(question, values)
    if reads_only:
        native.query_read_only(question)
    return question, entity
