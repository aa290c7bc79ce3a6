# SPDX-License-Identifier: MIT
"""A unit of work, without saying how one waits: each operation is a generator that yields what starts a request and is
sent the parts of its last event. :mod:`shared.database` drives it with asyncio, :mod:`shared.sync` by blocking."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

from . import native
from .errors import InvalidError, NotFoundError
from .model import UNSET, Model, Watch
from .query import SQL, Select, Statement
from .result import Objects, Result

Start = Callable[[int], object]
T = TypeVar("T")
M = TypeVar("M", bound=Model)
Work = Generator[Start, tuple[Any, ...], T]

ADD, COPY, UPDATE, DELETE = range(4)
_NUMBER = operator.attrgetter("_number")
WATCHES_SPARE = 64
COPY_FROM = 64  # new rows of one model, from which they go in bulk and their defaults are not read back


class Level:
    """Where a transaction or a savepoint began, to which a rollback goes back."""

    __slots__ = ("added", "before", "gone", "name", "stored")

    def __init__(self, name: str = "", stored: int = 0, added: int = 0, gone: int = 0) -> None:
        self.name, self.stored, self.added, self.gone = name, stored, added, gone
        self.before: dict[int, tuple[Model, dict[str, Any]]] = {}  # of what was changed since, as it was


class Unit:
    """Objects by their key, and what is to be written. Never talks to a server by itself."""

    __slots__ = ("added", "deleted", "dirty", "gone", "handle", "is_begun", "known", "levels", "new", "savepoints",
                 "shown", "stale", "stored", "waiting", "watch", "watches")

    def __init__(self, client: native.client) -> None:
        self.handle: native.session | None = native.session_new(client)
        self.known: dict[type[Model], dict[Any, Model]] = {}  # by _ident()
        self.new: list[Model] = []
        self.dirty: dict[int, Model] = {}
        self.deleted: dict[int, Model] = {}
        self.stored: list[tuple[Model, object]] = []  # given to the library in this transaction
        self.shown = 0  # so many of them are known to be written
        self.added: list[Model] = []  # in this transaction, as far as they were given
        self.gone: list[tuple[Model, int]] = []  # likewise deleted, when so many were added
        self.levels = [Level()]  # of the transaction, then of its open savepoints
        self.stale: set[int] = set()  # known, but to be read anew when asked for: something was undone
        self.watches: list[Watch] = []
        self.watch: Watch | None = None  # of what is stored
        self.waiting: Watch | None = None  # of what is new
        self.savepoints = 0
        self.is_begun = False

    # --- objects ------------------------------------------------------------------------------------------------------

    def add(self, item: Model) -> None:
        """Inserted at the next flush; one that the session knows already is left as it is."""
        if not isinstance(item, Model):
            raise TypeError(f"add() takes an object of shared.models, not {type(item).__name__}")
        unit = item._unit
        if unit is self:
            self.deleted.pop(id(item), None)
        elif unit is None:
            if self.waiting is None:
                self.waiting = self.watch_new(stored=False)
            leave(item)
            item.__dict__["_watch"] = self.waiting
            self.new.append(item)
        else:
            raise ValueError(f"{item!r} belongs to another session; expunge() it there first")

    def touch(self, item: Model, name: str) -> None:
        """A field is about to change."""
        self.dirty[id(item)] = item
        before = self.levels[-1].before.setdefault(id(item), (item, {}))[1]
        if name not in before:
            before[name] = item.__dict__.get(name, UNSET)

    def delete(self, item: Model) -> None:
        """An object that is nobody's stands for the row with its key."""
        unit = item._unit
        if unit is None:
            item = self.known_of(type(item)).get(item._ident(), item)
        elif unit is not self:
            raise ValueError(f"{item!r} belongs to another session; expunge() it there first")
        elif item._watch is self.waiting:
            self.new = [other for other in self.new if other is not item]
            leave(item)
            return
        self.deleted[id(item)] = item

    def expunge(self, item: Model) -> None:
        """The session forgets it, with what was not written."""
        self.drop(item)
        self.dirty.pop(id(item), None)
        self.deleted.pop(id(item), None)
        self.new = [other for other in self.new if other is not item]

    def drop(self, item: Model) -> None:
        """No longer known nor watched; another object may have its key."""
        known, ident = self.known_of(type(item)), item._ident()
        if known.get(ident) is item:
            del known[ident]
        leave(item)

    def keep(self, item: Model) -> None:
        """Known and watched, as one that was read."""
        if self.watch is None:
            self.watch = self.watch_new(stored=True)
        item.__dict__["_watch"] = self.watch
        self.known_of(type(item))[item._ident()] = item

    def forget(self) -> None:
        """Nothing waits any more, and no object is watched."""
        for watch in self.watches:
            watch.unit = None
        self.watches.clear()
        self.watch = self.waiting = None
        self.known.clear()
        self.stale.clear()
        self.drop_waiting()
        self.end()

    def drop_waiting(self) -> None:
        self.new.clear()
        self.dirty.clear()
        self.deleted.clear()

    def end(self) -> None:
        """Of a transaction: what was given in it is done or undone."""
        self.stored, self.added, self.gone = [], [], []
        self.levels = [Level()]
        self.savepoints = self.shown = 0
        self.is_begun = False

    def undo(self, place: int) -> None:
        """What was done since a level began: what was added then is nobody's again, all else is watched as before,
        with the values that it had. Whatever is known may have been read in between, and is read anew when it is asked
        for."""
        level, undone = self.levels[place], self.levels[place:]
        added: dict[int, int] = {}
        for place_added, item in enumerate(chain(self.added[level.added:], self.new), level.added):
            added.setdefault(id(item), place_added)
            self.drop(item)
        for item, count in self.gone[level.gone:]:
            if added.get(id(item), count) >= count and item._unit is None:  # else it was added first
                self.keep(item)
        for item, values in chain(*(inner.before.values() for inner in reversed(undone))):
            if item._unit is self:
                values_show(item, values)
        for item in self.dirty.values():
            item._changes = None
        self.drop_waiting()
        del self.stored[level.stored:], self.added[level.added:], self.gone[level.gone:], self.levels[place + 1:]
        level.before = {}
        self.shown = min(self.shown, level.stored)
        self.stale = {id(item) for item in self.known_all()}

    def known_all(self) -> Iterator[Model]:
        return chain(*map(dict.values, self.known.values()))

    def watch_new(self, *, stored: bool) -> Watch:
        watch = Watch(self, stored)
        self.watches.append(watch)
        return watch

    def known_of(self, model: type[Model]) -> dict[Any, Model]:
        """The objects of a model that this session watches."""
        known = self.known.get(model)
        if known is None:
            known = self.known[model] = {}
        return known

    def watch_all(self, model: type[M], rows: Any) -> list[M]:
        """The objects of rows: one that is known already is shown anew unless it has changes of its own."""
        if self.watch is None:
            self.watch = self.watch_new(stored=True)
        found: list[M] = native.objects_watch(model, rows, self.known_of(model), self.watch)
        if self.stale:
            self.stale.difference_update(map(id, found))
        return found

    # --- flush --------------------------------------------------------------------------------------------------------

    def changes_give(self) -> None:
        """What waits is given to the library, which writes it before its next request. Parents before children."""
        handle = self.session()
        if not (self.new or self.dirty or self.deleted):
            return
        self.is_begun = True
        if self.new and self.deleted:  # a key that is free again may be given anew
            keys = {(type(item), item._ident()) for item in self.new}
            self.deleted_give(handle, [item for item in self.deleted.values() if (type(item), item._ident()) in keys])
        if self.new:
            self.new_give(handle)
        while self.dirty:  # one that is refused is still waiting, as are those behind it
            place, item = next(iter(self.dirty.items()))
            if item._changes and place not in self.deleted:
                self.key_show(item)
                values = item._values(item._changes | set(item._keys))
                self.stored.append((item, native.session_change(handle, item._number, values, UPDATE)))
                item._changes = None
            del self.dirty[place]
        if self.deleted:
            self.deleted_give(handle, sorted(self.deleted.values(), key=_NUMBER, reverse=True))

    def deleted_give(self, handle: native.session, gone: list[Model]) -> None:
        for item in gone:
            self.key_show(item)
            native.session_change(handle, item._number, item._values(set(item._keys)), DELETE)
            if item._unit is self:
                self.gone.append((item, len(self.added)))
            self.drop(item)
            del self.deleted[id(item)]

    def key_show(self, item: Model) -> None:
        """Of one that was given and is not yet written the library has made the key."""
        if None in item._key():
            native.objects_show(self.stored[self.shown:], False)

    def new_give(self, handle: native.session) -> None:
        """From now on what changes in them is a change of a row, which is written behind them."""
        new, self.new = sorted(self.new, key=_NUMBER), []
        how = COPY if len(new) >= COPY_FROM else ADD
        before = len(self.stored)
        given, self.waiting = self.waiting, None
        try:
            native.objects_add(handle, new, how == COPY, self.stored)
        finally:  # one that is refused is still waiting, as are those behind it
            count = len(self.stored) - before
            self.added += new[:count]
            refused = new[count:]
            if refused:
                self.waiting = self.watch_new(stored=False)
            for item in refused:
                item.__dict__["_watch"] = self.waiting
            self.new += refused
            if given is not None:
                given.stored = True
                self.watch = self.watch or given

    def written(self) -> None:
        """An answer came, so what was given before is written: it is as the library and the database have chosen (the
        key, times), and known by its key."""
        fresh = self.stored[self.shown:]
        if fresh:
            native.objects_show(fresh, False)
            self.enter(fresh)
            self.shown = len(self.stored)

    def enter(self, stored: list[tuple[Model, object]]) -> None:
        for item, _ in stored:
            if item._unit is self:  # else it was deleted meanwhile
                self.known_of(type(item))[item._ident()] = item

    def changes_show(self) -> None:
        """After the commit: objects are as they are stored."""
        stored = self.stored
        self.end()
        native.objects_show(stored, True)
        self.enter(stored)
        self.watches_spare()

    def watches_spare(self) -> None:
        """Between transactions. One for all that is stored: a session may live long, and each flush has left one."""
        if len(self.watches) <= WATCHES_SPARE + sum(map(len, self.known.values())):
            return
        for item in self.known_all():
            item.__dict__["_watch"] = self.watch
        self.watches = [watch for watch in (self.watch, self.waiting) if watch is not None]

    def session(self) -> native.session:
        if self.handle is None:
            raise RuntimeError("the session is closed")
        return self.handle

    # --- operations ---------------------------------------------------------------------------------------------------

    def is_plain(self, model: type[Model], key: str) -> bool:
        """get() of this key is a read and nothing else: it is not known, and nothing waits to be written."""
        return (len(model._keys) == 1 and not (self.new or self.dirty or self.deleted)
                and self.shown == len(self.stored) and key not in self.known_of(model))

    def get(self, model: type[M], key: Any, *, fresh: bool = False, lock: str = "") -> Work[M | None]:
        wanted = tuple(key) if isinstance(key, (tuple, list)) else (key,)
        if len(wanted) != len(model._keys):
            raise ValueError(f"the key of a {model.__name__} is {', '.join(model._keys)}; given: {key!r}")
        known: Any = self.known_of(model).get(wanted if len(wanted) > 1 else wanted[0])
        if known is not None and not fresh and not lock and id(known) not in self.stale:
            return known if id(known) not in self.deleted else None
        if lock or len(wanted) > 1:
            question: Select[M] = Select(model).where(*[model.column(name) == value
                                             for name, value in zip(model._keys, wanted, strict=True)])
            question._lock = lock
            found = yield from self.execute(question)
            return found.scalars().first()
        handle = self.session()
        self.changes_give()
        number, ident = model._number, wanted[0]
        if ident is None:
            return None
        parts = yield lambda tag: native.session_get(handle, number, ident, tag)
        self.written()
        return self.watch_all(model, parts[4])[0] if parts[3] else None

    def get_many(self, model: type[M], keys: Sequence[str]) -> Work[list[M]]:
        handle = self.session()
        self.changes_give()
        wanted, number = list(keys), model._number
        parts = yield lambda tag: native.session_get_many(handle, number, wanted, tag)
        self.written()
        return [] if parts[4] is None else self.watch_all(model, parts[4])

    def refresh(self, item: Model) -> Work[None]:
        """One that is nobody's is this session's from now on."""
        unit, other = item._unit, self.known_of(type(item)).get(item._ident())
        if unit is not self and (unit is not None or other is not None):
            whose = "belongs to another session" if unit is not None else "is another object than the session's own"
            raise ValueError(f"{item!r} {whose}")
        self.dirty.pop(id(item), None)
        item._changes = None
        if unit is None:
            self.keep(item)
        try:
            if (yield from self.get(type(item), item._key(), fresh=True)) is None:
                raise NotFoundError(f"{type(item).__name__} {item._key()!r}: the row is gone")
        except BaseException:
            if unit is None:
                self.drop(item)
            raise

    def execute(self, statement: Any, parameters: Any = None) -> Work[Result]:
        handle = self.session()
        question, entity = query_of(statement, parameters)
        self.changes_give()
        self.is_begun = self.is_begun or not getattr(statement, "reads_only", False)
        parts = yield lambda tag: native.session_query(handle, question, tag)
        self.written()
        return self.result(parts, entity)

    def result(self, parts: tuple[Any, ...], entity: type[Model] | None) -> Result:
        if parts[2] != native.EVENT_ROWS or parts[4] is None:
            return Result((), [], parts[3])
        if entity is not None:
            return Objects((entity.__name__,), self.watch_all(entity, parts[4]), parts[3])
        names, *rows = native.rows_list(parts[4])
        return Result(names, rows, parts[3])

    def flush(self) -> Work[None]:
        if not (self.new or self.dirty or self.deleted or self.shown < len(self.stored)):
            return
        handle = self.session()
        self.changes_give()
        yield lambda tag: native.session_flush(handle, tag)
        self.written()

    def commit(self) -> Work[None]:
        handle = self.session()
        try:
            self.changes_give()
            yield lambda tag: native.session_commit(handle, tag)
        except BaseException:
            self.abandon()
            raise
        self.changes_show()

    def rollback(self) -> Work[None]:
        handle = self.session()
        self.undo_all()
        yield lambda tag: native.session_rollback(handle, tag)

    def undo_all(self) -> None:
        self.undo(0)
        self.end()
        self.watches_spare()

    def abandon(self) -> None:
        """After a failed commit: the library rolls back, nobody waits for it."""
        self.undo_all()
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

    def savepoint(self) -> Work[Level]:
        """What waits is written before it."""
        handle = self.session()
        self.changes_give()
        with contextlib.suppress(InvalidError):  # a transaction is open: by SQL, or for what was given
            self.begin("read committed", False, False)
        self.savepoints += 1
        self.is_begun = True
        level = Level(f"shared_{self.savepoints}", len(self.stored), len(self.added), len(self.gone))
        native.session_savepoint(handle, level.name)
        self.levels.append(level)
        return level
        yield  # a generator as the others are

    def rollback_to(self, level: Level) -> Work[None]:
        handle = self.session()
        if level in self.levels:  # else the library says that there is no such savepoint
            self.undo(self.levels.index(level))
        yield lambda tag: native.session_rollback_to(handle, level.name, tag)

    def release(self, level: Level) -> Work[None]:
        """What waits is written before it: what is refused is refused here, where it can still be undone."""
        yield from self.flush()
        native.session_release(self.session(), level.name)
        place = self.levels.index(level)
        for item, values in chain(*(inner.before.values() for inner in self.levels[place:])):
            before = self.levels[place - 1].before.setdefault(id(item), (item, {}))[1]
            before.update((name, value) for name, value in values.items() if name not in before)
        del self.levels[place:]

    def close(self) -> None:
        """Rolls back what is open."""
        self.forget()
        handle, self.handle = self.handle, None
        if handle is not None:
            native.handle_close(handle)


