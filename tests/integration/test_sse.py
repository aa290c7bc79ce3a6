# SPDX-License-Identifier: MIT
"""Progress as event streams: order, resume, several documents, cases, slow and vanished viewers, the end."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import psycopg
import pytest
import redis

from dev.process import Process
from stack import LabStack, wait_until
from wire import Publisher, Stream, connect, stream

# Sanitizers need memory of their own.
SANITIZED = bool(os.environ.get("ASAN_OPTIONS"))


@pytest.fixture
def publisher(pg: psycopg.Connection, redis_client: redis.Redis) -> Publisher:
    return Publisher(pg, redis_client)


@pytest.fixture
def url(stack: LabStack, backend: Process) -> str:
    return stack.backend_url


def document_make(client: httpx.Client, case_id: str | None = None) -> str:
    path = f"/cases/{case_id}/documents" if case_id else "/documents"
    answer = client.post(path, files={"file": ("a.txt", secrets.token_bytes(10), "text/plain")})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def steps(events: list) -> list[tuple[int, str]]:
    return [(event.data["progress"], event.data["step"]) for event in events]


def viewers(client: httpx.Client) -> int:
    metrics = client.get("/metrics").text
    return int(metrics.split("\nlex_backend_progress_streams ")[1].split()[0])


# -- one document -----------------------------------------------------------------------------------------------------

def test_stream_shows_the_state_then_each_step_then_ends(url: str, client: httpx.Client, publisher: Publisher) -> None:
    document = document_make(client)
    with stream(url, f"/api/documents/{document}/progress") as live:
        assert live.status == 200
        assert live.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert live.headers["cache-control"] == "no-cache, no-transform"
        assert live.headers["x-accel-buffering"] == "no"
        first = live.event()
        assert first.data["progress"] == 0
        assert live.comments[0] == ""  # a line that was flushed at once
        ids = [publisher.say(document, 10, message="Extracted text from page 1 of 10"),
               publisher.say(document, 90, "storing"), publisher.say(document, 100, "completed", "Done")]
        events = live.events()
    assert steps(events) == [(10, "extracting"), (90, "storing"), (100, "completed")]
    assert [event.id for event in events] == ids
    assert events[0].data["message"] == "Extracted text from page 1 of 10"
    with stream(url, f"/documents/{document}/progress", last_id=ids[-1]) as again:
        assert (again.status, again.body) == (204, b"")
    with stream(url, f"/documents/{document}/progress") as fresh:
        assert steps(fresh.events()) == [(100, "completed")]


def test_messages_of_python_publishers_are_heard(url: str, client: httpx.Client, publisher: Publisher,
                                                 redis_client: redis.Redis) -> None:
    document = document_make(client)
    with stream(url, f"/documents/{document}/progress") as live:
        live.event()
        publisher.say_only(document, 45, message='one\nline "quoted" \u2028 é')
        event = live.event()
    assert (event.data["progress"], event.data["message"]) == (45, 'one\nline "quoted" \u2028 é')


def test_resume_has_no_gap_and_no_duplicate(url: str, client: httpx.Client, publisher: Publisher) -> None:
    document = document_make(client)
    sent = [publisher.say(document, 1)]
    seen: list[str] = []
    with stream(url, f"/documents/{document}/progress") as live:
        seen.append(live.event().id)
        for percent in range(2, 30):
            sent.append(publisher.say(document, percent))
        for _ in range(10):
            seen.append(live.event().id)
    for percent in range(30, 40):
        sent.append(publisher.say(document, percent))
    with stream(url, f"/documents/{document}/progress?last_event_id={seen[-1]}") as live:
        sent.append(publisher.say(document, 100, "completed"))
        seen += [event.id for event in live.events()]
    assert seen == sent


@pytest.mark.parametrize("last_id", ["0-0", "1-1", "99999999999999-0", "nonsense", "x" * 10_000, "-1", "1" * 40])
def test_strange_last_id_gets_the_present_state(url: str, client: httpx.Client, publisher: Publisher,
                                                last_id: str) -> None:
    document = document_make(client)
    publisher.say(document, 30)
    with stream(url, f"/documents/{document}/progress", last_id=last_id) as live:
        assert live.status == 200
        assert live.event().data["progress"] == 30
        publisher.say(document, 31)
        assert live.event().data["progress"] == 31


def test_strange_messages_are_one_event_each(url: str, client: httpx.Client, publisher: Publisher) -> None:
    document = document_make(client)
    with stream(url, f"/documents/{document}/progress") as live:
        live.event()
        for percent, message in enumerate(["a\r\nid: 9\r\ndata: x", "\u2028\u2029\x0b\x0c", "</script>", "é" * 500], 1):
            publisher.say(document, percent, message=message)
            assert live.event().data["message"] == message


def test_failed_document_ends_with_its_reason(url: str, client: httpx.Client, pg: psycopg.Connection) -> None:
    document = document_make(client)
    pg.execute("UPDATE documents SET extraction_status = 'failed', error = 'The file is damaged.',"
               " error_class = 'permanent', error_code = 'file_damaged', updated_at = now() WHERE id = %s", [document])
    with stream(url, f"/documents/{document}/progress") as live:
        events = live.events()
    assert events[-1].data["step"] == "failed"
    assert events[-1].data["message"] == "The file is damaged."
    with stream(url, f"/documents/{document}/progress", last_id=events[-1].id) as again:
        assert again.status == 204


def test_deleted_document_ends_its_streams(url: str, client: httpx.Client) -> None:
    case = client.post("/cases", json={"title": "x"}).json()["id"]
    document, other = document_make(client, case), document_make(client)
    paths = (f"/documents/{document}/progress", f"/cases/{case}/progress",
             f"/progress?document_id={document}&document_id={other}")
    with contextlib.ExitStack() as open_ones:
        lives = [open_ones.enter_context(stream(url, path)) for path in paths]
        for live in lives:
            while live.event().data.get("document_id", document) != document:
                pass
        assert client.delete(f"/documents/{document}").status_code == 204
        for live in lives:
            event = live.event()
            while event.data.get("document_id", document) != document:
                event = live.event()
            assert (event.data["step"], event.data["final"]) == ("failed", True)
        assert lives[0].event() is None
    with stream(url, paths[0], last_id=lives[0].last_id) as again:
        assert again.status == 404


def test_unknown_document_is_404_as_json(url: str) -> None:
    with stream(url, "/documents/none/progress") as live:
        assert live.status == 404
        assert live.headers["content-type"] == "application/json"
        assert "none" in json.loads(live.body)["detail"]


def test_pipelined_bytes_after_a_stream_are_ignored(url: str, client: httpx.Client, publisher: Publisher) -> None:
    document = document_make(client)
    with connect(url) as connection:
        connection.sendall(f"GET /documents/{document}/progress HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                           + b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        publisher.say(document, 100, "completed")
        received = b""
        while part := connection.recv(65536):
            received += part
    assert received.count(b"HTTP/1.1 ") == 1
    assert b'"completed"' in received


# -- several documents ------------------------------------------------------------------------------------------------

def test_several_documents_share_a_stream(url: str, client: httpx.Client, publisher: Publisher) -> None:
    first, second = (document_make(client) for _ in range(2))
    path = f"/api/progress?document_id={first}&document_id={second}&document_id={first}"
    with stream(url, path) as live:
        assert {live.event().data["document_id"] for _ in range(2)} == {first, second}
        publisher.say(second, 50)
        assert live.event().data == {"document_id": second, "progress": 50, "step": "extracting", "message": "",
                                     "id": live_id(publisher, second)}
        publisher.say(first, 100, "completed")
        assert live.event().data["document_id"] == first
        live.connection.settimeout(5)
        wait_until(lambda: live.last_id == "f1" or peek(live), 5, "the id says that the first is over")
    # Meanwhile the second ends: the reconnect is told, and nothing of the first.
    publisher.say(second, 100, "completed")
    with stream(url, path, last_id="f1") as again:
        events = again.events()
        assert [(event.data["document_id"], event.data["step"]) for event in events] == [(second, "completed")]
        assert again.last_id == "f3"
    with stream(url, path, last_id="f3") as over:
        assert over.status == 204


def live_id(publisher: Publisher, document: str) -> str:
    return publisher.redis.xrevrange(f"progress-log:{document}", count=1)[0][0]


def peek(live: object) -> bool:
    """Takes what came into the last id, without waiting for an event."""
    with contextlib.suppress(TimeoutError):
        live.event(0.2)
    return False


def test_unknown_document_among_several_fails_alone(url: str, client: httpx.Client, publisher: Publisher) -> None:
    document = document_make(client)
    with stream(url, f"/progress?document_id={document}&document_id=none") as live:
        events = {event.data["document_id"]: event.data for event in (live.event(), live.event())}
        assert (events["none"]["step"], events["none"]["final"]) == ("failed", True)
        publisher.say(document, 20)
        assert live.event().data["progress"] == 20


@pytest.mark.parametrize("query", ["", "?document_id=", "?" + "&".join(f"document_id=d{n}" for n in range(201))])
def test_wrong_number_of_documents_is_422(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/progress{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "document_id"]


def test_two_hundred_documents_share_a_stream(url: str, client: httpx.Client, publisher: Publisher,
                                              pg: psycopg.Connection) -> None:
    names = [f"many-{secrets.token_hex(12)}" for _ in range(200)]
    with pg.cursor() as cursor:
        cursor.executemany("INSERT INTO documents (id, file_name) VALUES (%s, 'a.txt')", [[name] for name in names])
    with stream(url, "/progress?" + "&".join(f"document_id={name}" for name in names)) as live:
        assert {live.event().data["document_id"] for _ in names} == set(names)
        for name in names:
            publisher.say(name, 100, "completed")
        assert len(live.events(30)) == 200
        assert live.last_id == "f" + "f" * 50


# -- a case -----------------------------------------------------------------------------------------------------------

def test_case_stream_finds_new_documents(url: str, client: httpx.Client, publisher: Publisher,
                                         pg: psycopg.Connection) -> None:
    case = client.post("/cases", json={"title": "x"}).json()["id"]
    known = document_make(client, case)
    with stream(url, f"/api/cases/{case}/progress") as live:
        assert live.event().data["document_id"] == known
        uploaded = document_make(client, case)
        assert live.event(1.5).data["document_id"] == uploaded  # at once: it came through this process
        elsewhere = f"elsewhere-{secrets.token_hex(6)}"
        pg.execute("INSERT INTO documents (id, case_id, file_name) VALUES (%s, %s, 'b.txt')", [elsewhere, case])
        assert live.event(5).data["document_id"] == elsewhere
        publisher.say(known, 100, "completed")
        final = live.event().data
        assert (final["document_id"], final["step"], final["final"]) == (known, "completed", True)
        publisher.say(elsewhere, 40)
        assert live.event().data == {"document_id": elsewhere, "progress": 40, "step": "extracting", "message": "",
                                     "id": live_id(publisher, elsewhere)}
        last_id = live.last_id
    assert last_id.startswith("t")
    publisher.say(uploaded, 100, "completed")
    with stream(url, f"/cases/{case}/progress", last_id=last_id) as again:
        told = {}
        while set(told) != {uploaded, elsewhere} and len(told) < 4:
            event = again.event()
            told[event.data["document_id"]] = event.data["step"]
            told.pop(known, None)
        assert told == {uploaded: "completed", elsewhere: "extracting"}


def test_case_stream_of_an_empty_case_stays(url: str, client: httpx.Client) -> None:
    case = client.post("/cases", json={"title": "x"}).json()["id"]
    with stream(url, f"/cases/{case}/progress") as live:
        assert live.status == 200
        document = document_make(client, case)
        assert live.event().data["document_id"] == document


def test_unknown_case_is_404(url: str) -> None:
    with stream(url, "/cases/none/progress") as live:
        assert live.status == 404


MANY = 1500  # more than a case's stream listens to, reads or remembers at a time


def many_make(pg: psycopg.Connection, case: str, status: str = "pending") -> set[str]:
    name = f"many-{secrets.token_hex(6)}"
    pg.execute("INSERT INTO documents (id, case_id, file_name, extraction_status)"
               " SELECT %s || n, %s, 'a.txt', %s FROM generate_series(1, %s) n", [name, case, status, MANY])
    return {f"{name}{number}" for number in range(1, MANY + 1)}


def ends_told(live: Stream, wanted: set[str]) -> set[str]:
    """Of these, whose end was told within 20 s."""
    told: set[str] = set()
    deadline = time.monotonic() + 20
    with contextlib.suppress(TimeoutError):
        while not told >= wanted and (event := live.event(deadline - time.monotonic())):
            if event.data["step"] == "completed":
                told.add(event.data["document_id"])
    return told


def test_case_stream_tells_many_that_end_at_once(url: str, client: httpx.Client, pg: psycopg.Connection) -> None:
    case = client.post("/cases", json={"title": "x"}).json()["id"]
    with stream(url, f"/cases/{case}/progress") as live:
        many = many_make(pg, case, "completed")
        assert ends_told(live, many) == many


def test_case_stream_resumed_tells_many(url: str, client: httpx.Client, pg: psycopg.Connection) -> None:
    """Also when it breaks off while it tells them."""
    case = client.post("/cases", json={"title": "x"}).json()["id"]
    since = f"t{int((time.time() - 3600) * 1e6)}"
    many = many_make(pg, case, "completed")
    pg.execute("UPDATE documents SET updated_at = now() - interval '30 minutes' WHERE case_id = %s", [case])
    with stream(url, f"/cases/{case}/progress", last_id=since) as live:
        told = {live.event().data["document_id"] for _ in range(300)}
        last_id = live.last_id
    with stream(url, f"/cases/{case}/progress", last_id=last_id) as live:
        assert told | ends_told(live, many - told) == many


def test_case_stream_tells_ends_while_many_wait(url: str, client: httpx.Client, pg: psycopg.Connection) -> None:
    """Unfinished documents that take all places do not keep the others' ends away."""
    case = client.post("/cases", json={"title": "x"}).json()["id"]
    many_make(pg, case)
    with stream(url, f"/cases/{case}/progress") as live:
        assert live.event().data["step"] == "starting"
        ended = many_make(pg, case, "completed")
        assert ends_told(live, ended) == ended


