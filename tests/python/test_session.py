# SPDX-License-Identifier: MIT
"""shared.database as the migration guide uses it."""

from __future__ import annotations

import asyncio
import datetime
import pickle
import tracemalloc

import psycopg
import pytest
from rows import document_with_chunks

from shared import errors
from shared.database import and_, async_session, delete, func, or_, select, text, update
from shared.models import Case, Document, DocumentChunk, DocumentPage


async def test_what_was_added_is_stored_and_shown(pg: psycopg.Connection) -> None:
    async with async_session() as db:
        case = Case(title="Smith v. Jones")
        document = Document(file_name="will.pdf")
        db.add(document)
        db.add(case)
        await db.commit()
        assert case.id and case.created_at.tzinfo is datetime.UTC
        assert document.extraction_status == "pending" and document.attempt == 0
    assert pg.execute("SELECT id, title FROM cases").fetchall() == [(case.id, "Smith v. Jones")]


async def test_only_what_changed_is_written(pg: psycopg.Connection) -> None:
    await document_with_chunks(0)
    async with async_session() as db:
        document = await db.get(Document, "doc-123")
        assert document is not None
        pg.execute("UPDATE documents SET page_count = 7")
        document.file_name = "Last will.pdf"
        await db.commit()
    assert pg.execute("SELECT file_name, page_count FROM documents").fetchall() == [("Last will.pdf", 7)]


async def test_nothing_is_stored_without_a_commit(pg: psycopg.Connection) -> None:
    async with async_session() as db:
        db.add(Case(id="case-1", title="x"))
        await db.flush()
        assert await db.scalar(select(func.count()).select_from(Case)) == 1
    async with async_session() as db:
        db.add(Case(id="case-1", title="x"))
        await db.rollback()
        await db.commit()
    assert pg.execute("SELECT count(*) FROM cases").fetchone() == (0,)


async def test_the_guides_query_counts_its_chunks() -> None:
    doc = await document_with_chunks(5)
    async with async_session() as db:
        chunks = await db.execute(select(DocumentChunk).where(DocumentChunk.document_id == doc.id))
        assert len(chunks.scalars()) == 5


async def test_conditions(pg: psycopg.Connection) -> None:
    await document_with_chunks(10)
    wanted = {
        3: DocumentChunk.chunk_index < 3,
        2: DocumentChunk.chunk_index.in_([1, 7, 99]),
        8: ~DocumentChunk.chunk_index.in_([1, 7]),
        4: or_(DocumentChunk.chunk_index <= 1, DocumentChunk.chunk_index >= 8),
        1: and_(DocumentChunk.chunk_index > 2, DocumentChunk.content == "text 3"),
        10: DocumentChunk.page_from == None,  # noqa: E711  SQLAlchemy's way to say IS NULL
        0: (DocumentChunk.page_from != None) & DocumentChunk.content.like("text%"),  # noqa: E711
        5: DocumentChunk.chunk_index.between(2, 6),
        9: DocumentChunk.chunk_index.not_in([4]),
    }
    async with async_session() as db:
        for count, condition in wanted.items():
            found = await db.scalars(select(DocumentChunk).where(condition))
            assert len(found) == count, condition


async def test_null_and_truth(pg: psycopg.Connection) -> None:
    await document_with_chunks(4)
    wanted = [(4, DocumentChunk.page_from.is_(None)), (0, DocumentChunk.page_from.is_not(None)),
              (2, (DocumentChunk.chunk_index < 2).is_(True)), (2, (DocumentChunk.chunk_index < 2).is_not(True)),
              (0, (DocumentChunk.page_from > 1).is_(False)), (4, DocumentChunk.content.ilike("TEXT%"))]
    async with async_session() as db:
        for count, condition in wanted:
            assert len(await db.scalars(select(DocumentChunk).where(condition))) == count, condition


