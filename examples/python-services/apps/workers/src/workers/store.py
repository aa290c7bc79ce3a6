# SPDX-License-Identifier: MIT
"""The statements of a run. `documents.attempt` is its fence: a run that another has taken over can write nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.config import settings
from shared.database import async_session, select, text
from shared.models import DocumentChunk, DocumentPage
from workers.chunks import Chunk
from workers.failures import DocumentError, Failure
from workers.reader import Page

TAKEN_OVER = "LX001"
BATCH_PAGES, BATCH_AGE_S = 64, 0.5

# A statement that waits for a row goes on seeing all else as it was before: so it waits in one of its own.
LOCK = text("SELECT FROM documents WHERE id = :id FOR NO KEY UPDATE")
CLAIM = text("""
    WITH claimed AS (
        UPDATE documents SET extraction_status = 'processing', attempt = attempt + 1, error = NULL, error_class = NULL,
            error_code = NULL, updated_at = now()
        WHERE id = :id AND extraction_status <> 'completed' RETURNING attempt)
    SELECT d.file_name, d.file_path, d.page_count, d.pages_failed, (SELECT attempt FROM claimed) AS attempt,
        (SELECT count(*) FROM document_chunks c WHERE c.document_id = d.id) AS chunk_count
    FROM documents d WHERE d.id = :id""")
FENCE = text("SELECT document_fence(:id, CAST(:attempt AS integer))")
TOUCH = text("UPDATE documents SET updated_at = now() WHERE id = :id")
DELETE_CHUNKS = text("DELETE FROM document_chunks WHERE document_id = :id")
COMPLETE = text("""
    UPDATE documents SET extraction_status = 'completed', page_count = CAST(:page_count AS integer),
        pages_failed = CAST(:pages_failed AS integer), error = NULL, error_class = NULL, error_code = NULL,
        updated_at = now()
    WHERE id = :id""")
VERDICT = text("""
    UPDATE documents SET extraction_status = :status, error = :error, error_class = :error_class,
        error_code = :error_code, pages_failed = CAST(:pages_failed AS integer), updated_at = now()
    WHERE id = :id AND attempt = CAST(:attempt AS integer)""")


@dataclass
class Run:
    """One run of the extraction of a document; `result` is there when an earlier one has completed it."""

    document_id: str
    attempt: int
    file_name: str
    file_path: str | None
    result: dict[str, Any] | None = None
    stored: list[tuple[int, str]] = field(default_factory=list)  # pages of earlier runs
    pages_failed: int = 0

    def path(self) -> Path:
        """The file, below UPLOAD_DIR only."""
        root = Path(str(settings.UPLOAD_DIR)).resolve()
        path = (root / (self.file_path or "")).resolve()
        if not self.file_path or not path.is_relative_to(root) or not path.is_file():
            raise DocumentError("file_missing")
        return path

    @property
    def fence(self) -> dict[str, Any]:
        return {"id": self.document_id, "attempt": self.attempt}


def result_of(run: Run, page_count: int, chunk_count: int) -> dict[str, Any]:
    return {"document_id": run.document_id, "extraction_status": "completed", "page_count": page_count,
            "pages_failed": run.pages_failed, "chunk_count": chunk_count}


async def claim(document_id: str) -> Run:
    async with async_session() as db:
        await db.execute(LOCK, {"id": document_id})
        row = (await db.execute(CLAIM, {"id": document_id})).first()
        if row is None:
            raise DocumentError("file_missing", f"Document {document_id} not found in database")
        run = Run(document_id, row.attempt or 0, row.file_name, row.file_path)
        if row.attempt is None:
            run.pages_failed = row.pages_failed
            run.result = result_of(run, row.page_count, row.chunk_count)
        else:
            pages = await db.scalars(select(DocumentPage).where(DocumentPage.document_id == document_id)
                                     .order_by(DocumentPage.page))
            run.stored = [(page.page, page.text) for page in pages]
            run.pages_failed = sum(page.source == "failed" for page in pages)
        await db.commit()
    return run


class Checkpoint:
    """Stores pages batch by batch, from where the next run goes on."""

    def __init__(self, run: Run) -> None:
        self._run, self._pages, self._since = run, list[Page](), time.monotonic()

    async def keep(self, page: Page) -> None:
        self._pages.append(page)
        if len(self._pages) >= BATCH_PAGES or time.monotonic() - self._since > BATCH_AGE_S:
            await self._store()

    async def _store(self) -> None:
        pages, self._pages, self._since = self._pages, [], time.monotonic()
        if not pages:
            return
        async with async_session() as db:
            await db.execute(FENCE, self._run.fence)
            await db.execute(TOUCH, {"id": self._run.document_id})
            db.add_all(DocumentPage(
                document_id=self._run.document_id, page=page.number, text=page.text,
                source="text" if page.error is None else "failed", error=page.error) for page in pages)
            await db.commit()

    async def __aenter__(self) -> Checkpoint:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_failure: object) -> None:
        if kind is None:
            await self._store()


async def publish(run: Run, page_count: int, chunks: list[Chunk]) -> dict[str, Any]:
    """Old chunks out, new ones in, the row completed: one transaction."""
    async with async_session() as db:
        await db.execute(FENCE, run.fence)
        await db.execute(DELETE_CHUNKS, {"id": run.document_id})
        db.add_all(DocumentChunk(
            document_id=run.document_id, chunk_index=index, content=chunk.content, page_from=chunk.page_from,
            page_to=chunk.page_to, char_start=chunk.start, char_end=chunk.end) for index, chunk in enumerate(chunks))
        await db.execute(COMPLETE, {"id": run.document_id, "page_count": page_count,
                                    "pages_failed": run.pages_failed})
        await db.commit()
    return result_of(run, page_count, len(chunks))


async def verdict(run: Run, status: str, failure: Failure) -> None:
    async with async_session() as db:
        await db.execute(VERDICT, run.fence | {
            "status": status, "error": failure.error, "error_class": failure.error_class,
            "error_code": failure.error_code, "pages_failed": run.pages_failed})
        await db.commit()
