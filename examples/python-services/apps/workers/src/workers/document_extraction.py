# SPDX-License-Identifier: MIT
"""The task: a document's file becomes pages, then chunks. What it says, and writes, is what lex-intel-worker does."""

from __future__ import annotations

import asyncio
from typing import Any

from celery import Task

from lib.progress import ProgressPublisher
from lib.redis import redis_client
from shared.celery import SOFT_LIMIT
from shared.config import settings
from shared.errors import ConflictError, PermanentError, RetryableError
from shared.utils import get_logger
from src.celery_app import celery_app
from workers import store
from workers.chunks import Pages, cut
from workers.failures import DocumentError, failure_of, sentence_of
from workers.reader import read_pages

logger = get_logger("worker")


class WorkerTask(Task):
    """Base with error handling"""
    autoretry_for = (RetryableError,)


@celery_app.task(base=WorkerTask, bind=True)
async def extract_text_from_document(self: Task, job_payload: dict[str, Any]) -> dict[str, Any]:
    publisher = ProgressPublisher(redis_client)
    doc_id = job_payload.get("document_id") if isinstance(job_payload, dict) else None
    if not isinstance(doc_id, str):
        raise PermanentError('The task names no document: its payload has no text "document_id".')
    run = await store.claim(doc_id)
    if run.result is not None:
        return run.result
    try:
        return await extract(run, publisher)
    except ConflictError as error:
        if error.sqlstate != store.TAKEN_OVER:
            await conclude(run, publisher, error, "failed")
            raise
        taken = RetryableError("Another run of this document took over.")
        raise self.retry(exc=taken, countdown=60 * (2 ** self.request.retries)) from error
    except PermanentError as error:
        await conclude(run, publisher, error, "failed")
        raise  # Don't retry
    except RetryableError as error:
        is_last = self.request.retries >= self.max_retries
        await conclude(run, publisher, error, "failed" if is_last else "pending")
        raise self.retry(exc=error, countdown=60 * (2 ** self.request.retries)) from error
    except asyncio.CancelledError as error:
        if SOFT_LIMIT in error.args:
            await conclude(run, publisher, DocumentError("total_timeout"), "failed")
        else:  # the worker is being ended, and Celery gives the task to another
            await conclude(run, publisher, RetryableError("The worker was ended."), "pending")
        raise
    except Exception as error:
        await conclude(run, publisher, error, "failed")
        raise


async def extract(run: store.Run, publisher: ProgressPublisher) -> dict[str, Any]:
    pages = Pages()
    await publisher.publish_progress(run.document_id, 0, "starting", f"Opening {run.file_name}")
    for number, text in run.stored:
        pages.add(number, text)
    async with store.Checkpoint(run) as checkpoint:
        async for page in read_pages(run.path(), len(run.stored) + 1):
            pages.add(page.number, page.text)
            run.pages_failed += page.error is not None
            await checkpoint.keep(page)
            total = max(page.count, page.number)
            await publisher.publish_progress(
                document_id=run.document_id, progress=1 + 88 * page.number // total, step="extracting",
                message=f"Extracted text from page {page.number} of {total}")
            if pages.byte_size > int(settings.DOCUMENT_TEXT_BYTES_MAX):
                raise DocumentError("too_large")
    if run.pages_failed and run.pages_failed == len(pages.marks):
        raise DocumentError("file_damaged", "No page of this document could be read.")
    await publisher.publish_progress(run.document_id, 90, "chunking", "Cutting the text into chunks")
    chunks = cut(pages, int(settings.CHUNK_SIZE), int(settings.CHUNK_OVERLAP))
    await publisher.publish_progress(run.document_id, 95, "storing", f"Storing {len(chunks)} chunks")
    result = await store.publish(run, len(pages.marks) - run.pages_failed, chunks)
    await publisher.publish_progress(run.document_id, 100, "completed", ending(result))
    return result


def ending(result: dict[str, Any]) -> str:
    read, failed = result["page_count"], result["pages_failed"]
    if not result["chunk_count"]:
        return f"Read {read} pages; they hold no text (a scan?)"
    return f"Read {read} pages; {failed} could not be read" if failed else f"Read {read} page{'s' * (read != 1)}"


async def conclude(run: store.Run, publisher: ProgressPublisher, error: Exception, status: str) -> None:
    """The row first, then the viewers: who hears of an end can rely on the row."""
    try:
        await store.verdict(run, status, failure_of(error))
        if status == "failed":
            await publisher.publish_progress(run.document_id, 100, "failed", sentence_of(error))
    except RetryableError as away:
        logger.warning("the end of a run could not be stored", extra={"document_id": run.document_id, "why": str(away)})
