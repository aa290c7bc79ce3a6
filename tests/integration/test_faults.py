# SPDX-License-Identifier: MIT
"""A server that is away: at the start of a program, in the middle of its work, for long or for a moment. What was
accepted is done in the end, and whoever watches needs to do nothing."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable

import celery
import httpx
import psycopg
import pytest

from dev.process import Process
from documents import TASK, Document, store
from pdf import pdf_numbered
from stack import LabStack, wait_until
from wire import stream

SLOW = 4 if os.environ.get("ASAN_OPTIONS") else 1
REFUSED_S, MENDED_S = 2 * SLOW, 5 * SLOW  # to a 503 while a server is away; from its return until all is well
UNAVAILABLE, WRONG_SETTING = 69, 78  # EX_UNAVAILABLE, EX_CONFIG
PROGRAMS = ("backend", "worker")
SERVERS = {"postgres": "PostgreSQL", "redis": "Redis"}


def program(stack: LabStack, name: str, **env: str) -> Process:
    """Started, but not waited for."""
    make = stack.backend_program if name == "backend" else stack.worker_program
    return stack.start(make(**env))


def said_since(stack: LabStack, name: str, size: int) -> list[str]:
    return stack.log(name)[size:].splitlines()


def waits(stack: LabStack, name: str, server: str, size: int) -> list[str]:
    """The lines that say what it waits for."""
    return [line for line in said_since(stack, name, size)
            if "waiting_for" in line and server in line.lower() and "gave_up" not in line]


@pytest.fixture
def idle(stack: LabStack) -> LabStack:
    """Both servers run, no program does."""
    for name in PROGRAMS:
        if name in stack.processes:
            stack.processes[name].stop()
    return stack


@pytest.fixture
def both(stack: LabStack) -> LabStack:
    """Servers and programs run."""
    stack.backend_up()
    stack.worker_up()
    return stack


def upload(stack: LabStack, pg: psycopg.Connection, page_count: int = 3) -> Document:
    answer = stack.client.post("/documents", files={"file": ("a.pdf", pdf_numbered(page_count), "application/pdf")},
                               data={"id": f"doc-{secrets.token_hex(6)}"})
    assert answer.status_code == 201, answer.text
    return Document(stack, pg, answer.json()["id"])


# -- at the start -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("server", SERVERS)
def test_it_waits_for_a_server_and_says_so(idle: LabStack, name: str, server: str) -> None:
    idle.kill(server)
    size = len(idle.log(name))
    process = program(idle, name)
    wait_until(lambda: waits(idle, name, server, size), 10, f"{name} says that it waits for {server}")
    assert process.alive
    idle.start_again(server)
    process.wait_ready()
    wait_until(lambda: any("ready" in line for line in said_since(idle, name, size)), 10, "it says that it is ready")
    assert len(waits(idle, name, server, size)) <= 3  # not one for each attempt
    assert process.stop() == 0


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("server", SERVERS)
def test_it_gives_up_after_its_time_and_says_why(idle: LabStack, name: str, server: str) -> None:
    idle.kill(server)
    size = len(idle.log(name))
    process = program(idle, name, STARTUP_TIMEOUT_S="1")
    wait_until(lambda: not process.alive, 15 * SLOW, f"{name} gives up")
    assert process.child is not None and process.child.returncode == UNAVAILABLE
    said = [line for line in said_since(idle, name, size) if "gave_up_waiting_for" in line]
    assert len(said) == 1 and "refused" in said[0] and server in said[0].lower(), said_since(idle, name, size)


@pytest.mark.parametrize(("url", "code"), [
    ("db+postgresql://lex:secret@h/lex", WRONG_SETTING), ("rpc://", WRONG_SETTING),
    ("redis://:secret@127.0.0.1:9/1", UNAVAILABLE)])
def test_a_worker_that_could_store_no_result_does_not_start(idle: LabStack, url: str, code: int) -> None:
    size = len(idle.log("worker"))
    process = program(idle, "worker", CELERY_RESULT_BACKEND=url, STARTUP_TIMEOUT_S="1")
    wait_until(lambda: not process.alive, 15 * SLOW, "the worker refuses")
    said = said_since(idle, "worker", size)
    assert process.child is not None and process.child.returncode == code, said
    assert "CELERY_RESULT_BACKEND" in said[-1] and "secret" not in "".join(said), said


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize(("variable", "url"), [
    ("DATABASE_URL", 'postgresql://lex:se"cret%zz@127.0.0.1/lex'), ("DATABASE_URL", "mysql://lex:secret@h/lex"),
    ("DATABASE_URL", "postgresql://lex:secret/x@h/lex"), ("REDIS_URL", "redis://:secret@h:port/0")])
def test_wrong_url_is_named_at_once_without_its_password(idle: LabStack, name: str, variable: str, url: str) -> None:
    size = len(idle.log(name))
    more = {"CELERY_BROKER_URL": "", "CELERY_RESULT_BACKEND": ""} if variable == "REDIS_URL" else {}
    process = program(idle, name, **{variable: url}, **more)
    wait_until(lambda: not process.alive, 10 * SLOW, f"{name} refuses")
    said = said_since(idle, name, size)
    assert process.child is not None and process.child.returncode == WRONG_SETTING, said
    assert any(variable in line for line in said)
    assert "cret" not in "".join(said)


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_can_be_stopped_while_it_waits(idle: LabStack, name: str) -> None:
    idle.kill("postgres")
    size = len(idle.log(name))
    process = program(idle, name)
    wait_until(lambda: waits(idle, name, "postgres", size), 10, "it waits")
    assert process.stop() == 0


# -- in the middle: the backend ---------------------------------------------------------------------------------------


def answers(stack: LabStack, act: Callable[[], httpx.Response]) -> bool:
    try:
        return act().status_code < 300
    except httpx.TransportError:
        return False


def test_without_database_each_request_is_refused_soon(stack: LabStack, backend: Process,
                                                       pg: psycopg.Connection) -> None:
    client = stack.client
    case = client.post("/cases", json={"title": "x"}).json()["id"]
    document = upload(stack, pg).id
    requests: list[tuple[str, str, dict]] = [
        ("GET", "/cases", {}), ("GET", f"/cases/{case}", {}), ("POST", "/cases", {"json": {"title": "y"}}),
        ("PATCH", f"/cases/{case}", {"json": {"title": "y"}}), ("DELETE", f"/cases/{case}", {}),
        ("GET", f"/documents/{document}", {}), ("GET", f"/documents/{document}/chunks", {}),
        ("GET", f"/documents/{document}/text", {}), ("GET", f"/documents/{document}/file", {}),
        ("POST", f"/documents/{document}/extract", {}), ("GET", f"/documents/{document}/progress", {}),
        ("POST", "/documents", {"files": {"file": ("a.txt", b"text", "text/plain")}}),
    ]
    pid = stack.pid("backend")
    stack.kill("postgres")
    for round_ in ("the connections break", "there are none"):
        for method, path, body in requests:
            started = time.monotonic()
            answer = client.request(method, path, **body)
            assert (answer.status_code, round_) == (503, round_), (method, path, answer.text)
            assert int(answer.headers["Retry-After"]) > 0 and answer.json()["detail"], (method, path)
            assert time.monotonic() - started < REFUSED_S, (method, path)
    assert client.get("/livez").status_code == 200
    wait_until(lambda: client.get("/readyz").status_code == 503, 5, "it says that it is not ready")
    stack.start_again("postgres")
    wait_until(lambda: answers(stack, lambda: client.get(f"/cases/{case}")), MENDED_S, "it answers again")
    wait_until(lambda: client.get("/readyz").status_code == 200, MENDED_S, "and says so")
    assert stack.pid("backend") == pid and backend.alive


def test_without_redis_only_progress_is_missing(stack: LabStack, backend: Process, pg: psycopg.Connection) -> None:
    client = stack.client
    document = upload(stack, pg).id
    stack.kill("redis")
    for method, path in (("GET", "/cases"), ("GET", f"/documents/{document}"), ("GET", f"/documents/{document}/file"),
                         ("POST", f"/documents/{document}/extract")):
        started = time.monotonic()
        answer = client.request(method, path)
        assert answer.status_code in (200, 202), (method, path, answer.text)
        assert time.monotonic() - started < REFUSED_S, (method, path)
    wait_until(lambda: client.get("/readyz").status_code == 503, 5 * SLOW, "it says that it is not ready")
    assert client.get("/health").json()["redis"]["status"] == "down"
    stack.start_again("redis")
    wait_until(lambda: client.get("/readyz").status_code == 200, MENDED_S, "it is ready again")


def test_document_uploaded_without_redis_is_read_once_it_is_back(both: LabStack, pg: psycopg.Connection) -> None:
    pids = {name: both.pid(name) for name in PROGRAMS}
    both.kill("redis")
    documents = [upload(both, pg) for _ in range(3)]
    assert {document.row()["extraction_status"] for document in documents} == {"pending"}
    both.start_again("redis")
    for document in documents:
        assert document.ended()["extraction_status"] == "completed"
        document.assert_chunks_whole()
    assert pids == {name: both.pid(name) for name in PROGRAMS}
    wait_until(lambda: pg.execute("SELECT count(*) FROM task_outbox").fetchone() == (0,), 30, "an empty outbox")


# -- in the middle: the worker, and who watches -----------------------------------------------------------------------


def test_worker_goes_on_after_redis_was_away(both: LabStack, pg: psycopg.Connection,
                                             celery_app: celery.Celery) -> None:
    """While it reads a document, then while it waits for one."""
    pid = both.pid("worker")
    document = upload(both, pg, 600)
    wait_until(lambda: len(document.pages()) > 20, 30, "some pages stored")
    both.kill("redis")
    both.start_again("redis")
    assert (document.ended()["extraction_status"], document.row()["page_count"]) == ("completed", 600)
    document.assert_chunks_whole()
    both.kill("redis")
    both.start_again("redis")
    after = store(both, pg, pdf_numbered(2))
    assert celery_app.send_task(TASK, args=[{"document_id": after.id}]).get(timeout=30)["page_count"] == 2
    assert both.pid("worker") == pid and both.processes["worker"].alive


def test_viewer_sees_the_end_though_redis_went_away(both: LabStack, pg: psycopg.Connection) -> None:
    """One connection, from before Redis went until the document is done."""
    document = upload(both, pg, 1200)
    with stream(both.backend_url, f"/documents/{document.id}/progress", timeout_s=60) as live:
        first = live.event()
        wait_until(lambda: len(document.pages()) > 20, 30, "some pages stored")
        both.kill("redis")
        both.start_again("redis")
        seen = [first.data["progress"], *(event.data["progress"] for event in live.events(60))]
    assert seen == sorted(seen) and seen[-1] == 100, seen
    assert document.row()["extraction_status"] == "completed"


def test_viewer_who_comes_while_redis_is_away_sees_the_end(both: LabStack, pg: psycopg.Connection) -> None:
    """Either let in, and then told all; or sent away with 503, and served when it comes again."""
    both.kill("redis")
    document = upload(both, pg)
    with stream(both.backend_url, f"/documents/{document.id}/progress", timeout_s=30 * SLOW) as live:
        assert live.status in (200, 503), live.body
        both.start_again("redis")
        if live.status == 200:
            assert live.events(60)[-1].data["step"] == "completed"
    assert document.ended()["extraction_status"] == "completed"
    with stream(both.backend_url, f"/documents/{document.id}/progress") as again:
        assert again.events()[-1].data["step"] == "completed"


def test_all_away_at_once_and_back(both: LabStack, pg: psycopg.Connection) -> None:
    document = upload(both, pg, 600)
    wait_until(lambda: len(document.pages()) > 20, 30, "some pages stored")
    for server in SERVERS:
        both.kill(server)
    assert both.client.get("/cases").status_code == 503
    for server in SERVERS:
        both.start_again(server)
    with both.pg_connect() as again:
        document = Document(both, again, document.id)
        assert (document.ended()["extraction_status"], document.row()["page_count"]) == ("completed", 600)
        document.assert_chunks_whole()
    wait_until(lambda: both.client.get("/readyz").status_code == 200, MENDED_S, "the backend is ready")
    assert all(both.processes[name].alive for name in PROGRAMS)
