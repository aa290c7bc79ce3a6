# SPDX-License-Identifier: MIT
"""Answers: rows that are tuples with names, and lists of objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from .errors import ConflictError, NotFoundError

__all__ = ["MappingResult", "Result", "Row", "ScalarResult"]


T = TypeVar("T")


class Row(tuple[Any, ...]):
    """A row: by position, by name as an attribute, or as a mapping (`_mapping`)."""

    _names: Sequence[str]

    def __new__(cls, names: Sequence[str], values: Sequence[Any]) -> Row:
        row = super().__new__(cls, values)
        row.__dict__["_names"] = names
        return row

    def __getattr__(self, name: str) -> Any:
        try:
            return self[self._names.index(name)]
        except ValueError:
            raise AttributeError(f"the row has no column {name!r}; it has {', '.join(self._names)}") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return Row, (self._names, tuple(self))

    @property
    def count(self) -> Any:
        """The column of this name; without one it is the tuple's method."""
        return self.__getattr__("count") if "count" in self._names else super().count

    @property
    def index(self) -> Any:
        """Likewise."""
        return self.__getattr__("index") if "index" in self._names else super().index

    @property
    def _mapping(self) -> Mapping[str, Any]:
        return dict(zip(self._names, self, strict=True))

    def _asdict(self) -> dict[str, Any]:
        return dict(self._mapping)


class Answers(list[T]):
    """A list, so that len() works; with the questions of SQLAlchemy's."""

    def all(self) -> list[T]:
        return list(self)

    fetchall = all

    def first(self) -> T | None:
        """The first one, or None."""
        return self[0] if self else None

    def one(self) -> T:
        """The only one; none or several is an error."""
        if not self:
            raise NotFoundError("one row was wanted, there is none")
        if len(self) > 1:
            raise ConflictError(f"one row was wanted, there are {len(self)}")
        return self[0]

    def one_or_none(self) -> T | None:
        return self.one() if self else None


class ScalarResult(Answers[Any]):
    """The first column of each row."""

    def unique(self) -> ScalarResult:
        return ScalarResult(dict.fromkeys(self))


class MappingResult(Answers[Mapping[str, Any]]):
    """Each row as a dict by the names of its columns."""


class Result:
    """What execute() gives: rows, or how many were touched (`rowcount`). fetchone(), fetchmany() and fetchall() take
    rows away; all else is about those that are left, and may be asked again."""

    def __init__(self, names: Sequence[str], rows: list[Any], rowcount: int) -> None:
        self._names, self._found, self.rowcount = names, rows, rowcount
        self._taken = 0

    def _left(self) -> list[Any]:
        return self._found[self._taken:] if self._taken else self._found

    def _row(self, found: Any) -> Row:
        return Row(self._names, found)

    def keys(self) -> list[str]:
        return list(self._names)

    def scalars(self) -> ScalarResult:
        return ScalarResult(row[0] for row in self._left())

    def all(self) -> list[Row]:
        return [self._row(found) for found in self._left()]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self._found) - self._taken

    def first(self) -> Row | None:
        return self._row(self._found[self._taken]) if len(self) else None

    def fetchone(self) -> Row | None:
        """The next row, or None."""
        row = self.first()
        self._taken += row is not None
        return row

    def fetchmany(self, size: int = 1) -> list[Row]:
        """The next rows, at most so many."""
        rows = [self._row(found) for found in self._found[self._taken:self._taken + size]]
        self._taken += len(rows)
        return rows

    def fetchall(self) -> list[Row]:
        return self.fetchmany(len(self))

    def one(self) -> Row:
        return self._row(Answers(self._left()).one())

    def one_or_none(self) -> Row | None:
        return self.one() if len(self) else None

    def scalar(self) -> Any:
        """The first column of the first row, or None."""
        row = self.first()
        return None if row is None else row[0]

    def scalar_one(self) -> Any:
        return self.scalars().one()

    def scalar_one_or_none(self) -> Any:
        return self.scalars().one_or_none()

    def mappings(self) -> MappingResult:
        return MappingResult(row._mapping for row in self.all())


class Objects(Result):
    """Of a statement whose rows are objects of one model: rows are made when somebody asks for them."""

    def _row(self, found: Any) -> Row:
        return Row(self._names, (found,))

    def scalars(self) -> ScalarResult:
        return ScalarResult(self._left())
