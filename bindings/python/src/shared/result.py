# SPDX-License-Identifier: MIT
"""Answers: rows that are tuples with names, and lists of objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .errors import ConflictError, NotFoundError

__all__ = ["Result", "Row", "ScalarResult"]


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

    @property
    def _mapping(self) -> Mapping[str, Any]:
        return dict(zip(self._names, self, strict=True))

    def _asdict(self) -> dict[str, Any]:
        return dict(self._mapping)


class ScalarResult(list[Any]):
    """The first column of each row. A list, so that len() works; with the questions of SQLAlchemy's."""

    def all(self) -> list[Any]:
        return list(self)

    def first(self) -> Any:
        """The first one, or None."""
        return self[0] if self else None

    def one(self) -> Any:
        """The only one; none or several is an error."""
        if not self:
            raise NotFoundError("one row was wanted, there is none")
        return self.one_or_none()

    def one_or_none(self) -> Any:
        if len(self) > 1:
            raise ConflictError(f"one row was wanted, there are {len(self)}")
        return self[0] if self else None

    def unique(self) -> ScalarResult:
        return ScalarResult(dict.fromkeys(self))


class Result:
    """What execute() gives: rows, or how many were touched (`rowcount`)."""

    def __init__(self, names: Sequence[str], rows: list[tuple[Any, ...]], rowcount: int) -> None:
        self._names, self._rows, self.rowcount = names, rows, rowcount

    def keys(self) -> list[str]:
        return list(self._names)

    def scalars(self) -> ScalarResult:
        return ScalarResult(row[0] for row in self._rows)

    def all(self) -> list[Row]:
        return [Row(self._names, row) for row in self._rows]

    fetchall = all

    def __iter__(self) -> Iterator[Row]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self._rows)

    def first(self) -> Row | None:
        return Row(self._names, self._rows[0]) if self._rows else None

    fetchone = first

    def one(self) -> Row:
        ScalarResult(self._rows).one()
        return Row(self._names, self._rows[0])

    def one_or_none(self) -> Row | None:
        ScalarResult(self._rows).one_or_none()
        return self.first()

    def scalar(self) -> Any:
        """The first column of the first row, or None."""
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:
        return self.scalars().one()

    def scalar_one_or_none(self) -> Any:
        return self.scalars().one_or_none()

    def mappings(self) -> list[Mapping[str, Any]]:
        return [row._mapping for row in self.all()]


class Objects(Result):
    """Of a statement whose rows are objects of one model: rows are made when somebody asks for them."""

    def __init__(self, objects: list[Any], rowcount: int) -> None:
        self._names, self._objects, self.rowcount = ("",), objects, rowcount

    @property
    def _rows(self) -> list[tuple[Any, ...]]:  # type: ignore[override]
        return [(item,) for item in self._objects]

    def scalars(self) -> ScalarResult:
        return ScalarResult(self._objects)

    def scalar(self) -> Any:
        return self._objects[0] if self._objects else None

    def __len__(self) -> int:
        return len(self._objects)
