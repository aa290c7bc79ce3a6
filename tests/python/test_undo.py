# SPDX-License-Identifier: MIT
"""What a rollback, a failed commit and a savepoint leave: rows that were read are still the session's, as they were."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest

from shared import errors
from shared.database import AsyncSession, async_session, select
from shared.models import Case, Document, DocumentPage
from shared.sync import session


@pytest.fixture(autouse=True)
def stored(pg: psycopg.Connection, empty: None) -> None:
    pg.execute("INSERT INTO documents (id, file_name) VALUES ('doc-1', 'a.pdf')")
    pg.execute("INSERT INTO cases (id, title) VALUES ('c0', 'old')")


def names(pg: psycopg.Connection) -> list[str]:
    return [row[0] for row in pg.execute("SELECT file_name FROM documents ORDER BY id")]


async def roll_back(db: AsyncSession) -> None:
    await db.rollback()


async def flush_and_roll_back(db: AsyncSession) -> None:
    await db.flush()
    await db.rollback()


async def fail_to_commit(db: AsyncSession) -> None:
    db.add(Case(id="c0", title="taken"))
    with pytest.raises(errors.ConflictError):
        await db.commit()


async def fail_to_commit_and_roll_back(db: AsyncSession) -> None:
    await fail_to_commit(db)
    await db.rollback()


@pytest.mark.parametrize("undo", [roll_back, flush_and_roll_back, fail_to_commit, fail_to_commit_and_roll_back])
async def test_a_row_that_was_read_is_written_after_an_undo(
        pg: psycopg.Connection, undo: Callable[[AsyncSession], Awaitable[None]]) -> None:
    """What a worker does: the work fails, the failure is stored."""
    async with async_session() as db:
        document = await db.get_one(Document, "doc-1")
        document.file_name = "b.pdf"
        await undo(db)
        assert document in db and document.file_name == "a.pdf" and db.dirty == []
        document.error = "why"
        assert await db.get(Document, "doc-1") is document
        await db.commit()
    assert pg.execute("SELECT file_name, error FROM documents").fetchall() == [("a.pdf", "why")]


def test_a_blocking_session_does_too(pg: psycopg.Connection) -> None:
    with session() as db:
        document = db.get_one(Document, "doc-1")
        db.rollback()
        document.file_name = "b.pdf"
        db.commit()
    assert names(pg) == ["b.pdf"]


async def test_after_an_undone_savepoint_what_was_read_is_written(pg: psycopg.Connection) -> None:
    async with async_session.begin() as db:
        document = await db.get_one(Document, "doc-1")
        document.content_type = "before"
        with pytest.raises(RuntimeError):
            async with db.begin_nested():
                document.content_type = "inside"
                document.file_name = "inside.pdf"
                await db.flush()
                document.file_name = "again.pdf"
                raise RuntimeError
        assert (document.content_type, document.file_name) == ("before", "a.pdf") and document in db
        document.error = "why"
    assert pg.execute("SELECT file_name, content_type, error FROM documents").fetchall() == [("a.pdf", "before", "why")]


async def test_a_released_savepoint_is_undone_with_its_transaction(pg: psycopg.Connection) -> None:
    async with async_session() as db:
        document = await db.get_one(Document, "doc-1")
        document.file_name = "b.pdf"
        async with db.begin_nested():
            document.file_name = "c.pdf"
            document.error = "c"
            async with db.begin_nested():
                document.file_name = "d.pdf"
        await db.rollback()
        assert (document.file_name, document.error) == ("a.pdf", None)
        await db.commit()
    assert names(pg) == ["a.pdf"]


async def test_what_was_added_is_nobodys_again_and_may_be_added_anew(pg: psycopg.Connection) -> None:
    async with async_session() as db:
        flushed, waiting = Case(id="c1", title="x"), Case(id="c2", title="x")
        db.add(flushed)
        await db.flush()
        flushed.description = "kept"
        db.add(waiting)
        await db.rollback()
        assert flushed not in db and waiting not in db and await db.get(Case, "c1") is None
        db.add(flushed)
        await db.commit()
    assert pg.execute("SELECT id, description FROM cases ORDER BY id").fetchall() == [("c0", None), ("c1", "kept")]


@pytest.mark.parametrize("flushed", [True, False])
async def test_what_was_deleted_is_there_again(pg: psycopg.Connection, flushed: bool) -> None:
    async with async_session() as db:
        document = await db.get_one(Document, "doc-1")
        await db.delete(document)
        if flushed:
            await db.flush()
            assert document not in db
        await db.rollback()
        assert document in db and db.deleted == [] and await db.get(Document, "doc-1") is document
        document.file_name = "b.pdf"
        await db.commit()
    assert names(pg) == ["b.pdf"]


async def test_a_deleted_key_that_was_given_anew_is_the_old_objects_again(pg: psycopg.Connection) -> None:
    async with async_session() as db:
        old = await db.get_one(Case, "c0")
        await db.delete(old)
        db.add(new := Case(id="c0", title="new"))
        await db.flush()
        assert await db.get(Case, "c0") is new
        await db.rollback()
        assert old in db and new not in db and await db.get(Case, "c0") is old


async def test_deleted_and_added_again_then_undone() -> None:
    async with async_session() as db:
        case = await db.get_one(Case, "c0")
        await db.delete(case)
        await db.flush()
        db.add(case)
        await db.flush()
        await db.rollback()
        assert case in db and await db.get(Case, "c0") is case
        db.add(new := Case(id="c1", title="x"))
        await db.flush()
        await db.delete(new)
        await db.flush()
        await db.rollback()
        assert new not in db and await db.get(Case, "c1") is None


async def test_what_was_read_in_an_undone_part_is_read_anew(pg: psycopg.Connection) -> None:
    """An object that showed what SQL had written would show it for ever."""
    async with async_session() as db:
        case = await db.get_one(Case, "c0")
        await db.execute("UPDATE cases SET title = 'undone'")
        await db.refresh(case)
        assert case.title == "undone"
        await db.rollback()
        assert (await db.get_one(Case, "c0")).title == case.title == "old"
        pg.execute("UPDATE cases SET title = 'theirs'")
        assert (await db.get_one(Case, "c0")).title == "old"  # once: one that the session has is not asked for again


async def test_a_row_that_is_gone_after_an_undo_is_gone(pg: psycopg.Connection) -> None:
    async with async_session() as db:
        await db.get_one(Case, "c0")
        await db.rollback()
        pg.execute("DELETE FROM cases")
        assert await db.get(Case, "c0") is None


async def test_refresh_watches_what_it_was_given(pg: psycopg.Connection) -> None:
    async with async_session() as db:
        document = await db.get_one(Document, "doc-1")
        db.expunge(document)
        pg.execute("UPDATE documents SET page_count = 7")
        await db.refresh(document)
        assert document in db and document.page_count == 7
        document.file_name = "b.pdf"
        await db.commit()
    assert names(pg) == ["b.pdf"]


async def test_refresh_refuses_what_it_cannot_watch() -> None:
    async with async_session() as db, async_session() as other:
        document = await db.get_one(Document, "doc-1")
        with pytest.raises(ValueError, match="another session"):
            await other.refresh(document)
        with pytest.raises(ValueError, match="another object than the session's own"):
            await db.refresh(Document(id="doc-1"))
        with pytest.raises(ValueError, match="another session"):
            await other.delete(document)
        missing = Document(id="doc-9")
        with pytest.raises(errors.NotFoundError, match="doc-9"):
            await db.refresh(missing)
        assert missing not in db


async def test_one_of_two_objects_with_a_key_is_deleted_or_expunged(pg: psycopg.Connection) -> None:
    async with async_session() as db:
        old = await db.get_one(Case, "c0")
        db.add(Case(id="c0", title="new"))
        await db.delete(old)
        assert [case.title for case in db.new] == ["new"] and db.deleted == [old]
        await db.commit()
        assert pg.execute("SELECT title FROM cases").fetchall() == [("new",)]
        kept = await db.get_one(Case, "c0")
        db.expunge(Case(id="c0"))
        assert kept in db and await db.get(Case, "c0") is kept
        await db.delete(Case(id="c0"))  # nobody's: it stands for its row
        assert db.deleted == [kept]
        await db.commit()
    assert pg.execute("SELECT count(*) FROM cases").fetchone() == (0,)


async def test_what_got_its_key_from_the_library_can_be_deleted_at_once() -> None:
    async with async_session.begin() as db:
        case = Case(title="x")
        db.add(case)
        async with db.begin_nested():
            await db.delete(case)
        assert await db.scalar("SELECT count(*) FROM cases") == 1


async def test_a_savepoint_writes_at_its_exit_and_fails_there(pg: psycopg.Connection) -> None:
    async with async_session.begin() as db:
        document = await db.get_one(Document, "doc-1")
        document.file_name = "b.pdf"
        taken = Case(id="c0", title="taken")
        with pytest.raises(errors.ConflictError):
            async with db.begin_nested():
                document.file_name = "c.pdf"
                db.add(taken)
        assert taken not in db and document.file_name == "b.pdf"
        document.error = "why"
    assert pg.execute("SELECT file_name, error FROM documents").fetchall() == [("b.pdf", "why")]
    assert pg.execute("SELECT title FROM cases").fetchall() == [("old",)]


async def test_a_savepoint_without_async_with_fails_at_its_commit() -> None:
    async with async_session.begin() as db:
        savepoint = await db.begin_nested()
        db.add(Case(id="c0", title="taken"))
        with pytest.raises(errors.ConflictError):
            await savepoint.commit()
        assert [case.title for case in await db.scalars(select(Case))] == ["old"]


async def test_what_comes_while_a_commit_is_under_way_is_kept(pg: psycopg.Connection) -> None:
    async with async_session() as db:
        document = await db.get_one(Document, "doc-1")
        document.error = "first"
        commit = asyncio.ensure_future(db.commit())
        await asyncio.sleep(0)
        document.file_name = "b.pdf"
        db.add(Case(id="c1", title="x"))
        await commit
        assert db.dirty == [document] and len(db.new) == 1
        await db.commit()
    assert names(pg) == ["b.pdf"] and pg.execute("SELECT count(*) FROM cases").fetchone() == (2,)


async def test_a_savepoint_that_is_over_changes_nothing() -> None:
    async with async_session() as db:
        savepoint = await db.begin_nested()
        await savepoint.commit()
        await db.commit()
        case = await db.get_one(Case, "c0")
        case.title = "new"
        with pytest.raises(errors.InvalidError):
            await savepoint.rollback()
        assert db.dirty == [case] and case.title == "new"


async def test_a_key_of_two_fields_survives_an_undo(pg: psycopg.Connection) -> None:
    pg.execute("INSERT INTO document_pages (document_id, page, text, source) VALUES ('doc-1', 1, 'a', 'text')")
    async with async_session() as db:
        page = await db.get_one(DocumentPage, ("doc-1", 1))
        await db.rollback()
        page.text = "b"
        assert await db.get(DocumentPage, ("doc-1", 1)) is page
        await db.commit()
    assert pg.execute("SELECT text FROM document_pages").fetchall() == [("b",)]
