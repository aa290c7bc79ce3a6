# SPDX-License-Identifier: MIT
"""Questions about models: ``select(Document).where(Document.case_id ==
"case-1").order_by(Document.created_at.desc())``. Values are always bound, never pasted into text. The names and the
shape are SQLAlchemy's, which is not needed; its own ``select`` works on the same classes where it is installed
(sqlalchemy.py)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .errors import InvalidError

if TYPE_CHECKING:
    from .model import Model

__all__ = ["Column", "Condition", "Delete", "Insert", "Select", "Update", "and_", "delete", "func", "insert", "not_",
           "or_", "select", "text", "update"]

T = TypeVar("T")
C = TypeVar("C", bound="_Change")
ORDER = re.compile(r"\s*(\w+)(?:\s+(asc|desc))?\s*", re.IGNORECASE)
WORDS = {None: "NULL", True: "TRUE", False: "FALSE"}


class Text:
    """SQL with the values that belong into it: pieces, between which a value each is bound."""

    def __init__(self, *pieces: object) -> None:
        self.pieces = pieces

    def compile(self, values: list[Any]) -> str:
        """$n for each value, appended to values; texts as they stand."""
        out = []
        for piece in self.pieces:
            if isinstance(piece, Text):
                out.append(piece.compile(values))
            elif isinstance(piece, Value):
                values.append(piece.value)
                out.append(f"${len(values)}{piece.cast}")
            else:
                out.append(str(piece))
        return "".join(out)

    def __clause_element__(self) -> Any:
        """What SQLAlchemy's statements take it for."""
        from .sqlalchemy import clause_of
        return clause_of(self)


class Value:
    def __init__(self, value: object, cast: str = "") -> None:
        self.value, self.cast = value, cast


class Expression(Text):
    """Something with a value: a column, or a function of columns."""

    name = ""

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return Condition(self, " IS NULL") if other is None else Condition(self, " = ", operand(self, other))

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return Condition(self, " IS NOT NULL") if other is None else Condition(self, " <> ", operand(self, other))

    def __lt__(self, other: object) -> Condition:
        return Condition(self, " < ", operand(self, other))

    def __le__(self, other: object) -> Condition:
        return Condition(self, " <= ", operand(self, other))

    def __gt__(self, other: object) -> Condition:
        return Condition(self, " > ", operand(self, other))

    def __ge__(self, other: object) -> Condition:
        return Condition(self, " >= ", operand(self, other))

    def __hash__(self) -> int:
        return id(self)

    def in_(self, values: Iterable[object]) -> Condition:
        """One of these values."""
        return Condition(self, " = ANY(", Value(list(values), self.array_cast()), ")")

    def not_in(self, values: Iterable[object]) -> Condition:
        return not_(self.in_(values))

    def is_(self, value: bool | None) -> Condition:
        """Null, or, of a condition, true or false; never null itself."""
        return Condition(self, f" IS {WORDS[value]}")

    def is_not(self, value: bool | None) -> Condition:
        return Condition(self, f" IS NOT {WORDS[value]}")

    def like(self, pattern: str) -> Condition:
        return Condition(self, " LIKE ", Value(pattern))

    def ilike(self, pattern: str) -> Condition:
        return Condition(self, " ILIKE ", Value(pattern))

    def between(self, low: object, high: object) -> Condition:
        return Condition(self, " BETWEEN ", operand(self, low), " AND ", operand(self, high))

    def asc(self) -> Text:
        return Text(self, " ASC")

    def desc(self) -> Text:
        return Text(self, " DESC")

    def label(self, name: str) -> Expression:
        labelled = Expression(self, f" AS {quote(name)}")
        labelled.name = name
        return labelled

    def array_cast(self) -> str:
        return ""

    def __bool__(self) -> bool:
        raise TypeError("a column has no truth; compare it, and join conditions with & and |, or and_ and or_")


class Condition(Expression):
    """True, false or null; & | ~ join conditions."""

    def __and__(self, other: Condition) -> Condition:
        return and_(self, other)

    def __or__(self, other: Condition) -> Condition:
        return or_(self, other)

    def __invert__(self) -> Condition:
        return not_(self)

    def __bool__(self) -> bool:
        raise TypeError("a condition has no truth in Python; join conditions with & and |, or and_ and or_")


