# SPDX-License-Identifier: MIT
"""A helper that was taken over by a document (tests/unit/worker/evil_extract.c) does its worst; the worker keeps what
was good, names what was not, and goes on with the next document."""

from __future__ import annotations

import celery
import psycopg
import pytest

from dev.stack import BUILD
from documents import TASK, store
from stack import LabStack

EVIL = BUILD / "tests" / "unit" / "worker" / "evil-extract"
KILLED = ("failed", None, "extractor_killed")


@pytest.fixture
def evil(stack: LabStack) -> LabStack:
    stack.worker_up(LEX_EXTRACT_PROGRAM=str(EVIL), LEX_SANDBOX="off", PAGE_TIMEOUT_S="1", WORKER_CONCURRENCY="1")
    return stack


@pytest.mark.parametrize(("script", "expected", "read", "failed"), [
    ("pages 10", ("completed", 10, None), 10, 0),
    ("pages 10\npage 7 die", ("completed", 9, None), 9, 1),
    ("pages 10\npage 1 abort", ("completed", 9, None), 9, 1),
    ("pages 10\npage 10 leave", ("completed", 9, None), 9, 1),
    ("pages 10\npage 3 half", ("completed", 9, None), 9, 1),
    ("pages 10\npage 4 noise", ("completed", 9, None), 9, 1),
    ("pages 10\npage 4 huge", ("completed", 9, None), 9, 1),
    ("pages 10\npage 4 skip", ("completed", 9, None), 9, 1),
    ("pages 10\npage 4 again", ("completed", 9, None), 9, 1),
    ("pages 10\npage 4 zero", ("completed", 9, None), 9, 1),
    ("pages 10\npage 4 broken", ("completed", 9, None), 9, 1),
    ("pages 10\npage 4 end", ("completed", 9, None), 9, 1),
    ("pages 10\npage 5 stall", ("completed", 9, None), 9, 1),
    ("pages 10\npage 3 die\npage 8 die", KILLED, 7, 0),
    ("pages 10\nopen die", KILLED, 0, 0),
    ("pages 10\nopen noise", KILLED, 0, 0),
    ("pages 10\nopen stall", ("failed", None, "page_timeout"), 0, 0),
    ("no script", KILLED, 0, 0),
    ("pages 1\npage 1 stall", ("failed", None, "page_timeout"), 0, 1),
    ("pages 1\npage 1 die", KILLED, 0, 1),
    ("pages 2\npage 1 die\npage 2 stall", KILLED, 0, 2),
])
def test_worker_survives(evil: LabStack, celery_app: celery.Celery, pg: psycopg.Connection, script: str,
                         expected: tuple[str, int | None, str | None], read: int, failed: int) -> None:
    document = store(evil, pg, f"{script}\n".encode())
    worker = evil.pid("worker")
    celery_app.send_task(TASK, args=[{"document_id": document.id}])
    row = document.ended()
    assert (row["extraction_status"], row["page_count"], row["error_code"]) == expected
    pages = document.pages()
    assert [text for _, text, source, _ in pages if source == "text"] == [
        f"Page {page}" for page, _, source, _ in pages if source == "text"]
    if expected[0] == "completed":
        assert sum(source == "text" for _, _, source, _ in pages) == read
        assert sum(source == "failed" for _, _, source, _ in pages) == failed
    else:
        assert not document.chunks()
    assert evil.pid("worker") == worker and evil.processes["worker"].alive


def test_helper_out_of_its_box_gets_no_document(servers: LabStack, celery_app: celery.Celery,
                                                pg: psycopg.Connection) -> None:
    servers.heal()
    with servers.worker_with(LEX_EXTRACT_PROGRAM=str(EVIL), RETRY_MAX="0"):
        document = store(servers, pg, b"pages 1\n")
        with pytest.raises(Exception, match="our side"):
            celery_app.send_task(TASK, args=[{"document_id": document.id}]).get(timeout=30)
        row = document.row()
    assert (row["extraction_status"], row["error_class"], row["error_code"]) == ("failed", "retryable", "internal")
    assert not document.pages()
    assert "not in its sandbox" in servers.log("worker")


def test_helper_that_cannot_start_is_no_fault_of_the_document(servers: LabStack, celery_app: celery.Celery,
                                                              pg: psycopg.Connection) -> None:
    """As where a service manager forbids Landlock: nobody is told that the document may do harm."""
    servers.heal()
    with servers.worker_with(LEX_EXTRACT_PROGRAM="/bin/false", RETRY_MAX="0"):
        document = store(servers, pg, b"A will.")
        with pytest.raises(Exception, match="our side"):
            celery_app.send_task(TASK, args=[{"document_id": document.id}]).get(timeout=30)
        row = document.row()
    assert (row["extraction_status"], row["error_class"], row["error_code"]) == ("failed", "retryable", "internal")
    assert "cannot start" in servers.log("worker") and "exited with 1" in servers.log("worker")