def test_case_stream_tells_a_run_between_two_looks(url: str, client: httpx.Client, publisher: Publisher,
                                                   pg: psycopg.Connection) -> None:
    """Begun through another process, and over before the next look."""
    case = client.post("/cases", json={"title": "x"}).json()["id"]
    document = document_make(client, case)
    with stream(url, f"/cases/{case}/progress") as live:
        assert live.event().data["step"] == "starting"
        publisher.say(document, 100, "completed")
        assert live.event().data["step"] == "completed"
        other = document_make(client)
        pg.execute("UPDATE documents SET case_id = %s WHERE id = %s", [case, other])
        assert live.event().data["document_id"] == other  # a look went by
        publisher.redis.delete(f"progress-log:{document}")
        pg.execute("UPDATE documents SET attempt = attempt + 2, extraction_status = 'failed', error = 'Anew.',"
                   " updated_at = now() WHERE id = %s", [document])
        event = live.event()
        assert (event.data["document_id"], event.data["message"]) == (document, "Anew.")
        with pytest.raises(TimeoutError):
            live.event(5)  # once


def test_case_stream_ends_with_its_case(url: str, client: httpx.Client) -> None:
    case = client.post("/cases", json={"title": "x"}).json()["id"]
    with stream(url, f"/cases/{case}/progress") as live:
        assert client.delete(f"/cases/{case}").status_code == 204
        assert live.events() == []
        assert 1000 <= live.retry <= 5000
    with stream(url, f"/cases/{case}/progress", last_id=live.last_id) as again:
        assert again.status == 404


