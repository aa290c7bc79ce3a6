# SPDX-License-Identifier: MIT
"""The Node example beside the C programs and the Python ones: three kinds of worker on one queue, and viewers of the
same hundred documents at the Node service and at the C backend."""

from __future__ import annotations

import asyncio
import json
import os
import re
from typing import Any

import httpx
import psycopg
import pytest
from celery import Celery

from dev.node import FOLDER, node_tree
from dev.process import Process, Program
from services import celery_up, only_up
from stack import LabStack, wait_until

COUNT = 100
SERVICE = FOLDER / "examples" / "node-service"


def node_up(stack: LabStack, name: str, ready: str, *words: str) -> Process:
    """A program of the example; it is ready when it says so."""
    log = stack.logs / f"{name}.log"
    env = stack.environment(PATH=f"{os.environ['NODE_BIN']}:{os.environ['PATH']}")
    return stack.up(Program(name=name, argv=["node", *words], env=env, cwd=SERVICE, log=log,
                            ready=lambda: None if ready in log.read_text() else f"has not said {ready!r}"))


@pytest.fixture(scope="module")
def service(stack: LabStack) -> str:
    """URL of the Node service."""
    node_up(stack, "node-service", "http://", "service.js")
    found = re.search(r"http://[\d.]+:\d+", (stack.logs / "node-service.log").read_text())
    assert found
    return found[0]


async def viewer(http: httpx.AsyncClient, url: str) -> list[dict[str, Any]]:
    """Messages of a document's stream, to its end."""
    messages = []
    async with http.stream("GET", url) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream"), url
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                messages.append(json.loads(line[6:]))
    return messages


async def watch_all(stack: LabStack, urls: list[str], ids: list[str]) -> list[list[list[dict[str, Any]]]]:
    """Of each backend the messages of each document. The tasks are sent once everybody watches."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=60, limits=limits) as http:
        case = (await http.post(f"{stack.backend_url}/cases", json={"title": "Mixed with Node"})).json()["id"]
        for document_id in ids:
            answer = await http.post(f"{stack.backend_url}/documents", data={"case_id": case, "id": document_id},
                                     files={"file": (f"{document_id}.txt", b"A clause of the contract.\n" * 200)})
            assert answer.status_code == 201, answer.text
        viewers = [asyncio.gather(*(viewer(http, f"{url}/api/documents/{each}/progress") for each in ids))
                   for url in urls]
        return [list(each) for each in await asyncio.gather(*viewers)]


def test_three_workers_and_two_backends(stack: LabStack, pg: psycopg.Connection, service: str) -> None:
    only_up(stack)
    stack.backend_up()
    celery_up(stack)
    stack.worker_up()
    node_up(stack, "node-worker", "works", "worker.js")
    celery_log, node_log = stack.logs / "celery.log", stack.logs / "node-worker.log"
    before = celery_log.read_text().count(" received")
    ids = [f"node-{number}" for number in range(COUNT)]
    by_c, by_node = asyncio.run(watch_all(stack, [stack.backend_url, service], ids))
    for at_c, at_node in zip(by_c, by_node, strict=True):
        assert at_c[-1]["step"] == "completed" and at_c[-1]["progress"] == 100, at_c
        assert at_node[-1]["id"] == at_c[-1]["id"] and at_node[-1]["final"]
        shown = [message["progress"] for message in at_node]
        assert shown == sorted(shown)
    rows = pg.execute("SELECT extraction_status, page_count, (SELECT count(*) FROM document_chunks c"
                      " WHERE c.document_id = d.id) > 0 FROM documents d WHERE id = ANY(%s)", [ids]).fetchall()
    assert rows == [("completed", 1, True)] * COUNT
    by_celery = celery_log.read_text().count(" received") - before
    by_node_worker = node_log.read_text().count("read node-")
    print(f"Celery {by_celery}, Node {by_node_worker}, C {COUNT - by_celery - by_node_worker}")
    assert by_celery > 0 and by_node_worker > 0 and by_celery + by_node_worker < COUNT
    stack.processes["node-worker"].stop()


def test_a_celery_client_and_the_node_worker(stack: LabStack, pg: psycopg.Connection, service: str) -> None:
    """What Celery sends the Node worker does, and answers; it ends on SIGTERM."""
    only_up(stack)
    node_up(stack, "node-worker", "works", "worker.js")
    with httpx.Client(base_url=stack.backend_url) as http:
        assert http.post("/documents", data={"id": "node-celery"}, files={"file": ("a.txt", b"Words.")}).is_success
    urls = stack.urls()
    with Celery(broker=urls["CELERY_BROKER_URL"], backend=urls["CELERY_RESULT_BACKEND"]) as app:
        wait_until(lambda: pg.execute("SELECT 1 FROM documents WHERE id = 'node-celery' AND extraction_status ="
                                      " 'completed'").fetchone(), 30, "the document read")
        pg.execute("UPDATE documents SET extraction_status = 'pending' WHERE id = 'node-celery'")
        pg.commit()
        for _ in range(2):  # the second time it is completed, and left as it is
            result = app.send_task("extract_text_from_document", args=[{"document_id": "node-celery"}])
            assert result.get(timeout=30) == {"document_id": "node-celery", "extraction_status": "completed",
                                              "page_count": 1, "pages_failed": 0, "chunk_count": 1}
        assert pg.execute("SELECT attempt FROM documents WHERE id = 'node-celery'").fetchone() == (2,)
        lost = app.send_task("extract_text_from_document", args=[{"document_id": "nosuch"}])
        with pytest.raises(Exception, match="Document nosuch not found in database"):
            lost.get(timeout=30)
    assert stack.processes["node-worker"].stop() == 0


def test_the_service_answers_like_the_backend(stack: LabStack, service: str) -> None:
    """Where a document is, where there is none, and the page."""
    only_up(stack)
    assert httpx.get(f"{service}/api/documents/node-celery").json()["fileName"] == "a.txt"
    for path in ("", "/progress"):
        answer = httpx.get(f"{service}/api/documents/nosuch{path}")
        assert answer.status_code == 404 and "nosuch" in answer.json()["detail"]
        assert httpx.get(f"{service}/api/documents/a%00b{path}").status_code == 422
    assert "new EventSource" in httpx.get(service).text


def test_what_the_service_enqueues_is_read(stack: LabStack, pg: psycopg.Connection, service: str) -> None:
    """By its own relay: that of the C backend does not run."""
    only_up(stack)
    stack.stop_one("backend")
    assert httpx.post(f"{service}/api/documents/node-celery/extract").status_code == 202
    assert pg.execute("SELECT extraction_status FROM documents WHERE id = 'node-celery'").fetchone() == ("pending",)
    node_up(stack, "node-worker", "works", "worker.js")
    wait_until(lambda: pg.execute("SELECT 1 FROM documents WHERE id = 'node-celery' AND extraction_status ="
                                  " 'completed'").fetchone(), 30, "the document read again")
    assert stack.processes["node-worker"].stop() == 0
    stack.start_again("backend")


def test_many_viewers_come_by_one_connection(stack: LabStack, service: str) -> None:
    """A browser keeps its connection: what was watched over it leaves nothing behind."""
    only_up(stack)
    with httpx.Client(base_url=service) as http:
        for _ in range(20):
            with http.stream("GET", "/api/documents/node-celery/progress") as answer:
                assert answer.status_code == 200 and b"data: " in answer.read()
    assert "Warning" not in stack.log("node-service")


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """The suite has built it; a run of this file alone does."""
    if "NODE_BIN" not in os.environ:
        os.environ["NODE_BIN"] = node_tree()["NODE_BIN"]
