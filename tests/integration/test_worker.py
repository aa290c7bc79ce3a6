# SPDX-License-Identifier: MIT
"""The worker by itself: files and rows made here, tasks sent by an unmodified Celery client."""

from __future__ import annotations

import base64
import json
import os
import signal
from pathlib import Path

import celery
import psycopg
import pytest
import redis
from celery.result import AsyncResult

from dev.process import Process
from documents import TASK, Document, store
from pdf import (
    page_text,
    pdf_cut,
    pdf_empty,
    pdf_encrypted,
    pdf_endless,
    pdf_lost_pages,
    pdf_lying_count,
    pdf_numbered,
    pdf_owner_only,
)
from stack import LabStack, wait_until


def send(app: celery.Celery, document_id: str) -> AsyncResult:
    return app.send_task(TASK, args=[{"document_id": document_id}])


@pytest.fixture(autouse=True)
def fresh(stack: LabStack, worker: Process) -> None:
    """Each test has a worker that runs, and leaves nothing queued for the next."""


def test_pdf_becomes_pages_and_chunks(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery) -> None:
    document = store(stack, pg, pdf_numbered(10))
    result = send(celery_app, document.id).get(timeout=30)
    assert result == {"document_id": document.id, "extraction_status": "completed", "page_count": 10,
                      "pages_failed": 0, "chunk_count": len(document.chunks())}
    assert document.row()["extraction_status"] == "completed"
    assert [page for page, *_ in document.pages()] == list(range(1, 11))
    for page, text, source, error in document.pages():
        assert (text.split(), source, error) == (page_text(page).split(), "text", None)
    assert len(document.chunks()) > 5
    document.assert_chunks_whole()


@pytest.mark.parametrize(("data", "text"), [
    (b"A will.\r\nSigned.", "A will.\nSigned."),
    ("\ufeffCafé".encode(), "Café"),
    ("Ünïcode €".encode("utf-16"), "Ünïcode €"),
    ("“Quoted” – the café of the tenant".encode("cp1252"), "“Quoted” – the café of the tenant"),
    (b"before\x00after, " + b"and so on " * 12, "beforeafter, " + "and so on " * 12),
])
def test_plain_text_is_decoded(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery, data: bytes,
                               text: str) -> None:
    document = store(stack, pg, data, "note.txt")
    send(celery_app, document.id).get(timeout=30)
    assert document.text() == text
    document.assert_chunks_whole()


def test_completed_document_is_not_read_again(stack: LabStack, pg: psycopg.Connection,
                                              celery_app: celery.Celery) -> None:
    document = store(stack, pg, pdf_numbered(3))
    first = send(celery_app, document.id).get(timeout=30)
    chunks = pg.execute("SELECT id FROM document_chunks WHERE document_id = %s", [document.id]).fetchall()
    assert send(celery_app, document.id).get(timeout=30) == first
    assert chunks == pg.execute("SELECT id FROM document_chunks WHERE document_id = %s", [document.id]).fetchall()


def test_progress_names_each_page(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery,
                                  redis_client: redis.Redis) -> None:
    document = store(stack, pg, pdf_numbered(10))
    with redis_client.pubsub() as listener:
        listener.subscribe(f"progress:{document.id}")
        wait_until(lambda: listener.get_message(timeout=1), 5, "subscribed")
        send(celery_app, document.id).get(timeout=30)
        heard: list[dict[str, object]] = []

        def final() -> bool:
            message = listener.get_message(timeout=1)
            if message and message["type"] == "message":
                heard.append(celery_app.backend.decode(message["data"]))
            return bool(heard) and bool(heard[-1].get("final"))

        wait_until(final, 10, "the final message")
    assert [entry["step"] for entry in heard][0] == "starting"
    assert heard[-1]["step"] == "completed" and heard[-1]["progress"] == 100
    assert any("page" in str(entry["message"]) and "of 10" in str(entry["message"]) for entry in heard)
    percents = [int(str(entry["progress"])) for entry in heard]
    assert percents == sorted(percents)
    steps = list(dict.fromkeys(entry["step"] for entry in heard))
    assert steps == ["starting", "extracting", "chunking", "storing", "completed"]