# -- pings, ages, bounds ----------------------------------------------------------------------------------------------

def test_quiet_stream_is_pinged(stack: LabStack) -> None:
    with stack.backend_with(STREAM_PING_S="1"):
        document = document_make(stack.client)
        with stream(stack.backend_url, f"/documents/{document}/progress") as live:
            live.event()
            live.comment("ping", 5)


def test_stream_ends_at_its_age_and_resumes(stack: LabStack, publisher: Publisher) -> None:
    with stack.backend_with(STREAM_AGE_MAX_S="1"):
        document = document_make(stack.client)
        publisher.say(document, 1)
        with stream(stack.backend_url, f"/documents/{document}/progress") as live:
            assert len(live.events(6)) == 1
            assert 1000 <= live.retry <= 5000
        publisher.say(document, 2)
        with stream(stack.backend_url, f"/documents/{document}/progress", last_id=live.last_id) as again:
            assert again.event().data["progress"] == 2


def test_one_viewer_too_many_gets_503(stack: LabStack) -> None:
    with stack.backend_with(BACKEND_STREAMS_MAX="3"), contextlib.ExitStack() as open_ones:
        document = document_make(stack.client)
        path = f"/documents/{document}/progress"
        for _ in range(3):
            assert open_ones.enter_context(stream(stack.backend_url, path)).status == 200
        refused = stack.client.get(path)
        assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
        open_ones.close()
        wait_until(lambda: viewers(stack.client) == 0, 5, "the viewers are gone")
        with stream(stack.backend_url, path) as live:
            assert live.status == 200


