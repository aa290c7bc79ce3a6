# SPDX-License-Identifier: MIT
"""The task against real servers. In a running loop it is a coroutine as any other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from lib.progress import ProgressStream
from lib.redis import redis_client
from shared.celery import SOFT_LIMIT
from shared.database import async_session, select
from shared.errors import PermanentError
from shared.models import Document, DocumentChunk
from workers import document_extraction
from workers.document_extraction import extract_text_from_document

Stored = Callable[[bytes], Awaitable[Document]]


async def test_a_text_becomes_chunks(stored: Stored) -> None:
    document = await stored(b"First page.\fSecond page.")
    wanted = {"document_id": document.id, "extraction_status": "completed", "page_count": 2, "pages_failed": 0,
              "chunk_count": 1}
    assert await extract_text_from_document({"document_id": document.id}) == wanted
    assert await extract_text_from_document({"document_id": document.id}) == wanted  # not read again
    async with async_session() as db:
        chunks = await db.execute(select(DocumentChunk).where(DocumentChunk.document_id == document.id))
        assert [chunk.content for chunk in chunks.scalars()] == ["First page.\fSecond page."]
        stored_now = await db.get_one(Document, document.id)
        assert (stored_now.extraction_status, stored_now.attempt) == ("completed", 1)


async def test_a_file_that_cannot_be_read_fails_for_good(stored: Stored) -> None:
    document = await stored(b"PK\x03\x04" + bytes(60))
    with pytest.raises(PermanentError, match="ZIP"):
        await extract_text_from_document({"document_id": document.id})
    async with async_session() as db:
        row = await db.get_one(Document, document.id)
        assert (row.extraction_status, row.error_class, row.error_code) == ("failed", "permanent", "type_unsupported")


@pytest.mark.parametrize(("word", "status", "code", "told"), [
    (SOFT_LIMIT, "failed", "total_timeout", ("failed", "Reading this document took longer than is allowed.")),
    ("the worker's end", "pending", "internal", None),
])
async def test_a_run_that_is_cancelled_says_so(stored: Stored, monkeypatch: pytest.MonkeyPatch, word: str, status: str,
                                               code: str, told: tuple[str, str] | None) -> None:
    reading = asyncio.Event()

    async def read_slowly(*_: object) -> AsyncIterator[object]:
        reading.set()
        yield await asyncio.Event().wait()
    monkeypatch.setattr(document_extraction, "read_pages", read_slowly)
    document = await stored(b"One page.")
    task = asyncio.ensure_future(extract_text_from_document({"document_id": document.id}))
    await reading.wait()
    task.cancel(word)
    with pytest.raises(asyncio.CancelledError):
        await task
    async with async_session() as db:
        row = await db.get_one(Document, document.id)
        assert (row.extraction_status, row.error_code) == (status, code)
    if told:
        assert await last_message(document.id) == told


async def test_a_fault_of_the_program_fails_it_and_is_raised(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read_wrongly(*_: object) -> AsyncIterator[object]:
        yield {}["secret"]
    monkeypatch.setattr(document_extraction, "read_pages", read_wrongly)
    document = await stored(b"One page.")
    with pytest.raises(KeyError):
        await extract_text_from_document({"document_id": document.id})
    sentence = "The document could not be read because of a fault on our side."
    async with async_session() as db:
        row = await db.get_one(Document, document.id)
        assert (row.extraction_status, row.error_code, row.error) == ("failed", "internal", sentence)
    assert await last_message(document.id) == ("failed", sentence)


async def last_message(document_id: str) -> tuple[str, str]:
    messages = [message async for message in ProgressStream(redis_client).watch(document_id)]  # ends with the final one
    return messages[-1]["step"], messages[-1]["message"]


async def test_a_document_that_is_not_there_fails_for_good() -> None:
    with pytest.raises(PermanentError, match="nosuch not found"):
        await extract_text_from_document({"document_id": "nosuch"})


@pytest.mark.parametrize("payload", [{}, {"document_id": 7}, None])
async def test_a_payload_without_a_document_fails_for_good(payload: object) -> None:
    with pytest.raises(PermanentError, match="names no document"):
        await extract_text_from_document(payload)
