# SPDX-License-Identifier: MIT
"""SQLAlchemy's ``select()``, ``update()``, ``text()``, ... over the classes of :mod:`shared.models`, run by this
library's sessions. Loaded when such a statement comes, so that SQLAlchemy need not be installed::

    from sqlalchemy import select
    chunks = await db.scalars(select(DocumentChunk).where(DocumentChunk.document_id == document.id))

A select() of one class gives its objects, all else rows. Statements are compiled once for each shape."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.postgresql.ranges import Range
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.elements import ClauseList, Grouping
from sqlalchemy.sql.selectable import SelectBase

from . import models
from .dialect_values import encode
from .model import Model
from .query import Column, Expression, Text, Value

__all__ = ["clause_of", "column_of", "compile_statement", "metadata", "table_of"]

TYPES: dict[str, Any] = {"text": sa.Text(), "int": sa.BigInteger(), "time": sa.DateTime(timezone=True)}
COMPILED_MAX = 512  # shapes of statements that are kept

metadata = sa.MetaData()
"""The tables of shared.models as statements need them: names, types and keys. Rules and indexes are in
deploy/migrations alone, so nothing creates tables from it or compares with it (alembic_env.py leaves them out)."""

_dialect = PGDialect_asyncpg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_compiled: dict[Any, Any] = {}
_NO_WORD: Any = None  # between the elements of a ClauseList


def table_of(model: Any) -> sa.Table:
    """The table of a class, made once."""
    table = metadata.tables.get(model.__tablename__)
    if table is None:
        columns = [sa.Column(column.name, TYPES[column.kind], primary_key=column.key) for column in model._columns]
        table = sa.Table(model.__tablename__, metadata, *columns, info={"model": model})
    return table


def column_of(column: Column[Any]) -> sa.Column[Any]:
    return table_of(column.model).c[column.name]


for _model in vars(models).values():
    if isinstance(_model, type) and issubclass(_model, Model) and _model.__tablename__:
        table_of(_model)


# --- our own conditions in their statements ---------------------------------------------------------------------------


def clause_of(expression: Text) -> Any:
    """Document.id == "doc-1", which is ours, as SQLAlchemy has it: the same pieces, with values bound."""
    *pieces, last = expression.pieces
    if isinstance(expression, Expression) and str(last).startswith(" AS "):
        return _pieces(pieces).label(expression.name)
    clause = _pieces(expression.pieces)
    return clause if isinstance(expression, Expression) else clause.element  # an order takes no brackets


def _pieces(pieces: Sequence[object]) -> Grouping[Any]:
    elements: list[Any] = []
    columns = [piece for piece in pieces if isinstance(piece, Column)]
    kind = column_of(columns[0]).type if columns else None
    for piece in pieces:
        if isinstance(piece, Value):
            elements.append(_bound(piece, kind))
        elif isinstance(piece, ClauseElement):
            elements.append(piece)
        elif hasattr(piece, "__clause_element__"):
            elements.append(piece.__clause_element__())
        else:
            elements.append(sa.text(str(piece).strip()))
    return Grouping(ClauseList(*elements, operator=_NO_WORD, group=False))


def _bound(value: Value, kind: Any) -> Any:
    if hasattr(value.value, "__clause_element__"):
        return value.value.__clause_element__()
    if isinstance(value.value, ClauseElement):
        return value.value
    if value.cast:
        kind = sa.ARRAY(kind or sa.Text())
    return sa.bindparam(None, value.value, type_=kind, unique=True)


# --- compiling --------------------------------------------------------------------------------------------------------


def compile_statement(statement: Any, parameters: Any = None) -> tuple[str, list[Any], type[Model] | None, bool]:
    """SQL with $1, $2, ..., its values, the class whose objects the rows are, and whether it only reads."""
    if not isinstance(statement, ClauseElement):
        raise TypeError(f"execute() takes a statement or SQL, not {type(statement).__name__}")
    if isinstance(parameters, Sequence) and isinstance(statement, Insert):
        statement, parameters = statement.values(list(parameters)), None
    if parameters is not None and not isinstance(parameters, Mapping):
        raise TypeError(f"parameters: a dict, or of an insert() a list of them; not {type(parameters).__name__}")
    given = dict(parameters or {})
    names = sorted(given)
    key = statement._generate_cache_key()
    compiled = _compiled.get((key.key, *names)) if key else None
    if compiled is None:
        compiled = statement.compile(dialect=_dialect, cache_key=key, column_keys=names or None)
        if key is not None:
            if len(_compiled) >= COMPILED_MAX:
                _compiled.clear()
            _compiled[key.key, *names] = compiled
    values = compiled.construct_params(given, extracted_parameters=key.bindparams if key else None)
    sql, places = compiled.string, compiled.positiontup or []
    if compiled._render_postcompile or compiled.post_compile_params:
        expanded = compiled._process_parameters_for_postcompile(values)
        sql, places = expanded.statement, expanded.positiontup or []
        values = {**values, **expanded.additional_parameters}
    processors = compiled._bind_processors
    bound = [processors[name](values[name]) if name in processors and values[name] is not None else values[name]
             for name in places]
    return sql, [_plain(value) for value in bound], _entity_of(statement), _only_reads(statement)


def _plain(value: Any) -> Any:
    """Of types that the library does not bind by itself the text: the statement casts it."""
    if isinstance(value, (list, tuple, datetime.time, datetime.timedelta, Range)) or type(value) is datetime.date:
        return encode(value)
    return value


def _only_reads(statement: Any) -> bool:
    """A select() that locks nothing, and has no change within it."""
    if not isinstance(statement, SelectBase) or getattr(statement, "_for_update_arg", None) is not None:
        return False
    return not any(getattr(part, "is_dml", False) for part in sa.sql.visitors.iterate(statement))


def _entity_of(statement: Any) -> type[Model] | None:
    asked = getattr(statement, "_raw_columns", None) if isinstance(statement, SelectBase) else (
        getattr(statement, "_returning", None))
    if asked is None or len(asked) != 1 or not isinstance(asked[0], sa.Table):
        return None
    return asked[0].info.get("model")
