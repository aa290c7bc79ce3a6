# SPDX-License-Identifier: MIT
"""What the classes of :mod:`shared.models` have in common: plain objects that know what was changed in them. A session
stores them; without one they are values."""

from __future__ import annotations

import datetime
import decimal
import json
import uuid
from collections.abc import Iterator, Set
from typing import TYPE_CHECKING, Any, ClassVar

from .query import Column, quote

if TYPE_CHECKING:
    from .unit import Unit

__all__ = ["UNSET", "Model"]


class _Unset:
    """Stands for a field that was not given: the database's default counts."""

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


class Watch:
    """What objects have that a session looks after: cut, they are nobody's, all at once."""

    __slots__ = ("stored", "unit")

    def __init__(self, unit: Unit, stored: bool) -> None:
        self.unit: Unit | None = unit
        self.stored = stored  # they were read or written: what changes in them is to be written


UNSET: Any = _Unset()
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


class ModelMeta(type):
    """`Document.file_name` is a column, and SQLAlchemy's select() takes the class for its table."""

    def __clause_element__(cls) -> Any:
        from .sqlalchemy import table_of
        return table_of(cls)


class Model(metaclass=ModelMeta):
    """A row. Attributes are its fields; one that was never set reads as None."""

    __tablename__: ClassVar[str] = ""
    _number: ClassVar[int] = 0
    _columns: ClassVar[tuple[Column[Any], ...]] = ()
    _names: ClassVar[tuple[str, ...]] = ()
    _keys: ClassVar[tuple[str, ...]] = ()
    _columns_sql: ClassVar[str] = ""
    _watch: Watch | None = None
    _changes: set[str] | None = None  # names of fields, since it was read or written

    def __init_subclass__(cls) -> None:
        cls._columns = tuple(column for column in vars(cls).values() if isinstance(column, Column))
        for column in cls._columns:
            column.model = cls
            column.pieces = (f"{cls.__tablename__}.{quote(column.name)}",)
        cls._names = tuple(column.name for column in cls._columns)
        cls._keys = tuple(column.name for column in cls._columns if column.key)
        cls._columns_sql = ", ".join(str(column.pieces[0]) for column in cls._columns)

    def __init__(self, **values: Any) -> None:
        names, mine = self._names, self.__dict__
        for name, value in values.items():
            if name not in names:
                raise TypeError(f"{type(self).__name__} has no field {name!r}; it has {', '.join(names)}")
            if value is not UNSET:
                mine[name] = value

    @classmethod
    def column(cls, name: str) -> Column[Any]:
        """The column of that name; an AttributeError names those that there are."""
        for column in cls._columns:
            if column.name == name:
                return column
        raise AttributeError(f"{cls.__name__} has no field {name!r}; it has {', '.join(cls._names)}")

    @classmethod
    def columns_sql(cls) -> str:
        return cls._columns_sql

    @classmethod
    def _from_row(cls, row: tuple[Any, ...]) -> Any:
        made = cls.__new__(cls)
        made.__dict__.update(zip(cls._names, row, strict=True))
        return made

    @property
    def _unit(self) -> Unit | None:
        """The session that looks after it."""
        return None if self._watch is None else self._watch.unit

    def _key(self) -> tuple[Any, ...]:
        keys, values = self._keys, self.__dict__
        return (values.get(keys[0]),) if len(keys) == 1 else tuple(map(values.get, keys))

    def _ident(self) -> Any:
        """The key, by which a session knows it: the value of a single one, else a tuple."""
        key = self._key()
        return key[0] if len(key) == 1 else key

    def _values(self, only: Set[str] | None = None) -> tuple[Any, ...]:
        """In the order of the fields; what is not given, or not to be written, is UNSET."""
        values = self.__dict__
        if only is None:
            return tuple([values.get(name, UNSET) for name in self._names])
        return tuple(values.get(name, UNSET) if name in only else UNSET for name in self._names)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._names:
            if name.startswith("_"):
                self.__dict__[name] = value
                return
            raise AttributeError(f"{type(self).__name__} has no field {name!r}; it has {', '.join(self._names)}")
        watch = self._watch
        if watch is not None and watch.stored and watch.unit is not None:
            if name in self._keys and self.__dict__.get(name) != value:
                raise AttributeError(f"{type(self).__name__}.{name}: the key of a stored row does not change")
            watch.unit.touch(self, name)
            if self._changes is None:
                self.__dict__["_changes"] = {name}
            else:
                self._changes.add(name)
        self.__dict__[name] = value

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        key = self._key()
        return type(other) is type(self) and None not in key and key == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_short(self.__dict__[name])}" for name in self._names
                          if self.__dict__.get(name) is not None)
        return f"{type(self).__name__}({shown})"

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """dict(document)"""
        return ((name, self.__dict__.get(name)) for name in self._names)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), {name: self.__dict__[name] for name in self._names if name in self.__dict__})


def _again(model: type[Model], values: dict[str, Any]) -> Model:
    return model(**values)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def adapt(value: object) -> tuple[int, str]:
    """For rows.c: what a value of Python's is called in the library, and its text."""
    from . import native
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value!r}: a time without a zone; datetime.now(timezone.utc) has one")
        return native.TYPE_TIME, str((value - _EPOCH) // _MICROSECOND)
    if isinstance(value, datetime.date):
        return native.TYPE_DATE, value.isoformat()
    if isinstance(value, decimal.Decimal):
        return native.TYPE_NUMERIC, str(value)
    if isinstance(value, uuid.UUID):
        return native.TYPE_UUID, str(value)
    if isinstance(value, dict):
        return native.TYPE_JSON, json.dumps(value)
    raise TypeError(f"{type(value).__name__}: no type of PostgreSQL is known for {_short(value)}")
