# SPDX-License-Identifier: MIT
"""Nothing that Python can pass ends the interpreter: each mistake is an exception that names the thing, and the session
works on."""

from __future__ import annotations

import ast
import asyncio
import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared import errors, native, sync
from shared.client import Client, client_of_loop
from shared.database import async_session, insert, select, text, update
from shared.models import Case, Document
from shared.progress import ProgressPublisher

EVIL = ["'; DROP TABLE documents; --", '" OR "1"="1', "$1", ":name", "%s", "\\'; --", "{}", "\\x00",
        "\u202e", "\U0001f600"]
MEGABYTES_100 = 100 * 1024 * 1024


@pytest.mark.parametrize("evil", EVIL)
async def test_values_reach_the_table_as_they_are(evil: str, pg: psycopg.Connection) -> None:
    async with async_session() as db:
        db.add(Case(id=evil, title=evil))
        await db.commit()
        await db.execute(insert(Document).values(id=evil, file_name=evil))
        await db.execute(update(Document).where(Document.id == evil).values(file_name=evil + "!"))
        assert (await db.scalars(select(Case).where(Case.title.in_([evil])))).one().id == evil
        assert await db.scalar(select(Document.file_name).where(Document.id == evil)) == evil + "!"
        assert await db.scalar(text("SELECT :value::text"), {"value": evil}) == evil
        await db.commit()
    assert pg.execute("SELECT id, title FROM cases").fetchall() == [(evil, evil)]


@pytest.mark.parametrize(("field", "value", "kind", "words"), [
    ("file_name", "a\0b", errors.SharedError, "file_name"),
    ("file_name", "\ud800", UnicodeEncodeError, "surrogates"),
    ("file_name", 7, errors.SharedError, "file_name"),
    ("file_name", b"x", TypeError, "bytes"),
    ("file_name", object(), TypeError, "object"),
    ("file_name", ["x"], TypeError, "list"),
    ("page_count", "many", errors.SharedError, "page_count"),
    ("page_count", 2**63, OverflowError, "page_count"),
    ("page_count", 2**31, errors.SharedError, "page_count"),
    ("page_count", 1.5, TypeError, "float"),
    ("created_at", datetime.datetime(2026, 1, 1), ValueError, "without a zone"),
    ("created_at", "yesterday", errors.SharedError, "created_at"),
])
async def test_a_field_that_cannot_be_names_itself(field: str, value: object, kind: type[Exception], words: str,
                                                   pg: psycopg.Connection) -> None:
    async with async_session() as db:
        db.add(Document(**({"id": "doc-1", "file_name": "x"} | {field: value})))
        with pytest.raises(kind, match=words or None):
            await db.commit()
        assert await db.scalar("SELECT 1") == 1
    assert pg.execute("SELECT count(*) FROM documents").fetchone() == (0,)


async def test_one_bad_object_takes_no_other_along(pg: psycopg.Connection) -> None:
    """A flush that fails leaves everything as it was: what is bad goes, the rest is stored."""
    async with async_session() as db:
        bad = Case(id="case-2", title=object())  # type: ignore[arg-type]
        db.add_all([Case(id="case-1", title="x"), bad, Case(id="case-3", title="z")])
        for _ in range(2):
            with pytest.raises(TypeError, match="object"):
                await db.flush()
        db.expunge(bad)
        await db.commit()
    assert pg.execute("SELECT id FROM cases ORDER BY id").fetchall() == [("case-1",), ("case-3",)]


@pytest.mark.parametrize("sql", [
    "SELECT 'infinity'::date", "SELECT '4713-01-01 BC'::date", "SELECT '10000-01-01'::date"])
async def test_an_answer_that_python_cannot_hold_harms_no_other(sql: str) -> None:
    async with async_session() as db, async_session() as other:
        answers = await asyncio.gather(db.scalar(sql), other.scalar("SELECT 1"), return_exceptions=True)
        assert answers[1] == 1
        assert isinstance(answers[0], (ValueError, str, datetime.date))
        assert client_of_loop().unheard == 0


@pytest.mark.parametrize(("use", "kind", "words"), [
    (lambda db: db.add(None), TypeError, "NoneType"),
    (lambda db: db.add(Case), TypeError, "ModelMeta"),
    (lambda db: db.add_all([1]), TypeError, "int"),
    (lambda db: select(Document).where("id = 1"), TypeError, "condition"),
    (lambda db: select(Document).where(Document.no_such == 1), AttributeError, "no_such"),
    (lambda db: select(Document).filter_by(no_such=1), AttributeError, "no_such"),
    (lambda db: insert(Document).values(no_such=1), AttributeError, "no_such"),
    (lambda db: select(Document).limit("x; DROP TABLE cases").compile(), ValueError, "DROP"),
    (lambda db: db.begin("chaos").__aenter__().send(None), ValueError, "chaos"),
])
async def test_a_mistake_is_named(use: Any, kind: type[Exception], words: str) -> None:
    async with async_session() as db:
        with pytest.raises(kind, match=words or None):
            use(db)