async def test_each_question_to_an_answer() -> None:
    await document_with_chunks(3)
    async with async_session() as db:
        answer = await db.execute(select(DocumentChunk.chunk_index).order_by(DocumentChunk.chunk_index.asc()))
        assert [row["chunk_index"] for row in answer.mappings()] == [0, 1, 2] and len(answer) == 3
        first = answer.first()
        assert first is not None and first._asdict() == {"chunk_index": 0}
        with pytest.raises(errors.ConflictError, match="there are 3"):
            answer.scalar_one()
        none = await db.execute(select(DocumentChunk).where(DocumentChunk.chunk_index == 99))
        assert none.scalar_one_or_none() is None
        with pytest.raises(errors.NotFoundError):
            none.one()


async def test_a_session_knows_whether_it_is_in_a_transaction() -> None:
    async with async_session() as db:
        assert not db.in_transaction()
        db.add(Case(title="x"))
        assert db.in_transaction()
        await db.commit()
        assert not db.in_transaction()


async def test_values_are_bound_and_never_pasted(pg: psycopg.Connection) -> None:
    evil = "'; DROP TABLE documents; --"
    async with async_session() as db:
        db.add(Document(id=evil, file_name=evil))
        await db.commit()
        found = (await db.scalars(select(Document).where(Document.file_name == evil))).one()
        assert found.id == evil
        assert (await db.execute("SELECT :x::text", {"x": evil})).scalar() == evil


async def test_order_limit_and_columns() -> None:
    await document_with_chunks(5)
    async with async_session() as db:
        rows = (await db.execute(select(DocumentChunk.chunk_index, DocumentChunk.content)
                                 .order_by(DocumentChunk.chunk_index.desc()).limit(2).offset(1))).all()
        assert rows == [(3, "text 3"), (2, "text 2")]
        assert rows[0].content == "text 3" and rows[0]._mapping == {"chunk_index": 3, "content": "text 3"}


async def test_one_object_for_one_row() -> None:
    await document_with_chunks(1)
    async with async_session() as db:
        document = await db.get(Document, "doc-123")
        again = (await db.scalars(select(Document))).one()
        assert document is again is await db.get(Document, "doc-123")


async def test_update_delete_and_rows_touched(pg: psycopg.Connection) -> None:
    await document_with_chunks(5)
    async with async_session() as db:
        changed = await db.execute(update(DocumentChunk).where(DocumentChunk.chunk_index < 2).values(content="new"))
        assert changed.rowcount == 2
        gone = await db.execute(delete(DocumentChunk).where(DocumentChunk.content == "new")
                                .returning(DocumentChunk.chunk_index))
        assert sorted(gone.scalars()) == [0, 1]
        document = await db.get_one(Document, "doc-123")
        await db.delete(document)
        await db.commit()
    assert pg.execute("SELECT count(*) FROM document_chunks").fetchone() == (0,)


async def test_refresh_shows_what_others_wrote(pg: psycopg.Connection) -> None:
    await document_with_chunks(0)
    async with async_session() as db:
        document = await db.get_one(Document, "doc-123")
        pg.execute("UPDATE documents SET page_count = 7")
        document.file_name = "mine"
        await db.refresh(document)
        assert (document.page_count, document.file_name) == (7, "will.pdf")
        pg.execute("DELETE FROM documents")
        with pytest.raises(errors.NotFoundError, match="doc-123"):
            await db.refresh(document)


async def test_a_savepoint_undoes_its_own_part(pg: psycopg.Connection) -> None:
    await document_with_chunks(1)
    async with async_session() as db, db.begin():
        db.add(Case(id="case-1", title="before"))
        with pytest.raises(errors.ConflictError):
            async with db.begin_nested():
                db.add(DocumentChunk(document_id="doc-123", chunk_index=0, content="taken"))
                await db.flush()
        db.add(Case(id="case-2", title="after"))
    assert pg.execute("SELECT id FROM cases ORDER BY id").fetchall() == [("case-1",), ("case-2",)]


async def test_begin_rolls_back_at_an_exception(pg: psycopg.Connection) -> None:
    with pytest.raises(RuntimeError):
        async with async_session.begin() as db:
            db.add(Case(title="x"))
            raise RuntimeError
    async with async_session.begin() as db:
        db.add(Case(title="y"))
    assert pg.execute("SELECT title FROM cases").fetchall() == [("y",)]


