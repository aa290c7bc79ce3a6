# SPDX-License-Identifier: MIT
"""Documents: uploaded, read, watched, as lex-intel-backend does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import PurePath
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Header, HTTPException, Query, Response, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from app.database import async_session, select
from app.models import Document, DocumentChunk
from app.uploads import received
from lib.progress import ProgressStream
from lib.redis import redis_client
from shared import schemas
from shared.errors import ConflictError, SharedError

router = APIRouter(tags=["documents"])
# A proxy that collects or squeezes the answer would keep the messages.
AS_IT_COMES = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
ANSWER_S = 1.0  # nothing new so long: the stream is opened, and waits
Word = Annotated[str | None, Form(min_length=1, max_length=255)]


def name_of(file: UploadFile) -> str:
    """What the client said, without a path."""
    return PurePath((file.filename or "").replace("\\", "/")).name or "file"


async def found(document_id: str) -> Document:
    async with async_session() as db:
        document = await db.get(Document, document_id)
    if document is None:
        raise HTTPException(404, f'There is no document with the id "{document_id}".')
    return document


@router.post("/documents", status_code=201, response_model=schemas.Document)
async def upload_document(response: Response, file: Annotated[UploadFile, File()], case_id: Word = None,
                          id: Word = None) -> Document:
    async with received(file) as upload, async_session() as db:
        document = Document(
            case_id=case_id, file_name=name_of(file), content_type=file.content_type, byte_size=upload.byte_size,
            sha256=upload.sha256, file_path=upload.path, **({"id": id} if id else {}))
        try:
            await upload.keep(db)
            db.add(document)
            await db.flush()
            # Sent if and only if the row is there; by the key a worker can ask whether it has been sent.
            db.enqueue("extract_text_from_document", {"document_id": document.id}, key=document.id)
            await db.commit()
        except SharedError as error:
            await db.rollback()
            await upload.release(db)
            raise refusal(error, document) if isinstance(error, ConflictError) else error from None
        await db.refresh(document)
    response.headers["Location"] = f"/documents/{quote(document.id, safe='')}"
    return document


def refusal(error: ConflictError, document: Document) -> HTTPException:
    if error.sqlstate == "23503":
        return HTTPException(422, [{"type": "value_error", "loc": ["body", "case_id"],
                                    "msg": f'There is no case with the id "{document.case_id}".'}])
    return HTTPException(409, f'There is already a document with the id "{document.id}".')


@router.get("/documents/{document_id}", response_model=schemas.Document)
async def get_document(document_id: str) -> Document:
    return await found(document_id)


class ChunkList(BaseModel):
    items: list[schemas.DocumentChunk]
    next: str | None


@router.get("/documents/{document_id}/chunks", response_model=ChunkList)
async def get_document_chunks(document_id: str, limit: Annotated[int, Query(ge=1, le=200)] = 50,
                              after: Annotated[int, Query(ge=-1)] = -1) -> dict[str, Any]:
    await found(document_id)
    async with async_session() as db:
        chunks = await db.scalars(
            select(DocumentChunk)
            .where(DocumentChunk.document_id == document_id, DocumentChunk.chunk_index > after)
            .order_by(DocumentChunk.chunk_index).limit(limit + 1))
    shown = chunks[:limit]
    return {"items": shown, "next": str(shown[-1].chunk_index) if len(chunks) > limit else None}


@router.get("/documents/{document_id}/progress")
async def get_document_progress(document_id: str,
                                last_event_id: Annotated[str | None, Header()] = None) -> Response:
    """Stream real-time progress updates via SSE. Who has seen the final one gets 204, or an EventSource would come
    back for ever."""
    await found(document_id)
    events = ProgressStream(redis_client).stream_progress(document_id, last_event_id)
    first = asyncio.create_task(next_of(events))
    await asyncio.wait((first,), timeout=ANSWER_S)
    if first.done() and first.result() is None:
        return Response(status_code=204)
    return StreamingResponse(
        all_of(first, events),
        media_type="text/event-stream",
        headers=AS_IT_COMES
    )


async def next_of(events: AsyncGenerator[str, None]) -> str | None:
    return await anext(events, None)


async def all_of(first: asyncio.Task[str | None], events: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    async with aclosing(events):
        text = await first
        while text is not None:
            yield text
            text = await next_of(events)