@pytest.mark.parametrize(("data", "name", "code", "word"), [
    (pdf_encrypted(pdf_numbered(2)), "locked.pdf", "password_required", "password"),
    (pdf_cut(pdf_numbered(5)), "cut.pdf", "file_damaged", "damaged"),
    (b"", "empty.pdf", "file_damaged", "empty"),
    (pdf_empty(), "nopages.pdf", "file_damaged", "page"),
    (b"PK\x03\x04" + bytes(200), "contract.docx", "type_unsupported", ""),
    (b"\x89PNG\r\n\x1a\n" + bytes(200), "scan.png", "type_unsupported", ""),
])
def test_unreadable_file_fails_for_good(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery,
                                        data: bytes, name: str, code: str, word: str) -> None:
    document = store(stack, pg, data, name)
    result = send(celery_app, document.id)
    with pytest.raises(Exception, match=".") as failure:
        result.get(timeout=30)
    assert type(failure.value).__name__ == "PermanentError"
    row = document.row()
    assert (row["extraction_status"], row["error_code"], row["error_class"]) == ("failed", code, "permanent")
    assert word in row["error"].lower()
    assert not document.chunks()


def test_owner_password_does_not_keep_us_out(stack: LabStack, pg: psycopg.Connection,
                                             celery_app: celery.Celery) -> None:
    document = store(stack, pg, pdf_owner_only(pdf_numbered(2)))
    assert send(celery_app, document.id).get(timeout=30)["page_count"] == 2


def test_missing_document_is_a_permanent_error(celery_app: celery.Celery) -> None:
    with pytest.raises(Exception, match="no-such") as failure:
        send(celery_app, "no-such").get(timeout=30)
    assert type(failure.value).__name__ == "PermanentError"


def test_missing_file_is_named(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery) -> None:
    document = store(stack, pg, b"x")
    (stack.uploads / document.id).unlink()
    with pytest.raises(Exception, match="no longer stored"):
        send(celery_app, document.id).get(timeout=30)
    assert document.row()["error_code"] == "file_missing"


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "link"])
def test_no_file_outside_the_folder_is_read(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery,
                                            path: str) -> None:
    (stack.folder / "outside").write_text("secret")
    link = stack.uploads / "link"
    if not link.is_symlink():
        link.symlink_to("/etc/passwd")
    document = store(stack, pg, b"x")
    pg.execute("UPDATE documents SET file_path = %s WHERE id = %s", [path, document.id])
    with pytest.raises(Exception, match="no longer stored"):
        send(celery_app, document.id).get(timeout=30)
    assert not document.pages()


@pytest.mark.parametrize("args", [[], [{}], [{"document_id": 7}], ["text"], [{"document_id": None}]])
def test_payload_without_document_fails_for_good(celery_app: celery.Celery, args: list[object]) -> None:
    with pytest.raises(Exception, match="document_id") as failure:
        celery_app.send_task(TASK, args=args).get(timeout=30)
    assert type(failure.value).__name__ == "PermanentError"


def test_message_that_is_not_json_is_set_aside(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery,
                                               redis_client: redis.Redis) -> None:
    before = redis_client.llen("lex:dead:celery")
    redis_client.lpush("celery", "this is { not JSON")
    document = store(stack, pg, pdf_numbered(1))
    send(celery_app, document.id).get(timeout=30)
    assert redis_client.llen("lex:dead:celery") == before + 1
    assert redis_client.lindex("lex:dead:celery", 0) == "this is { not JSON"


def test_lost_pages_are_counted_and_the_rest_kept(stack: LabStack, pg: psycopg.Connection,
                                                  celery_app: celery.Celery) -> None:
    document = store(stack, pg, pdf_lost_pages(6, [2, 5]))
    result = send(celery_app, document.id).get(timeout=30)
    read = [page for page, _, source, _ in document.pages() if source == "text"]
    assert result["page_count"] == len(read)
    assert result["page_count"] + result["pages_failed"] in (4, 6)  # PDFium may not count pages that are not there
    document.assert_chunks_whole()