def test_viewers_that_leave_are_noticed(url: str, client: httpx.Client) -> None:
    document = document_make(client)
    before = viewers(client)
    with contextlib.ExitStack() as open_ones:
        for _ in range(20):
            open_ones.enter_context(stream(url, f"/documents/{document}/progress"))
        assert viewers(client) == before + 20
    wait_until(lambda: viewers(client) == before, 5, "they are noticed")


def test_slow_reader_gets_the_newest_state(stack: LabStack, url: str, client: httpx.Client,
                                           publisher: Publisher) -> None:
    """One that reads nothing is bounded, skips, and ends up with the final state; a fast one misses nothing of it."""
    document = document_make(client)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        host, port = url.removeprefix("http://").split(":")
        slow.connect((host, int(port)))
        slow.sendall(f"GET /documents/{document}/progress HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        with stream(url, f"/documents/{document}/progress") as fast:
            fast.event()
            rss = rss_kb(stack.pid("backend"))
            for number in range(4000):
                publisher.say(document, number // 41, message="x" * 1500)
            publisher.say(document, 100, "completed")
            last = fast.events(30)[-1]
            assert last.data["step"] == "completed"
            assert SANITIZED or rss_kb(stack.pid("backend")) - rss < 4000
        received = b""
        slow.settimeout(30)
        while part := slow.recv(65536):
            received += part
    assert b'"completed"' in received.splitlines()[-2]
    assert received.count(b"data: ") < 4001


def rss_kb(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])


def test_viewer_costs_few_kilobytes(stack: LabStack) -> None:
    if SANITIZED:
        pytest.skip("sanitizers need memory of their own")
    with stack.backend_with() as process, contextlib.ExitStack() as open_ones:
        documents = [document_make(stack.client) for _ in range(50)]
        paths = [f"/documents/{document}/progress" for document in documents]
        for path in paths:
            open_ones.enter_context(stream(stack.backend_url, path))
        before = rss_kb(process.pid)
        for number in range(350):
            open_ones.enter_context(stream(stack.backend_url, paths[number % 50]))
        assert (rss_kb(process.pid) - before) / 350 <= 5


# -- the servers, the end ---------------------------------------------------------------------------------------------

def test_stream_survives_redis(stack: LabStack, url: str, client: httpx.Client, publisher: Publisher) -> None:
    document = document_make(client)
    publisher.say(document, 10)
    with stream(url, f"/documents/{document}/progress") as live:
        assert live.event().data["progress"] == 10
        stack.kill("redis")
        stack.start_again("redis")
        wait_until(lambda: publisher.redis.ping(), 10, "Redis answers")
        publisher.say(document, 20)
        event = live.event(15)
        assert event.data["progress"] == 20, event
        publisher.redis.flushall()
        publisher.say(document, 30)
        assert live.event(15).data["progress"] == 30


def test_streams_end_with_retry_when_it_stops(stack: LabStack, backend: Process) -> None:
    document = document_make(stack.client)
    pauses = set()
    with contextlib.ExitStack() as open_ones:
        lives = [open_ones.enter_context(stream(stack.backend_url, f"/documents/{document}/progress"))
                 for _ in range(10)]
        for live in lives:
            live.event()
        os.kill(stack.pid("backend"), signal.SIGTERM)
        for live in lives:
            live.events()
            pauses.add(live.retry)
    assert len(pauses) > 3
    assert all(1000 <= pause <= 5000 for pause in pauses)
    assert stack.stop_one("backend") == 0


def test_hundred_viewers_are_served_together(url: str, client: httpx.Client, publisher: Publisher) -> None:
    document = document_make(client)
    with contextlib.ExitStack() as open_ones:
        lives = [open_ones.enter_context(stream(url, f"/documents/{document}/progress")) for _ in range(100)]
        for live in lives:
            live.event()
        for percent in (10, 20, 30):
            publisher.say(document, percent)
            assert {live.event().data["progress"] for live in lives} == {percent}


def test_viewers_come_and_go_while_it_is_said(url: str, client: httpx.Client, publisher: Publisher) -> None:
    """Each viewer, whenever it comes, sees rising progress up to the end."""
    documents = [document_make(client) for _ in range(4)]
    failures: list[str] = []

    def view(document: str) -> None:
        with stream(url, f"/documents/{document}/progress", timeout_s=30) as live:
            seen = [event.data["progress"] for event in live.events(30)]
            if seen != sorted(seen) or seen[-1] != 100:
                failures.append(f"{document}: {seen}")
    threads = []
    for percent in range(0, 101, 2):
        for document in documents:
            threads.append(threading.Thread(target=view, args=(document,)))
            threads[-1].start()
            publisher.say(document, percent, "completed" if percent == 100 else "extracting")
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]


def test_latency_is_far_below_a_second(url: str, client: httpx.Client, publisher: Publisher) -> None:
    document = document_make(client)
    with stream(url, f"/documents/{document}/progress") as live:
        live.event()
        started = time.monotonic()
        for percent in range(1, 51):
            publisher.say(document, percent)
            assert live.event().data["progress"] == percent
        assert time.monotonic() - started < 5