async def test_a_row_is_locked_for_update(pg: psycopg.Connection) -> None:
    await document_with_chunks(0)
    async with async_session() as mine, async_session() as other:
        await mine.get(Document, "doc-123", with_for_update=True)
        found = await other.scalars(select(Document).with_for_update(skip_locked=True))
        assert found == []
        with pytest.raises(errors.RetryableError) as refused:
            await other.execute(select(Document).with_for_update(nowait=True))
        assert refused.value.sqlstate == "55P03"


async def test_stream_gives_every_row() -> None:
    await document_with_chunks(100)
    async with async_session() as db:
        seen = [chunk.chunk_index async for chunk in db.stream(
            select(DocumentChunk).order_by(DocumentChunk.chunk_index), rows=7)]
        assert seen == list(range(100))
        async for row in db.stream("SELECT g AS n, g * 2 AS twice FROM generate_series(1, 1000000) g"):
            assert row.twice == 2 * row.n
            if row.n == 10:
                break
        assert await db.scalar(text("SELECT 1")) == 1


async def test_a_slow_reader_of_a_stream_keeps_few_rows() -> None:
    """The server is asked for more only when the batch before is through, whatever else the loop does meanwhile."""
    rows = "SELECT g AS n, repeat('x', 1000) AS text FROM generate_series(1, 100000) g"
    async with async_session() as db, async_session() as other:
        tracemalloc.start()
        try:
            async for row in db.stream(rows, rows=100):
                if row.n % 1000 == 1:
                    assert await other.scalar(text("SELECT 1")) == 1
                if row.n == 50_000:
                    break
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()


async def test_a_stream_in_a_transaction_is_part_of_it() -> None:
    async with async_session() as db:
        db.add(Case(id="case-1", title="new"))
        assert [case.title async for case in db.stream(select(Case))] == ["new"]
        async for _ in db.stream("SELECT generate_series(1, 1000)", rows=10):
            break
        with pytest.raises(errors.InvalidError, match="rows: 0, from 1 to STREAM_ROWS_MAX = 10000"):
            await anext(aiter(db.stream(select(Case), rows=0)))
        await db.rollback()
        assert [case async for case in db.stream(select(Case))] == []


async def test_many_keys_in_their_order() -> None:
    async with async_session() as db:
        db.add_all(Case(id=f"case-{number}", title="x") for number in range(5))
        await db.commit()
        assert [case.id for case in await db.get_many(Case, ["case-3", "no", "case-1"])] == ["case-3", "case-1"]


async def test_a_key_of_two_fields() -> None:
    await document_with_chunks(0)
    async with async_session() as db:
        db.add(DocumentPage(document_id="doc-123", page=1, text="x", source="text"))
        await db.commit()
    async with async_session() as db:
        page = await db.get(DocumentPage, ("doc-123", 1))
        assert page is not None and page.text == "x"


async def test_calls_on_one_session_queue_up() -> None:
    await document_with_chunks(3)
    async with async_session() as db:
        found = await asyncio.gather(*(db.scalar(f"SELECT {number}") for number in range(50)))
        assert found == list(range(50))


async def test_bulk_and_single_rows_are_stored_alike(pg: psycopg.Connection) -> None:
    await document_with_chunks(1000)
    assert pg.execute("SELECT count(*), count(DISTINCT id) FROM document_chunks").fetchone() == (1000, 1000)


@pytest.mark.parametrize(("values", "words"), [
    ({"id": "", "file_name": "x"}, "id"),
    ({"file_name": "x" * 256}, "255"),
    ({"file_name": "x", "extraction_status": "done"}, "extraction_status"),
    ({"file_name": "x", "page_count": -1}, "page_count"),
    ({"file_name": None}, "file_name"),
])
async def test_a_broken_rule_names_its_field(values: dict[str, object], words: str) -> None:
    async with async_session() as db:
        db.add(Document(**values))  # type: ignore[arg-type]
        with pytest.raises(errors.SchemaError, match=words) as refused:
            await db.commit()
        assert refused.value.failures[0]["loc"]


