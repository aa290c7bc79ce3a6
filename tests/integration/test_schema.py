# SPDX-License-Identifier: MIT
"""The migrated database against models.txt: expected_schema.json is made from it, information_schema tells what is
there, and each rule is broken once to see that it is held."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from stack import LabStack

EXPECTED = json.loads(Path(__file__).with_name("expected_schema.json").read_text())
# The least that makes a row, in the order in which rows can be stored.
ROWS = {
    "cases": {"id": "schema-case", "title": "t"},
    "documents": {"id": "schema-document", "file_name": "f"},
    "document_pages": {"document_id": "schema-document", "page": 1, "text": "t", "source": "text"},
    "document_chunks": {"id": "schema-chunk", "document_id": "schema-document", "chunk_index": 0, "content": "c"},
}
COLUMNS = [(table, column) for table, rules in EXPECTED.items() for column in rules["columns"]]


@pytest.fixture
def database(stack: LabStack) -> Iterator[psycopg.Connection]:
    """A connection inside a transaction that is never committed."""
    with stack.pg_connect() as connection, connection.transaction(force_rollback=True):
        yield connection


def insert(database: psycopg.Connection, table: str, **values: object) -> None:
    row = ROWS[table] | values
    database.execute(sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table), sql.SQL(",").join(map(sql.Identifier, row)),
        sql.SQL(",").join([sql.Placeholder()] * len(row))), list(row.values()))


def constraints(database: psycopg.Connection, table: str, kind: str) -> list[tuple]:
    """Name, columns, table referred to, what happens on delete, of the constraints of a kind (p, u, f)."""
    return database.execute(
        """SELECT conname, array(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS k(number, place)
                                 JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY place),
                  confrelid::regclass::text, confdeltype::text
           FROM pg_constraint WHERE conrelid = %s::regclass AND contype = %s""", (table, kind)).fetchall()


@pytest.mark.parametrize("table", EXPECTED)
def test_columns_are_those_of_the_model_in_its_order(database: psycopg.Connection, table: str) -> None:
    there = database.execute(
        """SELECT column_name, data_type, is_nullable = 'YES', column_default FROM information_schema.columns
           WHERE table_schema = 'public' AND table_name = %s AND is_generated = 'NEVER' ORDER BY ordinal_position""",
        (table,)).fetchall()
    expected = []
    for name, column in EXPECTED[table]["columns"].items():
        default = column["default"]
        quoted = default if default is None or default.isdigit() or default == "now()" else f"'{default}'::text"
        expected.append((name, column["type"], column["null"], quoted))
    assert there == expected


@pytest.mark.parametrize("table", EXPECTED)
def test_keys_are_those_of_the_model(database: psycopg.Connection, table: str) -> None:
    expected = EXPECTED[table]
    assert [columns for _, columns, _, _ in constraints(database, table, "p")] == [expected["primary_key"]]
    assert {name: columns for name, columns, _, _ in constraints(database, table, "u")} == expected["unique"]
    foreign = {columns[0]: {"table": target, "cascade": on_delete == "c"}
               for _, columns, target, on_delete in constraints(database, table, "f")}
    assert foreign == expected["foreign_keys"]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_rule_is_held_at_its_limit(database: psycopg.Connection, table: str, column: str) -> None:
    """Each limit itself passes, one beyond is refused; a column without rules takes what its type holds."""
    rules = EXPECTED[table]["columns"][column]
    is_text = rules["type"] == "text"
    good: list[object] = [] if rules["words"] is None else list(rules["words"])
    bad: list[object] = [] if rules["words"] is None else ["", "no such word"]
    for limit, beyond in (("min", -1), ("max", 1)):
        if (value := rules[limit]) is not None:
            good.append("\u00e4" * value if is_text else value)
            if not is_text or value + beyond >= 0:
                bad.append("\u00e4" * (value + beyond) if is_text else value + beyond)
    for name in ROWS:
        if name == table:
            break
        insert(database, name)
    for value in good:
        with database.transaction(force_rollback=True):
            insert(database, table, **{column: value})
    for value in bad:
        with pytest.raises(psycopg.errors.CheckViolation), database.transaction():
            insert(database, table, **{column: value})


def test_the_fence_lets_the_current_attempt_pass_and_no_other(database: psycopg.Connection) -> None:
    insert(database, "documents", attempt=3)
    database.execute("SELECT document_fence('schema-document', 3)")
    for document, attempt in (("schema-document", 2), ("schema-document", 4), ("no-such", 3)):
        with pytest.raises(psycopg.Error) as raised, database.transaction():
            database.execute("SELECT document_fence(%s, %s)", (document, attempt))
        assert raised.value.sqlstate == "LX001"


def test_a_fence_keeps_other_attempts_waiting_until_the_commit(stack: LabStack) -> None:
    with stack.pg_connect() as holder, stack.pg_connect() as other:
        insert(holder, "documents")
        try:
            with holder.transaction():
                holder.execute("SELECT document_fence('schema-document', 0)")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    other.execute("SELECT FROM documents WHERE id = 'schema-document' FOR NO KEY UPDATE NOWAIT")
        finally:
            holder.execute("DELETE FROM documents WHERE id = 'schema-document'")