def test_lying_page_count_is_not_believed(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery) -> None:
    document = store(stack, pg, pdf_lying_count(3, 2_147_483_647))
    send(celery_app, document.id)
    row = document.ended()
    assert row["extraction_status"] == "failed" or row["page_count"] <= 3


def test_page_that_never_ends_costs_a_page(stack: LabStack, pg: psycopg.Connection,
                                           celery_app: celery.Celery) -> None:
    with stack.worker_with(PAGE_TIMEOUT_S="1"):
        document = store(stack, pg, pdf_endless(good_pages=3))
        send(celery_app, document.id)
        row = document.ended()
    assert (row["extraction_status"], row["page_count"], row["pages_failed"]) == ("completed", 3, 1)
    assert "1 second" in str(document.pages()[-1][3])


def test_reason_of_the_only_page_is_that_of_the_document(stack: LabStack, pg: psycopg.Connection,
                                                         celery_app: celery.Celery) -> None:
    with stack.worker_with(PAGE_TEXT_BYTES_MAX="1024"):
        document = store(stack, pg, b"All of it. " * 200, "long.txt")
        send(celery_app, document.id)
        row = document.ended()
    assert (row["error_code"], row["pages_failed"]) == ("too_large", 1)
    assert row["error"] == "Page 1 has more than 1024 bytes of text, the most that is allowed."


def test_document_that_takes_too_long_fails_for_good(stack: LabStack, pg: psycopg.Connection,
                                                     celery_app: celery.Celery) -> None:
    with stack.worker_with(TASK_SOFT_TIME_LIMIT="1", PAGE_TIMEOUT_S="60"):
        document = store(stack, pg, pdf_endless(good_pages=1))
        send(celery_app, document.id)
        row = document.ended()
    assert (row["extraction_status"], row["error_code"], row["error_class"]) == ("failed", "total_timeout", "permanent")


def test_text_without_end_hits_its_limit(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery) -> None:
    with stack.worker_with(DOCUMENT_TEXT_BYTES_MAX="1048576", PAGE_TEXT_BYTES_MAX="1048576"):
        document = store(stack, pg, b"All of it. " * 200_000, "long.txt")
        send(celery_app, document.id)
        row = document.ended()
    assert (row["extraction_status"], row["error_code"]) == ("failed", "too_large")


def test_file_that_no_helper_takes_is_too_large(stack: LabStack, pg: psycopg.Connection,
                                                celery_app: celery.Celery) -> None:
    document = store(stack, pg, pdf_numbered(1))
    os.truncate(stack.uploads / document.id, 2**31 + 1)
    send(celery_app, document.id)
    row = document.ended()
    assert (row["error_code"], row["error_class"]) == ("too_large", "permanent")
    assert "2 GiB" in row["error"]


def test_largest_settings_are_taken(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery) -> None:
    """Each at the end of its range, as docs/config.md tells it, is no reason to fail."""
    with stack.worker_with(PAGES_MAX="100000", PAGE_TEXT_BYTES_MAX="67108864", PAGE_TIMEOUT_S="86400",
                           TASK_SOFT_TIME_LIMIT="604800", TASK_TIME_LIMIT="604800", PAGES_BATCH="10000",
                           DOCUMENT_TEXT_BYTES_MAX="1073741824", EXTRACT_MEMORY_BYTES=str(2**40),
                           WORKER_CONCURRENCY="256", WORKER_PREFETCH_MULTIPLIER="1000"):
        document = store(stack, pg, pdf_numbered(3))
        assert send(celery_app, document.id).get(timeout=30)["page_count"] == 3


def test_killed_helper_costs_no_page(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery) -> None:
    """kill -9 of the helper process, with its children, in the middle: read on from the checkpoint."""
    document = store(stack, pg, pdf_numbered(400))
    result = send(celery_app, document.id)
    wait_until(lambda: len(document.pages()) > 20, 30, "some pages stored")
    helper = helper_of(stack)
    os.kill(helper, signal.SIGKILL)
    assert result.get(timeout=60)["page_count"] == 400
    assert_pages_right(document, 400)


