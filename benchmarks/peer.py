# SPDX-License-Identifier: MIT
"""The peer: the guide's own stack (FastAPI, SQLAlchemy 2, asyncpg, redis.asyncio) written as its users write it, on
the same tables and the same channels. One process, uvloop, httptools, no access log: as fast as it goes unchanged."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import datetime

import redis.asyncio
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

URL = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
engine = create_async_engine(URL, pool_size=10)
async_session = async_sessionmaker(engine, expire_on_commit=False)
redis_client = redis.asyncio.from_url(os.environ["REDIS_URL"])
app = FastAPI()


class Base(DeclarativeBase):
    pass


class Document(Base):
    __tablename__ = "documents"

    id: Mapped[str] = mapped_column(primary_key=True)
    case_id: Mapped[str | None]
    file_name: Mapped[str]
    content_type: Mapped[str | None]
    byte_size: Mapped[int | None]
    sha256: Mapped[str | None]
    file_path: Mapped[str | None]
    extraction_status: Mapped[str]
    page_count: Mapped[int | None]
    pages_failed: Mapped[int]
    error: Mapped[str | None]
    error_class: Mapped[str | None]
    error_code: Mapped[str | None]
    attempt: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class DocumentOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str
    case_id: str | None
    file_name: str
    content_type: str | None
    byte_size: int | None
    sha256: str | None
    file_path: str | None
    extraction_status: str
    page_count: int | None
    pages_failed: int
    error: str | None
    error_class: str | None
    error_code: str | None
    attempt: int
    created_at: datetime
    updated_at: datetime


@app.get("/documents/{document_id}", response_model=DocumentOut)
async def get_document(document_id: str) -> Document:
    async with async_session() as db:
        document = await db.get(Document, document_id)
    if document is None:
        raise HTTPException(404, "Document not found")
    return document


@app.get("/documents/{document_id}/progress")
async def get_progress(document_id: str) -> StreamingResponse:
    async def stream() -> AsyncIterator[str]:
        async with redis_client.pubsub() as listener:
            await listener.subscribe(f"progress:{document_id}")
            yield ": listening\n\n"
            async for message in listener.listen():
                if message["type"] == "message":
                    yield f"data: {message['data'].decode()}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PEER_PORT"]), loop="uvloop", http="httptools",
                log_level="warning", access_log=False)
