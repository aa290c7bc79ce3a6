# SPDX-License-Identifier: MIT
"""Rows that tests of sessions and statements read."""

from __future__ import annotations

from shared.database import async_session
from shared.models import Document, DocumentChunk


async def document_with_chunks(count: int) -> Document:
    async with async_session() as db:
        document = Document(id="doc-123", file_name="will.pdf")
        db.add(document)
        db.add_all(DocumentChunk(document_id="doc-123", chunk_index=index, content=f"text {index}")
                   for index in range(count))
        await db.commit()
        return document
