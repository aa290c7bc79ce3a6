# SPDX-License-Identifier: MIT
"""SQLAlchemy's statements on our sessions, and its engines on our connections."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared import errors
from shared.database import async_session
from shared.models import Case, Document, DocumentChunk


async def stored(count: int) -> None:
    async with async_session() as db:
        db.add(Document(id="doc-1", file_name="will.pdf"))
        db.add_all(DocumentChunk(document_id="doc-1", chunk_index=index, content=f"text {index}")
                   for index in range(count))
        await db.commit()


# --- their statements on our sessions ---------------------------------------------------------------------------------


def test_shared_needs_no_sqlalchemy() -> None:
    code = ("import sys; sys.modules['sqlalchemy'] = None; import shared.database, shared.models, shared.sync;"
            "print(shared.database.select(shared.models.Case).compile()[0][:6])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "SELECT\n"


async def test_select_gives_objects_of_ours() -> None:
    await stored(3)
    async with async_session() as db:
        chunks = await db.scalars(sa.select(DocumentChunk).where(DocumentChunk.document_id == "doc-1")
                                  .order_by(DocumentChunk.chunk_index.desc()))
        assert [chunk.chunk_index for chunk in chunks] == [2, 1, 0]
        assert isinstance(chunks[0], DocumentChunk)
        document = await db.get(Document, "doc-1")
        assert (await db.scalars(sa.select(Document))).one() is document
        assert document is not None and document.created_at.tzinfo is not None


async def test_conditions_of_ours_in_their_statements() -> None:
    await stored(10)
    wanted = {
        3: DocumentChunk.chunk_index < 3,
        2: DocumentChunk.chunk_index.in_([1, 7, 99]),
        8: ~DocumentChunk.chunk_index.in_([1, 7]),
        4: (DocumentChunk.chunk_index <= 1) | (DocumentChunk.chunk_index >= 8),
        10: DocumentChunk.page_from == None,  # noqa: E711
        1: (DocumentChunk.chunk_index == 3) & DocumentChunk.content.like("text%"),
        5: DocumentChunk.chunk_index.between(2, 6),
    }
    async with async_session() as db:
        for count, condition in wanted.items():
            found = await db.scalars(sa.select(DocumentChunk).where(condition))
            assert len(found) == count, condition
        both = sa.select(DocumentChunk).where(sa.or_(DocumentChunk.chunk_index == 1,
                                                     sa.not_(DocumentChunk.chunk_index < 9)))
        assert len(await db.scalars(both)) == 2


async def test_functions_joins_and_columns() -> None:
    await stored(3)
    async with async_session() as db:
        assert await db.scalar(sa.select(sa.func.count()).select_from(DocumentChunk)) == 3
        joined = (sa.select(Document.id, sa.func.max(DocumentChunk.chunk_index).label("last"))
                  .join(DocumentChunk, DocumentChunk.document_id == Document.id).group_by(Document.id))
        row = (await db.execute(joined)).one()
        assert (row.id, row.last) == ("doc-1", 2)
        table = sa.inspect(Document, raiseerr=False)
        assert table is None  # no mapped class: SQLAlchemy takes it for its table


async def test_their_in_and_limit() -> None:
    await stored(100)
    async with async_session() as db:
        wanted = sa.column("chunk_index").in_(list(range(0, 200, 2)))
        found = await db.scalars(sa.select(DocumentChunk).where(wanted).limit(7).offset(1))
        assert len(found) == 7


async def test_changes_by_their_statements(pg: psycopg.Connection) -> None:
    await stored(3)
    async with async_session() as db:
        done = await db.execute(sa.update(DocumentChunk).where(DocumentChunk.chunk_index < 2).values(content="new"))
        assert done.rowcount == 2
        gone = await db.execute(sa.delete(DocumentChunk).where(DocumentChunk.content == "new")
                                .returning(DocumentChunk.chunk_index))
        assert sorted(gone.scalars()) == [0, 1]
        await db.execute(sa.insert(Case), [{"id": "case-1", "title": "a"}, {"id": "case-2", "title": "b"}])
        case = (await db.scalars(sa.insert(Case).values(id="case-3", title="c").returning(Case))).one()
        assert isinstance(case, Case) and case.title == "c"
        await db.commit()
    assert pg.execute("SELECT count(*) FROM cases").fetchone() == (3,)


async def test_their_text_and_types() -> None:
    now = datetime.datetime.now(datetime.UTC)
    ident = uuid.uuid4()
    async with async_session() as db:
        row = (await db.execute(sa.text("SELECT CAST(:id AS uuid) AS id, CAST(:day AS date) AS day"),
                                {"id": ident, "day": now.date()})).one()
        assert row == (ident, now.date())
        assert await db.scalar(sa.select(sa.literal(decimal.Decimal("1.50")))) == decimal.Decimal("1.50")
        with pytest.raises(TypeError, match="dict"):
            await db.execute(sa.text("SELECT 1"), [1])


async def test_statements_are_compiled_once() -> None:
    from shared.sqlalchemy import _compiled
    await stored(1)
    async with async_session() as db:
        counts = set()
        for index in range(5):
            await db.scalars(sa.select(DocumentChunk).where(DocumentChunk.chunk_index == index))
            counts.add(len(_compiled))
        assert len(counts) == 1


# --- their engines on our connections ---------------------------------------------------------------------------------


@pytest.fixture
async def engine() -> AsyncIterator[AsyncEngine]:
    made = create_async_engine("postgresql+shared://")
    yield made
    await made.dispose()


async def test_an_engine_without_a_url_has_our_connections(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        assert (await connection.execute(sa.text("SELECT 1 AS one WHERE false"))).keys() == ["one"]
        assert await connection.scalar(sa.text("SELECT count(*) FROM cases")) == 0


async def test_a_pool_that_tells_what_it_does_can_connect() -> None:
    engine = create_async_engine("postgresql+shared://", echo_pool="debug")
    async with engine.connect() as connection:
        assert await connection.scalar(sa.text("SELECT 1")) == 1
        raw = (await connection.get_raw_connection()).driver_connection
        assert repr(raw).startswith("<shared.dialect.Connection at 0x") and "closed" not in repr(raw)
    assert repr(raw).endswith(", closed>")
    await engine.dispose()


async def test_errors_have_their_class_and_state(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        for sql, kind, state in (("SELECT * FROM no_such", sa.exc.ProgrammingError, "42P01"),
                                 ("SELECT 1/0", sa.exc.DataError, "22012"),
                                 ("INSERT INTO cases (id) VALUES ('x')", sa.exc.IntegrityError, "23502")):
            with pytest.raises(kind) as refused:
                await connection.execute(sa.text(sql))
            assert refused.value.orig.sqlstate == state  # type: ignore[union-attr]
            assert isinstance(refused.value.orig.__cause__, errors.SharedError)  # type: ignore[union-attr]
            await connection.rollback()


async def test_a_transaction_is_one(engine: AsyncEngine, pg: psycopg.Connection) -> None:
    async with engine.begin() as connection:
        await connection.execute(sa.insert(Case).values(id="case-1", title="x"))
        with pytest.raises(sa.exc.IntegrityError):
            async with connection.begin_nested():
                await connection.execute(sa.insert(Case).values(id="case-1", title="y"))
        assert pg.execute("SELECT count(*) FROM cases").fetchone() == (0,)
    assert pg.execute("SELECT count(*) FROM cases").fetchone() == (1,)


async def test_autocommit_and_what_no_transaction_takes(engine: AsyncEngine, pg: psycopg.Connection) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(sa.insert(Case).values(id="case-1", title="x"))
        assert pg.execute("SELECT count(*) FROM cases").fetchone() == (1,)
        await connection.execute(sa.text("VACUUM cases"))
        await connection.execute(sa.text("SET application_name = 'kept'"))
        assert await connection.scalar(sa.text("SHOW application_name")) == "kept"
        await connection.execute(sa.text("RESET application_name"))


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
async def test_levels(engine: AsyncEngine, level: str) -> None:
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level=level)
        shown = await connection.scalar(sa.text("SHOW transaction_isolation"))
        assert shown.upper() == level


async def test_a_connection_keeps_what_is_its_own(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(sa.text("CREATE TEMP TABLE mine (x int)"))
        await connection.commit()
        with pytest.raises(sa.exc.DataError):
            await connection.execute(sa.text("SELECT 1/0"))
        await connection.rollback()
        assert await connection.scalar(sa.text("SELECT count(*) FROM mine")) == 0
        await connection.execute(sa.text("DROP TABLE mine"))
        await connection.commit()


async def test_many_rows_stream_and_many_values_bind(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        rows = await connection.stream(sa.text("SELECT g FROM generate_series(1, 1000) g"))
        assert [row.g async for row in rows] == list(range(1, 1001))
        numbers = list(range(5000))
        assert await connection.scalar(sa.select(sa.func.count()).where(sa.literal(7).in_(numbers))) == 1


async def test_loops_one_after_the_other_and_fifty_at_once() -> None:
    engine = create_async_engine("postgresql+shared://")

    async def one(number: int) -> int:
        async with engine.connect() as connection:
            return int(await connection.scalar(sa.select(sa.literal(number))))

    assert await asyncio.gather(*map(one, range(50))) == list(range(50))
    assert await asyncio.to_thread(lambda: asyncio.run(one(7))) == 7