async def test_errors_say_all_there_is() -> None:
    await document_with_chunks(0)
    async with async_session() as db:
        db.add(Document(id="doc-123", file_name="x"))
        with pytest.raises(errors.ConflictError) as refused:
            await db.commit()
        error = refused.value
        assert (error.sqlstate, error.domain, error.retryable) == ("23505", "postgres", False)
        assert "already exists" in error.detail and error.operation == "shared_session_commit"
        assert isinstance(error, errors.PermanentError)
        copy = pickle.loads(pickle.dumps(error))
        assert (copy.sqlstate, str(copy)) == (error.sqlstate, str(error))


@pytest.mark.parametrize(("wrong", "kind"), [
    (lambda: Document(file="x"), TypeError),
    (lambda: Document(id="x").no_such, AttributeError),
    (lambda: bool(Document.id == "x"), TypeError),
    (lambda: select(Document).filter_by(no_such=1), AttributeError),
    (lambda: select(), TypeError),
])
def test_mistakes_are_named(wrong: object, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        wrong()  # type: ignore[operator]


@pytest.mark.parametrize(("value", "kind"), [
    ("a\0b", errors.SharedError), ("\ud800", UnicodeEncodeError), (2**63, OverflowError),
    (datetime.datetime(2026, 1, 1), ValueError), (object(), TypeError),
])
async def test_what_cannot_be_bound_is_refused(value: object, kind: type[Exception]) -> None:
    async with async_session() as db:
        with pytest.raises(kind):
            await db.execute("SELECT :x", {"x": value})
        assert await db.scalar("SELECT 1") == 1


async def test_a_closed_session_says_so() -> None:
    async with async_session() as db:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        await db.get(Case, "x")


async def test_a_flush_shows_the_key(pg: psycopg.Connection) -> None:
    """Before the commit: what else is of it can be added."""
    async with async_session() as db:
        document = Document(file_name="will.pdf")
        db.add(document)
        await db.flush()
        assert document.id
        db.add(DocumentChunk(document_id=document.id, chunk_index=0, content="x"))
        await db.commit()
    assert pg.execute("SELECT document_id FROM document_chunks").fetchall() == [(document.id,)]


# --- what changes between a flush and the commit ----------------------------------------------------------------------


async def test_a_change_after_a_flush_is_written() -> None:
    """It was lost: only what a commit had stored was watched."""
    async with async_session() as db:
        document = Document(id="doc-123", file_name="a.pdf")
        db.add(document)
        await db.flush()
        document.file_name = "b.pdf"
        assert db.dirty == [document]
        await db.commit()
    async with async_session() as db:
        assert (await db.get_one(Document, "doc-123")).file_name == "b.pdf"


@pytest.mark.parametrize("how", ["flush", "get", "select", "get_many"])
async def test_what_was_flushed_is_the_same_object(how: str) -> None:
    async with async_session() as db:
        document = Document(id="doc-123", file_name="a.pdf")
        db.add(document)
        match how:
            case "flush":
                await db.flush()
            case "get":
                await db.get(Document, "no")
            case "get_many":
                await db.get_many(Document, ["no"])
            case "select":
                assert (await db.scalars(select(Document))).one() is document
        assert await db.get(Document, "doc-123") is document
        assert (await db.scalars(select(Document))).one() is document
        await db.rollback()
        assert await db.get(Document, "doc-123") is None


async def test_an_id_of_the_library_is_known_after_a_flush() -> None:
    async with async_session() as db:
        document = Document(file_name="a.pdf")
        db.add(document)
        async with db.begin_nested():
            document.file_name = "b.pdf"
        await db.flush()
        assert document.id and await db.get(Document, document.id) is document
        await db.commit()
        assert await db.scalar("SELECT file_name FROM documents") == "b.pdf"


async def test_added_flushed_deleted_is_gone() -> None:
    async with async_session() as db:
        document = Document(id="doc-123", file_name="a.pdf")
        db.add(document)
        await db.flush()
        await db.delete(document)
        await db.commit()
        assert await db.get(Document, "doc-123") is None


async def test_a_savepoint_undone_forgets_what_it_stored() -> None:
    async with async_session.begin() as db:
        case = Case(id="case-1", title="x")
        with pytest.raises(RuntimeError, match="no"):
            async with db.begin_nested():
                db.add(case)
                await db.flush()
                raise RuntimeError("no")
        assert case not in db
        assert await db.get(Case, "case-1") is None


async def test_one_change_that_is_refused_keeps_the_others() -> None:
    async with async_session() as db:
        db.add_all(Document(id=f"doc-{n}", file_name="a.pdf") for n in range(3))
        await db.commit()
        first, second, third = [await db.get_one(Document, f"doc-{n}") for n in range(3)]
        first.file_name, second.file_name, third.file_name = "b.pdf", "", "d.pdf"
        with pytest.raises(errors.SharedError, match="file_name"):
            await db.flush()
        assert second in db.dirty and third in db.dirty
        second.file_name = "c.pdf"
        await db.commit()
        assert (await db.scalars("SELECT file_name FROM documents ORDER BY id")).all() == ["b.pdf", "c.pdf", "d.pdf"]


async def test_what_a_session_has_forgotten_is_a_value() -> None:
    async with async_session() as db:
        document = Document(id="doc-123", file_name="a.pdf")
        db.add(document)
        await db.commit()
        document.file_name = "other.pdf"
        db.expunge(document)
        assert document not in db and db.dirty == []
        document.id = "doc-124"
        db.add(document)
        await db.commit()
    async with async_session() as db:
        assert [item.file_name for item in await db.scalars(select(Document).order_by(Document.id))] == [
            "a.pdf", "other.pdf"]


async def test_a_time_can_be_given() -> None:
    """To a field, and not only to a condition."""
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    async with async_session() as db:
        db.add(Case(id="case-1", title="x", created_at=moment))
        await db.commit()
    async with async_session() as db:
        case = await db.get_one(Case, "case-1")
        assert case.created_at == moment
        case.created_at = datetime.datetime(1969, 12, 31, tzinfo=datetime.UTC)
        await db.commit()
        assert await db.scalar("SELECT created_at = '1969-12-31Z' FROM cases")


@pytest.mark.parametrize("before", ["UPDATE cases SET title = 'y'", "SELECT 1", None])
async def test_a_savepoint_in_a_transaction_of_sql(before: str | None) -> None:
    async with async_session() as db:
        db.add(Case(id="case-1", title="x"))
        await db.commit()
        assert not db.in_transaction()
        if before:
            await db.execute(before)
        else:
            await db.delete(await db.get_one(Case, "case-1"))
            await db.flush()
        assert db.in_transaction()
        with pytest.raises(errors.ConflictError):
            async with db.begin_nested():
                await db.execute("INSERT INTO cases (id, title) VALUES ('case-2', 'z'), ('case-2', 'z')")
        await db.commit()
        left = {"UPDATE cases SET title = 'y'": ["y"], "SELECT 1": ["x"], None: []}[before]
        assert await db.scalars("SELECT title FROM cases") == left


async def test_a_long_session_stays_small() -> None:
    async with async_session() as db:
        kept = Case(id="kept", title="x")
        db.add(kept)
        await db.commit()
        for number in range(300):
            case = Case(id=f"case-{number}", title="x")
            db.add(case)
            await db.commit()
            await db.delete(case)
            await db.commit()
        assert len(db._unit.watches) < 100
        kept.title = "y"
        assert db.dirty == [kept] and await db.get(Case, "kept") is kept
        for _ in range(300):
            kept.title = "z"
            db.add(Case(title="x"))
            await db.flush()
            await db.rollback()
        assert len(db._unit.watches) < 100 and len(db._unit.levels) == 1
        assert kept in db and kept.title == "x"
