# SPDX-License-Identifier: MIT
"""The task against real servers. In a running loop it is a coroutine as any other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from shared.database import async_session, select
from shared.errors import PermanentError
from shared.models import Document, DocumentChunk
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


async def test_a_document_that_is_not_there_fails_for_good() -> None:
    with pytest.raises(PermanentError, match="nosuch not found"):
        await extract_text_from_document({"document_id": "nosuch"})


@pytest.mark.parametrize("payload", [{}, {"document_id": 7}, None])
async def test_a_payload_without_a_document_fails_for_good(payload: object) -> None:
    with pytest.raises(PermanentError, match="names no document"):
        await extract_text_from_document(payload)