class Column(Expression, Generic[T]):
    """A field of a model. Read on an object it is the object's value; on the class it makes conditions."""

    def __init__(self, name: str, kind: str, key: bool, index: int) -> None:
        super().__init__(quote(name))
        self.name, self.kind, self.key, self.index = name, kind, key, index
        self.model: type[Model] = None  # type: ignore[assignment]

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type) -> Column[T]: ...

        @overload
        def __get__(self, instance: object, owner: type) -> T: ...

        def __get__(self, instance: object, owner: type) -> Any: ...

        def __set__(self, instance: object, value: T) -> None: ...

    else:

        def __get__(self, instance: object, owner: type) -> Any:
            """Only reached where the object's own dictionary has no value: an unset field reads as None."""
            return self if instance is None else None

    def array_cast(self) -> str:
        return {"int": "::bigint[]", "time": "::timestamptz[]"}.get(self.kind, "::text[]")

    def __repr__(self) -> str:
        return f"{self.model.__name__}.{self.name}"

    def __clause_element__(self) -> Any:
        from .sqlalchemy import column_of
        return column_of(self)


def operand(column: Expression, value: object) -> object:
    return value if isinstance(value, Text) else Value(value)


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def joined(word: str, conditions: Iterable[Condition]) -> Condition:
    pieces: list[object] = []
    for condition in conditions:
        if not isinstance(condition, Text):
            raise TypeError(f"a condition is wanted, as Document.id == 'doc-1', not {condition!r}")
        pieces += [word, condition] if pieces else [condition]
    return Condition("(", *pieces, ")") if pieces else Condition("true")


def and_(*conditions: Condition) -> Condition:
    return joined(" AND ", conditions)


def or_(*conditions: Condition) -> Condition:
    return joined(" OR ", conditions)


def not_(condition: Condition) -> Condition:
    return Condition("NOT (", condition, ")")


class _Functions:
    """func.count(), func.max(Document.created_at): any function of PostgreSQL by its name."""

    def __getattr__(self, name: str) -> Any:
        if not name.isidentifier():
            raise AttributeError(name)

        def call(*arguments: object) -> Expression:
            pieces: list[object] = [f"{name}("]
            for number, argument in enumerate(arguments):
                pieces += [", "] * (number > 0) + [operand(Expression(), argument)]
            made = Expression(*pieces, "*)" if name == "count" and not arguments else ")")
            made.name = name
            return made
        return call


func = _Functions()


class Statement:
    """What a session executes. `models` says which columns of an answer become objects."""

    def compile(self) -> tuple[str, list[Any]]:
        raise NotImplementedError

    def given(self, parameters: Any) -> Statement:
        """With execute()'s parameters, which only insert() takes."""
        if parameters:
            raise TypeError(f"{type(self).__name__.lower()}() has its values in itself, and takes no parameters")
        return self

    reads_only = False
    entity: type[Model] | None = None


