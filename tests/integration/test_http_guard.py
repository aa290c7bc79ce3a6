# SPDX-License-Identifier: MIT
"""What the backend lets in: shapes of requests, origins, deadlines, and clients that are slow or many."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import time
from pathlib import Path

import httpx
import pytest

from dev.process import Process
from stack import LabStack, wait_until
from wire import PROBE, connect, exchange, read_all

# -- the guard: each followed by a second request that must not be answered from the first's bytes --------------------

HOST = b"Host: localhost\r\n"
REFUSED = {
    "length and chunked": (400, b"POST /cases HTTP/1.1\r\n" + HOST
                           + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "space before colon": (400, b"POST /cases HTTP/1.1\r\n" + HOST
                           + b"Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    "folded encoding": (400, b"POST /cases HTTP/1.1\r\n" + HOST
                        + b"Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    "two lengths": (400, b"POST /cases HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
    "encoding identity": (400, b"POST /cases HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: identity\r\n\r\n"),
    "encoding gzip": (400, b"POST /cases HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n"),
    "chunked in 1.0": (400, b"POST /cases HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "two hosts": (400, b"GET /livez HTTP/1.1\r\n" + HOST + b"Host: evil\r\n\r\n"),
    "no host": (400, b"GET /livez HTTP/1.1\r\n\r\n"),
    "host with user": (400, b"GET /livez HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    "absolute form": (400, b"GET http://evil/livez HTTP/1.1\r\n" + HOST + b"\r\n"),
    "bare CR": (400, b"GET /livez HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n"),
    "escaped NUL": (400, b"GET /documents/a%00b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "broken escape": (400, b"GET /documents/%zz HTTP/1.1\r\n" + HOST + b"\r\n"),
    "HTTP/1.2": (505, b"GET /livez HTTP/1.2\r\n" + HOST + b"\r\n"),
    "odd method": (405, b"BREW /livez HTTP/1.1\r\n" + HOST + b"\r\n"),
    "TRACE": (405, b"TRACE /livez HTTP/1.1\r\n" + HOST + b"\r\n"),
    "space in the query": (400, b"GET /livez?a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "endless target": (414, b"GET /" + b"a" * 13_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "2000 arguments": (414, b"GET /livez?" + b"a&" * 2000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "foreign host": (403, b"GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
    "foreign origin": (403, b"DELETE /documents/x HTTP/1.1\r\n" + HOST + b"Origin: https://evil.example\r\n\r\n"),
    "cross-site": (403, b"DELETE /documents/x HTTP/1.1\r\n" + HOST + b"Sec-Fetch-Site: cross-site\r\n\r\n"),
}
IN_STEP = {
    "GET with a body": b"GET /livez HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello",
    "trailers": (b"GET /livez HTTP/1.1\r\n" + HOST
                 + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n"),
    "HEAD": b"HEAD /livez HTTP/1.1\r\n" + HOST + b"\r\n",
    "own origin": b"GET /livez HTTP/1.1\r\n" + HOST + b"Origin: http://localhost\r\n\r\n",
}


@pytest.mark.parametrize("shape", REFUSED)
def test_bad_shape_is_refused_and_the_connection_closed(stack: LabStack, backend: Process, shape: str) -> None:
    status, request = REFUSED[shape]
    answers = exchange(stack.backend_url, request + PROBE, 2)
    assert [answer.status for answer in answers] == [status]


# What libmicrohttpd 0.9.75 and 1.0 answer in two ways, none of which gets out of step.
BY_VERSION = {
    "length of 2^64-1": ([[400], [413]], b"POST /cases HTTP/1.1\r\n" + HOST
                         + b"Content-Length: 18446744073709551615\r\n\r\n"),
    "chunk extensions": ([[200, 200], [400]], b"GET /livez HTTP/1.1\r\n" + HOST
                         + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("shape", BY_VERSION)
def test_shape_that_versions_see_differently(stack: LabStack, backend: Process, shape: str) -> None:
    expected, request = BY_VERSION[shape]
    assert [answer.status for answer in exchange(stack.backend_url, request + PROBE, 2)] in expected


@pytest.mark.parametrize("shape", IN_STEP)
def test_legal_shape_stays_in_step(stack: LabStack, backend: Process, shape: str) -> None:
    request = IN_STEP[shape]
    with connect(stack.backend_url) as connection:
        connection.sendall(request + PROBE)
        received = b""
        while received.count(b"HTTP/1.1 200") < 2:
            more = connection.recv(65536)
            assert more, received
            received += more
    assert received.endswith(b'{"status":"ok"}')


def test_old_health_checks_need_no_host(stack: LabStack, backend: Process) -> None:
    assert [answer.status for answer in exchange(stack.backend_url, b"GET /livez HTTP/1.0\r\n\r\n")] == [200]


def test_json_body_has_a_bound(stack: LabStack, client: httpx.Client) -> None:
    answer = client.post("/cases", content=b" " * 1_100_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413

    def endless() -> object:
        for _ in range(40):
            yield b" " * 65536
    answer = client.post("/cases", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_listed_origin_may_change_things(stack: LabStack) -> None:
    origin = {"Origin": "https://front.example", "Sec-Fetch-Site": "cross-site"}
    with stack.backend_with(BACKEND_ALLOWED_ORIGINS="https://front.example"):
        answer = stack.client.post("/cases", json={"title": "x"}, headers=origin)
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (201, "https://front.example")
        asked = stack.client.options("/cases", headers=origin)
        assert "POST" in asked.headers["Access-Control-Allow-Methods"]
        assert "Location" in answer.headers["Access-Control-Expose-Headers"]
        assert answer.headers["Vary"] == "Origin"
        other = stack.client.post("/cases", json={"title": "x"}, headers={"Origin": "https://evil.example"})
        assert other.status_code == 403
        assert "Access-Control-Allow-Origin" not in stack.client.get("/livez").headers


def test_listed_origin_may_read_refusals_and_streams(stack: LabStack) -> None:
    """Also those answers that libmicrohttpd does not send: early refusals, and streams with what stands instead."""
    client, origin = stack.client, {"Origin": "https://front.example"}
    with stack.backend_with(BACKEND_ALLOWED_ORIGINS=origin["Origin"], MAX_UPLOAD_BYTES="1000"):
        done = client.post("/documents", files={"file": ("a.txt", b"A")}).json()["id"]
        with stack.pg_connect() as pg:
            pg.execute("UPDATE documents SET extraction_status = 'completed', updated_at = now() WHERE id = %s", [done])
        with client.stream("GET", f"/documents/{done}/progress", headers=origin) as live:
            last_id = next(line for line in live.iter_lines() if line.startswith("id:"))[3:].strip()
        answers = {
            413: client.post("/documents", files={"file": ("a.bin", b"x" * 2_000_000)}, headers=origin),
            422: client.post("/documents", content=b"x", headers=origin),
            404: client.get("/documents/none/progress", headers=origin),
            204: client.get(f"/documents/{done}/progress", headers=origin | {"Last-Event-ID": last_id}),
            200: live,
        }
        for status, answer in answers.items():
            assert answer.status_code == status
            assert answer.headers["Access-Control-Allow-Origin"] == origin["Origin"], status
            assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"], status
            assert answer.headers["Vary"] == "Origin", status


# -- deadlines --------------------------------------------------------------------------------------------------------

def drip(connection: socket.socket, byte: bytes, until_s: float) -> float:
    """A byte each 50 ms until the other side ends it; the seconds that took."""
    started = time.monotonic()
    connection.settimeout(0.05)
    while time.monotonic() - started < until_s:
        try:
            connection.sendall(byte)
            if not connection.recv(65536):
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return time.monotonic() - started


@pytest.mark.parametrize("start", [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nX: "])
def test_dripping_head_is_ended(stack: LabStack, start: bytes) -> None:
    with stack.backend_with(BACKEND_HEADER_TIMEOUT_MS="1000"), connect(stack.backend_url) as connection:
        connection.sendall(start)
        assert drip(connection, b"a", 10) < 4
        assert stack.client.get("/livez").status_code == 200


def test_dripping_body_is_ended(stack: LabStack, client: httpx.Client) -> None:
    with connect(stack.backend_url) as connection:
        connection.sendall(b"POST /cases HTTP/1.1\r\n" + HOST
                           + b"Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
        assert 8 < drip(connection, b" ", 20) < 13


def test_many_slow_connections_disturb_nobody(stack: LabStack, client: httpx.Client) -> None:
    with contextlib.ExitStack() as open_ones:
        for _ in range(300):
            open_ones.enter_context(connect(stack.backend_url)).sendall(b"GET /livez HTTP/1.1\r\nX: ")
        started = time.monotonic()
        for _ in range(50):
            assert client.get("/livez").status_code == 200
        assert time.monotonic() - started < 5


def test_few_descriptors_are_no_disaster(stack: LabStack) -> None:
    with stack.backend_with() as process:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (64, 64))
        with contextlib.ExitStack() as open_ones:
            for _ in range(100):
                open_ones.enter_context(connect(stack.backend_url))
            waiting = open_ones.enter_context(connect(stack.backend_url, timeout_s=1))
            spent = cpu_s(process.pid)
            with pytest.raises(TimeoutError):
                waiting.recv(1)  # nobody answers: a second passes
            assert cpu_s(process.pid) - spent < 0.3
        wait_until(lambda: stack.client.get("/livez").status_code == 200, 5, "serves again")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def document_make(client: httpx.Client) -> str:
    answer = client.post("/documents", files={"file": ("a.txt", b"text", "text/plain")})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def test_pipelined_requests_are_answered_in_order(stack: LabStack, client: httpx.Client) -> None:
    documents = [document_make(client) for _ in range(5)]
    request = b"".join(f"GET /documents/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for name in documents)
    answers = exchange(stack.backend_url, request, 5)
    assert [json.loads(answer.body)["id"] for answer in answers] == documents


def test_closed_connection_is_told(stack: LabStack, backend: Process) -> None:
    with connect(stack.backend_url) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert read_all(connection).endswith(b'{"status":"ok"}')
