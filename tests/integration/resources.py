# SPDX-License-Identifier: MIT
"""Cases and documents made over HTTP, as clients make them."""

from __future__ import annotations

import httpx
import psycopg

from stack import wait_until


def case_make(client: httpx.Client, **fields: object) -> dict:
    answer = client.post("/cases", json={"title": "A matter"} | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def document_make(client: httpx.Client, content: bytes = b"Some text.", case_id: str | None = None,
                  name: str = "note.txt", **fields: str) -> dict:
    path = f"/cases/{case_id}/documents" if case_id else "/documents"
    answer = client.post(path, files={"file": (name, content, "text/plain")}, data=fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def wait_sent(pg: psycopg.Connection, document: str) -> None:
    wait_until(lambda: not pg.execute("SELECT 1 FROM task_outbox WHERE key = %s", [document]).fetchone(), 20,
               "the document's task is sent")
