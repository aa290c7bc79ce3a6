# SPDX-License-Identifier: MIT
"""A document's whole way: uploaded here, read by whichever worker runs, watched, and in the database."""

from __future__ import annotations

import json

import httpx

from app.database import async_session, select
from app.models import Document, DocumentChunk
from lib.progress import ProgressPublisher
from lib.redis import redis_client

TEXT = b"ARTICLE 1 PARTIES\n\nSmith v. Jones, 410 U.S. 113. The parties agree.\n"


async def test_document_extraction_flow(http: httpx.AsyncClient) -> None:
    case = (await http.post("/cases", json={"title": "Integration Test Case"})).json()
    answer = await http.post("/documents", data={"case_id": case["id"]}, files={"file": ("sample.txt", TEXT)})
    assert answer.status_code == 201, answer.text
    document_id = answer.json()["id"]

    stream = await http.get(f"/api/documents/{document_id}/progress", timeout=60)  # ends with the last message
    messages = [json.loads(line[6:]) for line in stream.text.splitlines() if line.startswith("data: ")]
    assert messages[-1]["step"] == "completed", messages

    async with async_session() as db:
        updated = await db.get_one(Document, document_id)
        assert updated.extraction_status == "completed"
        chunks = await db.execute(select(DocumentChunk).where(DocumentChunk.document_id == document_id))
        assert [chunk.content for chunk in chunks.scalars()] == [TEXT.decode().strip()]
    shown = (await http.get(f"/documents/{document_id}/chunks")).json()
    assert [item["content"] for item in shown["items"]] == [TEXT.decode().strip()] and shown["next"] is None


async def test_who_has_seen_the_end_gets_204(http: httpx.AsyncClient, test_document: Document) -> None:
    async with async_session() as db:
        (await db.get_one(Document, test_document.id)).extraction_status = "failed"
        await db.commit()
    await ProgressPublisher(redis_client).publish_progress(test_document.id, 100, "failed", "It is damaged.")
    path = f"/documents/{test_document.id}/progress"
    told = await http.get(path)
    assert (told.headers["cache-control"], told.headers["x-accel-buffering"]) == ("no-cache, no-transform", "no")
    (last_id,) = [line[4:] for line in told.text.splitlines() if line.startswith("id: ")]
    assert '"It is damaged."' in told.text
    over = await http.get(path, headers={"Last-Event-ID": last_id})
    assert (over.status_code, over.content) == (204, b"")


async def test_a_document_is_read_as_stored(http: httpx.AsyncClient, test_document: Document) -> None:
    answer = await http.get(f"/documents/{test_document.id}")
    assert answer.json()["file_name"] == "fixture.txt" and answer.json()["extraction_status"] == "pending"


async def test_what_is_not_there_is_404(http: httpx.AsyncClient) -> None:
    for path in ("/cases/nosuch", "/documents/nosuch", "/documents/nosuch/chunks", "/documents/nosuch/progress"):
        answer = await http.get(path)
        assert answer.status_code == 404 and "nosuch" in answer.json()["detail"]