@pytest.mark.parametrize(("ask", "kind", "words"), [
    (lambda db: db.get(Case, ("a", "b")), ValueError, "key of a Case"),
    (lambda db: db.get(Case, 7), TypeError, ""),
    (lambda db: db.get(Case, b"x"), TypeError, ""),
    (lambda db: db.get(Case, "\ud800"), UnicodeEncodeError, ""),
    (lambda db: db.get(Case, "a\0b"), ValueError, "NUL"),
    (lambda db: db.get_many(Case, [None, 1]), TypeError, ""),
    (lambda db: db.get_many(Case, 7), TypeError, ""),
    (lambda db: db.execute("SELECT \0"), ValueError, "NUL"),
    (lambda db: db.execute("SELECT :a, :b", {"a": "1"}), KeyError, "b"),
    (lambda db: db.execute("SELECT :x::int[]", {"x": [1, "2"]}), TypeError, ""),
    (lambda db: db.execute("SELECT :x::int[]", {"x": [1, 2**70]}), OverflowError, "entry"),
    (lambda db: db.execute("SELECT :x::bigint", {"x": -2**63 - 1}), OverflowError, "64 bits"),
    (lambda db: db.execute("SELECT :x", {"x": {"a": object()}}), TypeError, "object"),
    (lambda db: db.execute("SELECT 1; SELECT 2"), errors.SharedError, ""),
    (lambda db: db.execute(""), errors.SharedError, ""),
])
async def test_a_question_that_cannot_be_asked(ask: Any, kind: type[Exception], words: str) -> None:
    async with async_session() as db:
        with pytest.raises(kind, match=words or None):
            await ask(db)
    async with async_session() as db:
        assert await db.scalar("SELECT 1") == 1


@pytest.mark.parametrize(("document", "progress", "step", "message", "kind"), [
    (None, 1, "starting", "x", (errors.SharedError, TypeError, ValueError)),
    ("doc-1", "1", "starting", "x", TypeError),
    ("doc-1", 101, "starting", "x", errors.SharedError),
    ("doc-1", 2**40, "starting", "x", OverflowError),
    ("doc-1", 1, "dancing", "x", errors.SharedError),
    ("doc-1", 1, "starting", "\ud800", UnicodeEncodeError),
    ("doc-1", 1, "starting", "a\0b", ValueError),
])
async def test_a_message_that_cannot_be_sent(document: Any, progress: Any, step: str, message: str, kind: Any) -> None:
    publisher = ProgressPublisher()
    with pytest.raises(kind):
        await publisher.publish_progress(document, progress, step, message)
        await publisher.flush()
        await publisher.publish_progress("doc-1", 1, "starting", "x")


async def test_100_megabytes_go_through_or_are_refused() -> None:
    async with async_session() as db:
        assert await db.scalar("SELECT length(:x::text)", {"x": "x" * MEGABYTES_100}) == MEGABYTES_100
        assert await db.scalar("SELECT length(:x::bytea)", {"x": bytes(MEGABYTES_100)}) == MEGABYTES_100
        db.add(Case(title="x" * MEGABYTES_100))
        with pytest.raises(errors.SchemaError, match="title"):
            await db.commit()


STUB = ast.parse(Path(native.__file__).with_suffix(".pyi").read_text())
FUNCTIONS = {item.name: len(item.args.args) for item in STUB.body
             if isinstance(item, ast.FunctionDef) and item.name != "setup"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_of_the_flat_layer_crashes(name: str) -> None:
    """None, numbers, texts and foreign handles in every place: an exception, or an answer."""
    function = getattr(native, name)
    with pytest.raises(TypeError):
        function(*[None] * (FUNCTIONS[name] + 1))
    count = FUNCTIONS[name]
    config = native.config_from_env()
    for value in (None, 0, -1, 2**63, 2**64, "x", "\ud800", "a\0b", b"x", [], {}, object(), config, 1.5):
        for arguments in ([value] * count, [config] + [value] * (count - 1)):
            if name in ("log_capture", "client_dispatch", "client_wait") or not count:
                continue
            try:
                function(*arguments[:count])
            except Exception as error:
                assert str(error), name  # noqa: PT017


def test_a_freed_handle_is_refused() -> None:
    client = native.client_new(native.config_from_env())
    session = native.session_new(client)
    native.handle_close(session)
    for _ in range(2):
        with pytest.raises(ValueError, match="session_flush: the handle is None or closed"):
            native.session_flush(session, 1)
    other = native.session_new(client)
    native.handle_close(client)
    with pytest.raises(errors.InvalidError, match="client"):
        native.session_flush(other, 1)
    with pytest.raises(ValueError, match="client_fd"):
        native.client_fd(client)
    with pytest.raises(TypeError, match="handle_close"):
        native.handle_close(7)


async def test_a_setting_that_is_none_is_named() -> None:
    with pytest.raises(errors.InvalidError, match="NO_SUCH"):
        Client({"NO_SUCH": 1})
    with pytest.raises(errors.InvalidError, match="POOL_SHARED"):
        Client({"POOL_SHARED": "many"})


def test_the_blocking_session_refuses_the_same() -> None:
    with sync.session() as db:
        with pytest.raises(OverflowError):
            db.execute("SELECT :x", {"x": 2**64})
        with pytest.raises(TypeError):
            db.add(None)  # type: ignore[arg-type]
        assert db.scalar("SELECT 1") == 1
    with pytest.raises(RuntimeError, match="closed"):
        db.scalar("SELECT 1")