def test_worker_killed_in_the_middle_loses_nothing(stack: LabStack, pg: psycopg.Connection,
                                                   celery_app: celery.Celery) -> None:
    with stack.worker_with(LEASE_S="2", LEASE_RENEW_S="1"):
        document = store(stack, pg, pdf_numbered(400))
        result = send(celery_app, document.id)
        wait_until(lambda: len(document.pages()) > 20, 30, "some pages stored")
        stack.kill("worker")
        stored = len(document.pages())
        assert 0 < stored < 400
        stack.start_again("worker")
        assert result.get(timeout=60)["page_count"] == 400
    assert_pages_right(document, 400)


def test_stopped_worker_hands_its_task_back(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery,
                                            redis_client: redis.Redis) -> None:
    with stack.worker_with(WORKER_SHUTDOWN_S="1", PAGE_TIMEOUT_S="60"):
        document = store(stack, pg, pdf_endless(good_pages=2))
        send(celery_app, document.id)
        wait_until(lambda: len(document.pages()) == 2, 30, "the good pages stored")
        assert stack.stop_one("worker") == 0
        bodies = [base64.b64decode(json.loads(message)["body"]) for message in redis_client.lrange("celery", 0, -1)]
        assert sum(document.id.encode() in body for body in bodies) == 1  # another test's may wait for its next try
        assert redis_client.hlen("unacked") == 0
        assert document.row()["extraction_status"] == "pending"
        redis_client.delete("celery")
        stack.start_again("worker")


SLOW_COMMIT = """
CREATE FUNCTION commit_slowly() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(4711);
    RETURN NULL;
EXCEPTION WHEN query_canceled THEN
    RETURN NULL; -- what would end it comes too late
END $$;
CREATE CONSTRAINT TRIGGER commit_slowly AFTER UPDATE ON documents DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (new.extraction_status = 'completed') EXECUTE FUNCTION commit_slowly()"""


def test_hand_back_leaves_what_is_completed(stack: LabStack, pg: psycopg.Connection,
                                            celery_app: celery.Celery) -> None:
    """The commit of the text is under way when time is up: what it makes of the row stays. Redis is silent, so that
    the worker is still there when the commit ends."""
    document = store(stack, pg, pdf_numbered(2))
    pg.execute(SLOW_COMMIT)
    try:
        with stack.worker_with(WORKER_SHUTDOWN_S="0", LEASE_S="2", LEASE_RENEW_S="1"), stack.pg_connect() as holder:
            holder.execute("SELECT pg_advisory_lock(4711)")
            result = send(celery_app, document.id)
            wait_until(lambda: pg.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (1,), 30,
                       "the commit under way")
            stack.pause("redis")
            os.kill(stack.pid("worker"), signal.SIGTERM)
            wait_until(lambda: "time is up" in stack.log("worker"), 10, "the task handed back")
            holder.execute("SELECT pg_advisory_unlock(4711)")
            assert stack.stop_one("worker") == 0
            stack.resume("redis")
            assert document.row()["extraction_status"] == "completed"
            stack.start_again("worker")
            assert result.get(timeout=30)["page_count"] == 2
    finally:
        stack.resume("redis")
        pg.execute("DROP FUNCTION commit_slowly CASCADE")


def test_database_away_in_the_middle(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery) -> None:
    document = store(stack, pg, pdf_numbered(600))
    result = send(celery_app, document.id)
    wait_until(lambda: len(document.pages()) > 20, 30, "some pages stored")
    stack.kill("postgres")
    stack.start_again("postgres")
    assert result.get(timeout=60)["page_count"] == 600
    with stack.pg_connect() as again:
        assert_pages_right(Document(stack, again, document.id), 600)