def leave(item: Model) -> None:
    """No session looks after it."""
    item._watch = item._changes = None


def values_show(item: Model, values: dict[str, Any]) -> None:
    """Past __setattr__, which would take it for a change."""
    shown = item.__dict__
    for name, value in values.items():
        if value is UNSET:
            shown.pop(name, None)
        else:
            shown[name] = value


def query_of(statement: Any, parameters: Any, cursor: str = "") -> tuple[native.query, type[Model] | None]:
    """The library's query for a statement of ours, of SQLAlchemy's, or a text; and the model of its rows. cursor: it
    only declares one with this name."""
    entity: type[Model] | None = None
    reads_only = False
    if isinstance(statement, str):
        statement = SQL(statement)
    if isinstance(statement, SQL):
        if parameters and not isinstance(parameters, Mapping):
            raise TypeError(f"parameters of SQL: a dict, not {type(parameters).__name__}")
        sql, values = statement.bind(dict(parameters or {}))
    elif isinstance(statement, Statement):
        sql, values = (statement if parameters is None else statement.given(parameters)).compile()
        entity, reads_only = statement.entity, statement.reads_only
    else:
        from .sqlalchemy import compile_statement
        sql, values, entity, reads_only = compile_statement(statement, parameters)
    question = native.query_new(0, f"DECLARE {cursor} NO SCROLL CURSOR FOR {sql}" if cursor else sql)
    native.query_bind_all(question, values)
    if reads_only and not cursor:
        native.query_read_only(question)
    return question, entity
