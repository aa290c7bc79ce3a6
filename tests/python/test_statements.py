# SPDX-License-Identifier: MIT
"""Statements that programs build, and their answers: what is SQLAlchemy's here must do what SQLAlchemy's does."""

from __future__ import annotations

import copy
import pickle

import psycopg
import pytest
from rows import document_with_chunks

from shared import errors
from shared.database import async_session, delete, func, insert, select, text, update
from shared.models import Case, Document, DocumentChunk


async def test_an_order_by_name_is_a_column_or_a_label() -> None:
    await document_with_chunks(3)
    orders = [(select(DocumentChunk.chunk_index).order_by("chunk_index DESC"), [2, 1, 0]),
              (select(DocumentChunk.chunk_index, Document.id).order_by("chunk_index").limit(1), [0]),
              (select(DocumentChunk.chunk_index.label("place")).order_by(" place desc "), [2, 1, 0]),
              (select(func.count()).select_from(Document).order_by("count"), [1])]
    async with async_session() as db:
        assert [chunk.chunk_index for chunk in await db.scalars(
            select(DocumentChunk).order_by("document_id", "chunk_index desc"))] == [2, 1, 0]
        for statement, wanted in orders:
            assert await db.scalars(statement) == wanted


@pytest.mark.parametrize("name", ["id; DROP TABLE cases", "(SELECT pg_sleep(9))", "no_such", "id desc, title", "1", "",
                                  "id desc nulls first", 'id"', "cases.id"])
def test_sql_as_an_order_is_refused(name: str) -> None:
    with pytest.raises(errors.InvalidError, match="neither a column"):
        select(Case).order_by(name)


def test_text_as_an_answer_is_refused() -> None:
    for wrong in (lambda: select("version()"), lambda: update(Case).values(title="x").returning("id")):
        with pytest.raises(errors.InvalidError, match="no text"):
            wrong()  # type: ignore[no-untyped-call]
    for nonsense in (lambda: select(1), lambda: select(Case).order_by(None), lambda: select(text("1"))):
        with pytest.raises(TypeError):
            nonsense()  # type: ignore[no-untyped-call]


async def test_a_statement_does_not_change_when_it_is_built_upon(pg: psycopg.Connection) -> None:
    for title in "abc":
        pg.execute("INSERT INTO cases (id, title) VALUES (%s, %s)", (title, title))
    gone, changed = delete(Case), update(Case).values(description="x")
    async with async_session() as db:
        await db.execute(gone.where(Case.id == "a"))
        assert (await db.execute(gone.where(Case.id == "b"))).rowcount == 1
        assert (await db.execute(changed.where(Case.id == "b").values(description="y"))).rowcount == 0
        await db.execute(changed.returning(Case.id))
        assert changed.entity is None and (await db.execute(changed)).rowcount == 1
        assert await db.scalars(select(Case.description)) == ["x"]


async def test_insert_takes_rows() -> None:
    async with async_session() as db:
        done = await db.execute(insert(Case), [{"id": "a", "title": "x"}, {"title": "y", "id": "b"}])
        assert done.rowcount == 2
        found = await db.scalars(insert(Case).values(description="z").returning(Case.id), {"id": "c", "title": "w"})
        assert found == ["c"]
        stored = await db.execute(select(Case.id, Case.title, Case.description).order_by(Case.id))
        assert stored.all() == [("a", "x", None), ("b", "y", None), ("c", "w", "z")]


@pytest.mark.parametrize(("statement", "parameters"), [
    (insert(Case), []), (insert(Case), [{"id": "a"}, {"title": "x"}]), (insert(Case), [1]),
    (update(Case).values(title="x"), {"title": "y"}), (delete(Case), [{"id": "a"}]), (select(Case), {"id": "a"}),
    ("SELECT :a", [{"a": 1}]), (text("SELECT :a"), ("a",)),
])
async def test_parameters_that_nothing_asks_for_are_refused(statement: object, parameters: object) -> None:
    async with async_session() as db:
        with pytest.raises(TypeError, match="parameters"):
            await db.execute(statement, parameters)


async def test_rows_are_taken_one_by_one() -> None:
    async with async_session() as db:
        answer = await db.execute("SELECT generate_series(1, 7) AS n")
        taken = []
        while (row := answer.fetchone()) is not None and row.n < 3:
            taken.append(row.n)
        assert taken == [1, 2] and answer.fetchmany(2) == [(4,), (5,)] and len(answer) == 2
        assert answer.first() == (6,) and answer.scalars() == [6, 7] and list(answer) == answer.all() == [(6,), (7,)]
        assert answer.fetchall() == [(6,), (7,)] and answer.fetchall() == [] and answer.fetchone() is None
        assert answer.first() is answer.scalar() is answer.one_or_none() is None
        db.add(case := Case(title="x"))
        objects = await db.execute(select(Case))
        assert objects.one().Case is objects.scalar() is case
        assert objects.fetchone() == (case,) and objects.fetchone() is None and objects.scalars() == []


async def test_a_row_may_have_any_name_and_be_kept() -> None:
    async with async_session() as db:
        row = (await db.execute("SELECT 3 AS count, 'a' AS index")).one()
        assert (row.count, row.index) == (3, "a")
        plain = (await db.execute("SELECT 3 AS a, 3 AS b")).one()
        assert (plain.count(3), plain.index(3)) == (2, 0)
        for again in (copy.copy(row), copy.deepcopy(row), pickle.loads(pickle.dumps(row))):
            assert again == row and again._asdict() == {"count": 3, "index": "a"} and type(again) is type(row)


async def test_rows_as_mappings() -> None:
    async with async_session() as db:
        rows = (await db.execute("SELECT n, n * n AS square FROM generate_series(1, 2) n")).mappings()
        assert rows.all() == [{"n": 1, "square": 1}, {"n": 2, "square": 4}] and rows.first() == {"n": 1, "square": 1}
        with pytest.raises(errors.ConflictError, match="there are 2"):
            rows.one()
        none = (await db.execute("SELECT 1 AS n WHERE false")).mappings()
        assert none.one_or_none() is none.first() is None and len(none) == 0
        with pytest.raises(errors.NotFoundError):
            none.one()
