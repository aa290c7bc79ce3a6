# SPDX-License-Identifier: MIT
"""One verdict on a row, whoever is asked: what libshared takes PostgreSQL stores, and what libshared refuses PostgreSQL
refuses, but for the differences that stand here by name. Rows near every limit are drawn; the seed is printed, and
VERDICT_SEED repeats a run."""

from __future__ import annotations

import collections
import os
import random

import psycopg
import pytest
from psycopg import pq

from stack import LabStack
from verdict import SCHEMA, Library, Value, value_of

ROWS = 1000  # a table; 4 tables in 2 s
# Rules of libshared for which PostgreSQL is wider on purpose.
WIDER = {
    "datetime_parsing": "PostgreSQL keeps times beyond the years 1 to 9999, infinity, and has spellings of its own; "
                        "the API speaks RFC 3339, and sends what it took in UTC",
    "int_parsing": "PostgreSQL reads ' 1' and '+1', and from version 16 on 0x10 and 1_000",
    "int_type": "the same from JSON, where a number is no text",
}
# States of PostgreSQL that are no verdict on the values: libshared cannot know.
ELSEWHERE = {"23503": "what it refers to is not there", "23505": "the key is taken"}
ROW_GOOD: dict[str, dict[str, Value]] = {
    "cases": {"id": b"new", "title": b"t"},
    "documents": {"id": b"new", "file_name": b"f"},
    "document_pages": {"document_id": b"there", "page": 1, "text": b"t", "source": b"text"},
    "document_chunks": {"id": b"new", "document_id": b"there", "chunk_index": 0, "content": b"c"},
}


@pytest.fixture
def database(stack: LabStack) -> psycopg.Connection:
    """A connection inside a transaction that is never committed, with a document to refer to."""
    with stack.pg_connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("INSERT INTO documents (id, file_name) VALUES ('there', 'f')")
        connection.execute("SAVEPOINT before")
        yield connection


def store(database: psycopg.Connection, table: str, row: dict[str, Value]) -> tuple[str, dict[str, int]]:
    """The SQLSTATE of an INSERT of nothing but bound values, "" when it went well, and the times as they were stored.
    Texts are bound in binary form, which alone can hold NUL."""
    columns = SCHEMA[table]["columns"]
    names = list(row)
    values = [str(value).encode() if isinstance(value, int) else value for value in row.values()]
    is_text = [columns[name]["type"] == "text" for name in names]
    times = [name for name in names if row[name] is not None and columns[name]["type"].startswith("timestamp")]
    told = [f"CASE WHEN isfinite({name}) THEN (extract(epoch FROM {name}) * 1000000)::numeric(30) END"
            for name in times]
    places = ", ".join(f"${place}" for place in range(1, len(names) + 1))
    result = database.pgconn.exec_params(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places}) RETURNING {', '.join(told) or '1'}".encode(),
        values, [25 if text else 0 for text in is_text], [int(text) for text in is_text])
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    stored = {} if state else {name: int(result.get_value(0, i) or 0) for i, name in enumerate(times)}
    database.pgconn.exec_(b"ROLLBACK TO before")
    return state, stored


def compare(where: str, failing: set[str], state: str) -> str:
    """Which of both refused, as a word to count; a difference without a name is a failure."""
    stored = not state or state in ELSEWHERE
    assert failing or stored, f"{where}: libshared takes what PostgreSQL refuses with {state}"
    assert not stored or failing <= WIDER.keys(), f"{where}: PostgreSQL stores what libshared refuses: {failing}"
    if stored and failing:
        return "wider"
    return "stored" if stored else "refused"


@pytest.mark.parametrize("table", SCHEMA)
def test_libshared_and_postgresql_agree_on_every_row(database: psycopg.Connection, table: str) -> None:
    seed = int(os.environ.get("VERDICT_SEED") or random.SystemRandom().randint(1, 10**6))
    print(f"VERDICT_SEED={seed}")
    draw, library = random.Random(seed), Library()
    columns = SCHEMA[table]["columns"]
    counts: collections.Counter[str] = collections.Counter()
    for number in range(ROWS):
        row = ROW_GOOD[table] | {name: value_of(draw, columns[name])
                             for name in draw.sample(list(columns), draw.choice([1, 1, 2, 3]))}
        where = f"row {number} of VERDICT_SEED={seed}: {row}"
        failing, sent, times = library.by_setters(table, row)
        state, stored = store(database, table, sent)
        by_json = library.by_json(table, row)
        if by_json is not None:
            counts[compare(where + " as JSON", by_json, state)] += 1
        if row.get("id", b"") is None:
            continue  # set field by field, that is the same as absent, and the session makes an id
        absent = {name: value for name, value in sent.items() if value is not None or columns[name]["null"]}
        if absent != sent:  # and so the database makes a value
            state, stored = store(database, table, absent)
        counts[compare(where, failing, state)] += 1
        assert not stored or failing or stored == times, f"{where}: stored {stored}, meant {times}"
    assert counts["stored"] > ROWS // 5 and counts["refused"] > ROWS // 5, counts
    print(dict(counts))