class Select(Statement, Generic[T]):
    def __init__(self, *what: Any) -> None:
        if not what:
            raise TypeError("select() of what? A model, or columns of it")
        for part in what:
            answer_check(part, "select")
        self.what = what
        self.entity = what[0] if len(what) == 1 and isinstance(what[0], type) else None
        self._where: list[Condition] = []
        self._order: list[Text] = []
        self._limit: int | None = None
        self._offset: int | None = None
        self._lock = ""
        self._from: list[str] = []

    def _copy(self) -> Select[T]:
        made: Select[T] = Select(*self.what)
        made._where, made._order, made._from = list(self._where), list(self._order), list(self._from)
        made._limit, made._offset, made._lock = self._limit, self._offset, self._lock
        return made

    def where(self, *conditions: Condition) -> Select[T]:
        made = self._copy()
        made._where += [and_(*conditions)]
        return made

    filter = where

    def filter_by(self, **values: object) -> Select[T]:
        if self.entity is None:
            raise TypeError("filter_by() needs a select() of one model")
        return self.where(*[self.entity.column(name) == value for name, value in values.items()])

    def order_by(self, *columns: Any) -> Select[T]:
        """Columns, functions of them, or the name of a column or label, as "created_at" or "created_at desc"."""
        made = self._copy()
        made._order += [self._ordering(column) for column in columns]
        return made

    def _ordering(self, column: Any) -> Text:
        if isinstance(column, Text):
            return column
        if not isinstance(column, str):
            raise TypeError(f"order_by() takes columns, as Document.id.desc(), or a name of one, not {column!r}")
        named = ORDER.fullmatch(column)
        place = self._named(named[1]) if named else None
        if named is None or place is None:
            raise InvalidError(f"order_by({column!r}): neither a column of what is selected nor a label of it, with asc"
                               " or desc at most; SQL of your own belongs into execute()")
        return Text(place, f" {named[2].upper()}") if named[2] else place

    def _named(self, name: str) -> Text | None:
        """A label, else a column of a model."""
        for part in self.what:
            if isinstance(part, Expression) and part.name == name:
                return part if isinstance(part, Column) else Text(quote(name))
        for part in self.what:
            if isinstance(part, type) and name in part._names:  # type: ignore[attr-defined]
                return part.column(name)  # type: ignore[attr-defined, no-any-return]
        return None

    def limit(self, rows: int | None) -> Select[T]:
        made = self._copy()
        made._limit = rows
        return made

    def offset(self, rows: int | None) -> Select[T]:
        made = self._copy()
        made._offset = rows
        return made

    def select_from(self, model: type[Model]) -> Select[T]:
        made = self._copy()
        made._from.append(model.__tablename__)
        return made

    def with_for_update(self, *, nowait: bool = False, read: bool = False, skip_locked: bool = False,
                        key_share: bool = False) -> Select[T]:
        made = self._copy()
        strength = (" FOR KEY SHARE" if key_share else " FOR SHARE") if read else (
            " FOR NO KEY UPDATE" if key_share else " FOR UPDATE")
        made._lock = strength + (" NOWAIT" if nowait else " SKIP LOCKED" if skip_locked else "")
        return made

    @property
    def reads_only(self) -> bool:  # type: ignore[override]
        return not self._lock

    def compile(self) -> tuple[str, list[Any]]:
        values: list[Any] = []
        columns, tables = [], list(self._from)
        for part in self.what:
            if isinstance(part, type):
                columns.append(part.columns_sql())  # type: ignore[attr-defined]
                tables.append(part.__tablename__)  # type: ignore[attr-defined]
            else:
                columns.append(part.compile(values))
                tables += [column.model.__tablename__ for column in columns_in(part)]
        sql = f"SELECT {', '.join(columns)}"
        if tables:
            sql += f" FROM {', '.join(dict.fromkeys(tables))}"
        if self._where:
            sql += f" WHERE {and_(*self._where).compile(values)}"
        if self._order:
            sql += " ORDER BY " + ", ".join(part.compile(values) for part in self._order)
        for word, rows in (("LIMIT", self._limit), ("OFFSET", self._offset)):
            if rows is not None:
                sql += f" {word} {int(rows)}"
        return sql + self._lock, values


def answer_check(part: object, where: str) -> None:
    """Text would go into the statement as it is."""
    if isinstance(part, str):
        raise InvalidError(f"{where}({part!r}): no text, but models, columns and func; SQL of your own belongs into"
                           " execute()")
    if not isinstance(part, Text) and not hasattr(part, "columns_sql"):
        raise TypeError(f"{where}() takes models, columns and functions of them, not {part!r}")


def columns_in(part: object) -> list[Column[Any]]:
    if isinstance(part, Column):
        return [part]
    return [column for piece in getattr(part, "pieces", ()) for column in columns_in(piece)]