def test_redis_that_forgot_everything(stack: LabStack, pg: psycopg.Connection, redis_client: redis.Redis) -> None:
    """Rows that are pending while Redis knows nothing of them are queued again by the worker's sweep."""
    with stack.worker_with(RECONCILE_S="1", RECONCILE_AGE_S="1"):
        documents = [store(stack, pg, pdf_numbered(2)) for _ in range(3)]
        redis_client.flushall()
        for document in documents:
            assert document.ended()["extraction_status"] == "completed"
            document.assert_chunks_whole()


def test_document_that_ends_every_worker_is_given_up(stack: LabStack, pg: psycopg.Connection) -> None:
    with stack.worker_with(RECONCILE_S="1", RECONCILE_AGE_S="1"):
        document = store(stack, pg, pdf_numbered(1))
        pg.execute("UPDATE documents SET extraction_status = 'processing', attempt = 20,"
                   " updated_at = now() - interval '1 minute' WHERE id = %s", [document.id])
        row = document.ended()
    assert (row["extraction_status"], row["error_code"]) == ("failed", "extractor_killed")
    assert "20 times" in row["error"]


def test_stale_run_changes_nothing(stack: LabStack, pg: psycopg.Connection, celery_app: celery.Celery) -> None:
    """Another run raised the attempt: this one's batches are refused. Its task is not told to have failed, since the
    other run may be the same task's: it comes again, and then answers with what the other has made of the document."""
    document = store(stack, pg, pdf_numbered(2000))
    result = send(celery_app, document.id)
    wait_until(lambda: len(document.pages()) > 20, 30, "some pages stored")
    pg.execute("UPDATE documents SET attempt = attempt + 1 WHERE id = %s", [document.id])
    wait_until(lambda: result.state == "RETRY", 60, "the task put off")
    assert "took over" in str(result.info)
    assert not document.chunks()
    assert document.row()["extraction_status"] == "processing"


TAKEN_OVER = """
CREATE FUNCTION taken_over() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER taken_over BEFORE UPDATE ON documents
    FOR EACH ROW WHEN (new.extraction_status = 'failed') EXECUTE FUNCTION taken_over()"""


def test_failure_of_a_run_that_was_taken_over_is_not_told(stack: LabStack, pg: psycopg.Connection,
                                                          celery_app: celery.Celery,
                                                          redis_client: redis.Redis) -> None:
    """What it could not write into the row neither its task nor a viewer hears: the other run still reads."""
    document = store(stack, pg, b"", "empty.pdf")
    pg.execute(TAKEN_OVER)
    try:
        result = send(celery_app, document.id)
        wait_until(lambda: result.state == "RETRY", 30, "the task put off")
    finally:
        pg.execute("DROP FUNCTION taken_over CASCADE")
    assert "took over" in str(result.info)
    assert document.row()["extraction_status"] == "processing"
    told = redis_client.xrange(f"progress-log:{document.id}")
    assert told and "failed" not in str(told)


def test_claim_sees_what_the_run_before_it_still_stores(stack: LabStack, pg: psycopg.Connection,
                                                        celery_app: celery.Celery) -> None:
    """It has to wait for that run's last batch: then page 1 is there, and is not read and stored a second time."""
    document = store(stack, pg, pdf_numbered(3))
    with stack.pg_connect() as before, before.transaction():
        before.execute("UPDATE documents SET updated_at = now() WHERE id = %s", [document.id])
        before.execute("INSERT INTO document_pages (document_id, page, text, source)"
                       " VALUES (%s, 1, 'of the run before', 'text')", [document.id])
        result = send(celery_app, document.id)
        wait_until(lambda: pg.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (1,), 30,
                   "the claim waiting")
    assert result.get(timeout=30)["page_count"] == 3
    assert document.pages()[0][1] == "of the run before"


# -- what the tests above look at ----------------------------------------------------------------------------------


def helper_of(stack: LabStack) -> int:
    pid = stack.pid("worker")
    (helper,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(helper)


def assert_pages_right(document: Document, count: int) -> None:
    pages = document.pages()
    assert [page for page, *_ in pages] == list(range(1, count + 1))
    for page, text, source, _ in pages:
        assert source == "text" and text.split() == page_text(page).split()
    document.assert_chunks_whole()