class _Change(Statement):
    def __init__(self, model: type[Model]) -> None:
        self.model = model
        self._where: list[Condition] = []
        self._values: dict[str, Any] = {}
        self._returning: tuple[Any, ...] = ()

    def _copy(self: C) -> C:
        made = type(self)(self.model)
        made._where, made._values = list(self._where), dict(self._values)
        made._returning, made.entity = self._returning, self.entity
        return made

    def where(self: C, *conditions: Condition) -> C:
        made = self._copy()
        made._where += conditions
        return made

    def values(self: C, **values: object) -> C:
        for name in values:
            self.model.column(name)
        made = self._copy()
        made._values |= values
        return made

    def returning(self: C, *what: Any) -> C:
        for part in what:
            answer_check(part, "returning")
        made = self._copy()
        made._returning = what
        made.entity = what[0] if len(what) == 1 and isinstance(what[0], type) else None
        return made

    def _end(self, values: list[Any]) -> str:
        sql = f" WHERE {and_(*self._where).compile(values)}" if self._where else ""
        if self._returning:
            sql += " RETURNING " + ", ".join(part.columns_sql() if isinstance(part, type) else part.compile(values)  # type: ignore[attr-defined]
                                             for part in self._returning)
        return sql


class Update(_Change):
    def compile(self) -> tuple[str, list[Any]]:
        values: list[Any] = []
        pairs = [f"{quote(name)} = {Text(operand(Expression(), value)).compile(values)}"
                 for name, value in self._values.items()]
        if not pairs:
            raise TypeError("update() without values(): nothing would change")
        return f"UPDATE {self.model.__tablename__} SET {', '.join(pairs)}" + self._end(values), values


class Delete(_Change):
    def compile(self) -> tuple[str, list[Any]]:
        values: list[Any] = []
        return f"DELETE FROM {self.model.__tablename__}" + self._end(values), values


class Insert(_Change):
    """One row of values(), or as many as execute() is given dicts."""

    def __init__(self, model: type[Model]) -> None:
        super().__init__(model)
        self._rows: list[dict[str, Any]] = []

    def given(self, parameters: Any) -> Insert:
        rows = [parameters] if isinstance(parameters, Mapping) else list(parameters)
        if not rows or not all(isinstance(row, Mapping) and row.keys() == rows[0].keys() for row in rows):
            raise TypeError("parameters of insert(): a dict, or a list of dicts with the same names")
        made = self.values(**rows[0])
        made._rows = [made._values | dict(row) for row in rows]
        return made

    def compile(self) -> tuple[str, list[Any]]:
        values: list[Any] = []
        rows = [", ".join(Text(operand(Expression(), value)).compile(values) for value in row.values())
                for row in self._rows or [self._values]]
        columns = ", ".join(quote(name) for name in self._values)
        body = f"({columns}) VALUES {', '.join(f'({row})' for row in rows)}" if columns else "DEFAULT VALUES"
        return f"INSERT INTO {self.model.__tablename__} {body}" + self._end(values), values


def select(*what: Any) -> Select[Any]:
    """Rows of a model as objects, or columns and functions as tuples."""
    return Select(*what)


def update(model: type[Model]) -> Update:
    return Update(model)


def delete(model: type[Model]) -> Delete:
    return Delete(model)


def insert(model: type[Model]) -> Insert:
    return Insert(model)


class SQL(Statement):
    """SQL as it stands, with ``:name`` where a value of execute()'s parameters is bound."""

    def __init__(self, sql: str) -> None:
        self.sql = sql

    def bind(self, parameters: dict[str, Any]) -> tuple[str, list[Any]]:
        return named_to_numbered(self.sql, parameters)

    def compile(self) -> tuple[str, list[Any]]:
        return named_to_numbered(self.sql, {})


def text(sql: str) -> SQL:
    return SQL(sql)


def named_to_numbered(sql: str, parameters: dict[str, Any]) -> tuple[str, list[Any]]:
    """:name -> $n, outside of quotes, comments and casts (``::``)."""
    token = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|::|:(\w+)", re.DOTALL)
    order: dict[str, int] = {}

    def place(match: re.Match[str]) -> str:
        name = match.group(2)
        if not name:
            return match.group(0)
        if name not in parameters:
            raise KeyError(f":{name} has no value; given are: {', '.join(parameters) or 'none'}")
        return f"${order.setdefault(name, len(order) + 1)}"
    numbered = token.sub(place, sql)
    return numbered, [parameters[name] for name in order]
