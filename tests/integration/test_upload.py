# SPDX-License-Identifier: MIT
"""Uploads: what becomes of good ones, and that bad ones leave neither a row nor a file."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import resource
import secrets
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from dev.process import Process
from stack import LabStack, wait_until
from wire import BOUNDARY, FORM_TYPE, connect, exchange, form, part, read_answers


def send(client: httpx.Client, body: bytes, path: str = "/documents") -> httpx.Response:
    return client.post(path, content=body, headers=FORM_TYPE)


def upload(client: httpx.Client, content: bytes, name: str | bytes = "a.txt", **fields: bytes) -> httpx.Response:
    parts = [part(field, value) for field, value in fields.items()]
    return send(client, form(*parts, part("file", content, name, Content_Type="text/plain")))


@pytest.fixture(autouse=True)
def nothing_left(stack: LabStack, client: httpx.Client) -> Iterator[None]:
    """After each test: no temporary file, and no file more that no document has."""
    before = files_of(stack)
    yield
    if "backend" not in stack.processes or not stack.processes["backend"].alive:
        return
    wait_until(lambda: "lex_backend_releases 0" in client.get("/metrics").text, 10, "removals are over")
    wait_until(lambda: not list((stack.uploads / "tmp").iterdir()), 10, "no temporary file is left")
    with stack.pg_connect() as pg:
        known = {path for (path,) in pg.execute("SELECT file_path FROM documents")}
    left = files_of(stack) - before - known
    assert not left, f"files without a document: {left}"


def files_of(stack: LabStack) -> set[str]:
    return {str(file.relative_to(stack.uploads)) for file in stack.uploads.glob("??/*")}


def count(pg: psycopg.Connection) -> int:
    return pg.execute("SELECT count(*) FROM documents").fetchone()[0]


# -- good ones --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("size", [1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 32 * 1024, 65536, 3_000_000])
def test_file_is_stored_by_its_digest(client: httpx.Client, stack: LabStack, size: int) -> None:
    content = secrets.token_bytes(size)
    answer = upload(client, content)
    assert answer.status_code == 201, answer.text
    document = answer.json()
    digest = hashlib.sha256(content).hexdigest()
    assert (document["sha256"], document["byte_size"]) == (digest, size)
    assert document["file_path"] == f"{digest[:2]}/{digest}"
    assert (document["extraction_status"], document["attempt"]) == ("pending", 0)
    assert document["content_type"] == "text/plain"
    assert (stack.uploads / document["file_path"]).read_bytes() == content
    assert answer.headers["Location"] == f"/documents/{document['id']}"
    assert client.get(answer.headers["Location"]).json() == document
    assert client.get(f"/api/documents/{document['id']}/file").content == content


def test_document_takes_the_id_and_case_of_the_form(client: httpx.Client, pg: psycopg.Connection) -> None:
    case = client.post("/cases", json={"title": "x"}).json()["id"]
    name = f"doc-{secrets.token_hex(4)}"
    body = form(part("file", b"text", "a.txt"), part("case_id", case.encode()), part("id", name.encode()),
                part("unknown", b"ignored"))
    document = send(client, body).json()
    assert (document["id"], document["case_id"]) == (name, case)
    again = send(client, body)
    assert (again.status_code, name in again.json()["detail"]) == (409, True)
    row = pg.execute("SELECT id, file_name, extraction_status FROM documents WHERE id = %s", [name]).fetchone()
    assert row == (name, "a.txt", "pending")


def test_last_of_two_fields_counts(client: httpx.Client) -> None:
    cases = [client.post("/cases", json={"title": "x"}).json()["id"] for _ in range(2)]
    names = [f"twice-{secrets.token_hex(6)}" for _ in range(2)]
    body = form(*(part("id", name.encode()) for name in names), *(part("case_id", case.encode()) for case in cases),
                part("file", b"A", "a.txt"))
    document = client.post("/documents", content=body, headers=FORM_TYPE).json()
    assert (document["id"], document["case_id"]) == (names[1], cases[1])


def test_empty_fields_are_none(client: httpx.Client) -> None:
    document = upload(client, b"text", case_id=b"", id=b"").json()
    assert document["case_id"] is None
    assert document["id"]


def test_document_of_a_case_by_its_path(client: httpx.Client) -> None:
    case = client.post("/cases", json={"title": "x"}).json()["id"]
    answer = send(client, form(part("file", b"text", "a.txt")), f"/api/cases/{case}/documents")
    assert (answer.status_code, answer.json()["case_id"]) == (201, case)


@pytest.mark.parametrize(("sent", "stored"), [
    ("../../etc/passwd", "passwd"), ("C:\\dir\\will.pdf", "will.pdf"), ("a\\\"b.pdf", 'a"b.pdf'),
    ("naïve €.pdf", "naïve €.pdf"), ("a%22b.pdf", 'a"b.pdf'), ("a%2fb.pdf", "a%2fb.pdf"),
    ("x" * 255, "x" * 255), ("\u202efdp.exe", "fdp.exe"), (" a ", "a"), ("tab\there", "tabhere"),
])
def test_name_is_cleaned(client: httpx.Client, sent: str, stored: str) -> None:
    assert upload(client, b"text", sent).json()["file_name"] == stored


def test_extended_name_comes_first(client: httpx.Client) -> None:
    head = b"; filename*=UTF-8''na%C3%AFve.pdf"
    body = form(part("file", b"text", "plain.pdf").replace(b'"plain.pdf"', b'"plain.pdf"' + head))
    assert send(client, body).json()["file_name"] == "naïve.pdf"


def test_body_may_come_byte_by_byte(stack: LabStack, client: httpx.Client) -> None:
    body = form(part("file", b"slow\r\n--not-it\r\n", "a.txt"))
    head = (f"POST /documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}"
            f"\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    with connect(stack.backend_url) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head + body:
            connection.sendall(bytes([byte]))
        assert [answer.status for answer in read_answers(connection, 1)] == [201]


def test_body_may_be_chunked(client: httpx.Client) -> None:
    body = form(part("file", b"x" * 200_000, "a.txt"))
    answer = client.post("/documents", content=(body[at:at + 7000] for at in range(0, len(body), 7000)),
                         headers=FORM_TYPE)
    assert (answer.status_code, answer.json()["byte_size"]) == (201, 200_000)


def test_same_file_at_once_is_stored_once(stack: LabStack, client: httpx.Client, pg: psycopg.Connection) -> None:
    """Uploads and deletes of one content, all at the same time: each document that is there has its file."""
    content = secrets.token_bytes(50_000)

    def work(keep: bool) -> None:
        with httpx.Client(base_url=stack.backend_url, timeout=30) as own:
            for _ in range(15):
                document = upload(own, content)
                assert document.status_code == 201, document.text
                if not keep:
                    assert own.delete(f"/documents/{document.json()['id']}").status_code == 204
    threads = [threading.Thread(target=work, args=(number == 0,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    digest = hashlib.sha256(content).hexdigest()
    assert pg.execute("SELECT count(*) FROM documents WHERE sha256 = %s", [digest]).fetchone()[0] == 15
    assert (stack.uploads / digest[:2] / digest).read_bytes() == content


# -- bad ones ---------------------------------------------------------------------------------------------------------

HEAD = b'Content-Disposition: form-data; name="file"; filename="a.txt"'
BAD = {
    "no file part": (422, form(part("case_id", b"x"))),
    "text instead of a file": (422, form(part("file", b"text"))),
    "empty file": (422, form(part("file", b"", "a.txt"))),
    "two files": (422, form(part("file", b"1", "a"), part("file", b"2", "b"))),
    "no name": (422, form(part("file", b"1", ""))),
    "name of a folder": (422, form(part("file", b"1", "dir/"))),
    "dots": (422, form(part("file", b"1", ".."))),
    "NUL in the name": (422, form(part("file", b"1", b"a\0.pdf"))),
    "escaped NUL in the name": (422, form(part("file", b"1", "a").replace(b'filename="a"', b"filename*=UTF-8''a%00"))),
    "name that is not UTF-8": (422, form(part("file", b"1", b"\xff.pdf"))),
    "name of 256": (422, form(part("file", b"1", "x" * 256))),
    "name of 10 000": (422, form(part("file", b"1", "x" * 10_000))),
    "unknown case": (422, form(part("file", b"1", "a"), part("case_id", b"no-such-case"))),
    "id of 256": (422, form(part("file", b"1", "a"), part("id", b"x" * 256))),
    "id of 10 000": (422, form(part("file", b"1", "a"), part("id", b"x" * 10_000))),
    "NUL in the id": (422, form(part("file", b"1", "a"), part("id", b"a\0b"))),
    "id that is not UTF-8": (422, form(part("file", b"1", "a"), part("id", b"\xff"))),
    "nothing": (400, b""),
    "no closing boundary": (400, form(part("file", b"1", "a"))[:-6]),
    "cut in the file": (400, form(part("file", b"1" * 1000, "a"))[:200]),
    "bare LF": (400, form(part("file", b"1", "a")).replace(b"\r\n", b"\n")),
    "21 parts": (400, form(*[part("x", b"1")] * 21)),
    "long head": (400, form(part("file", b"1", "a", X="x" * 20_000))),
    "endless preamble": (400, b"x" * 20_000 + form(part("file", b"1", "a"))),
    "head without an end": (400, f"--{BOUNDARY}\r\n".encode() + HEAD),
    "base64": (400, form(part("file", b"MQ==", "a", Content_Transfer_Encoding="base64"))),
    "quote without an end": (400, form(part("file", b"1", "a").replace(b'filename="a"', b'filename="a'))),
}


@pytest.mark.parametrize("shape", BAD)
def test_bad_form_leaves_nothing(client: httpx.Client, pg: psycopg.Connection, shape: str) -> None:
    status, body = BAD[shape]
    before = count(pg)
    answer = send(client, body)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert count(pg) == before


@pytest.mark.parametrize("content_type", [None, "application/pdf", "multipart/form-data", "multipart/mixed; boundary=x",
                                          "multipart/form-data; boundary=" + "x" * 71])
def test_what_is_no_form_is_422(client: httpx.Client, content_type: str | None) -> None:
    answer = client.post("/documents", content=b"%PDF-1.4", headers={"Content-Type": content_type} if content_type
                         else {})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "file"]


def test_bounds_are_named(client: httpx.Client) -> None:
    assert "255" in send(client, BAD["name of 10 000"][1]).text
    assert "20 parts" in send(client, BAD["21 parts"][1]).text
    assert "16384" in send(client, BAD["long head"][1]).text


def test_unknown_case_in_the_path_is_404(client: httpx.Client, pg: psycopg.Connection) -> None:
    before = count(pg)
    answer = send(client, form(part("file", b"text", "a.txt")), "/cases/none/documents")
    assert (answer.status_code, count(pg)) == (404, before)


def test_form_cut_at_every_byte_leaves_nothing(stack: LabStack, client: httpx.Client, pg: psycopg.Connection) -> None:
    body = form(part("id", b"cut"), part("file", b"some bytes", "a.txt"))
    head = (f"POST /documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}"
            f"\r\nContent-Length: {len(body)}\r\n\r\n").encode()
    before = count(pg)
    for size in range(0, len(body), 3):
        with connect(stack.backend_url) as connection:
            connection.sendall(head + body[:size])
    wait_until(lambda: "lex_backend_http_requests_open 1" in client.get("/metrics").text, 10, "none is left over")
    assert count(pg) == before


# -- too large, no room -----------------------------------------------------------------------------------------------

LIMIT = 1_000_000


@pytest.fixture
def small(stack: LabStack) -> Iterator[Process]:
    with stack.backend_with(MAX_UPLOAD_BYTES=str(LIMIT)) as process:
        yield process


def test_limit_is_exact(stack: LabStack, small: Process) -> None:
    assert upload(stack.client, b"x" * LIMIT).status_code == 201
    over = upload(stack.client, b"x" * (LIMIT + 1))
    assert (over.status_code, str(LIMIT) in over.json()["detail"]) == (413, True)


@pytest.mark.parametrize("chunked", [False, True])
def test_early_413_is_seen_by_http_client(stack: LabStack, small: Process, chunked: bool) -> None:
    """It sends its whole body before it looks for an answer."""
    body = form(part("file", b"x" * 7_000_000, "big.bin"))
    parts = urlsplit(stack.backend_url)
    for _ in range(3):
        with contextlib.closing(http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)) as connection:
            pieces = iter([body[at:at + 65536] for at in range(0, len(body), 65536)])
            connection.request("POST", "/documents", pieces if chunked else body, FORM_TYPE, encode_chunked=chunked)
            answer = connection.getresponse()
            assert answer.status == 413
            assert b"MAX_UPLOAD_BYTES" in answer.read()


def test_early_413_is_seen_by_httpx_and_curl(stack: LabStack, small: Process) -> None:
    assert upload(stack.client, b"x" * 5_000_000).status_code == 413
    curl = shutil.which("curl")
    if not curl:
        pytest.skip("no curl")
    shown = subprocess.run([curl, "-s", "-o", "/dev/null", "-w", "%{http_code}", "-F", "file=@-;filename=big.bin",
                            f"{stack.backend_url}/documents"], input=b"x" * 5_000_000, capture_output=True, check=True)
    assert shown.stdout == b"413"


def test_413_comes_before_the_body_where_the_length_says_so(stack: LabStack, small: Process) -> None:
    head = (f"POST /documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}"
            "\r\nContent-Length: 900000000\r\nExpect: 100-continue\r\n\r\n").encode()
    assert [answer.status for answer in exchange(stack.backend_url, head)] == [413]


def test_full_disk_is_507(stack: LabStack) -> None:
    """A limit on file sizes stands for a full disk: both are errors of write()."""
    with stack.backend_with() as process:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100_000, 100_000))
        answer = upload(stack.client, b"x" * 300_000)
        assert (answer.status_code, answer.json()["detail"]) == (507, "The server has no room left for files.")
        assert upload(stack.client, b"x" * 50_000).status_code == 201


def test_old_temporary_files_are_swept(stack: LabStack, backend: Process) -> None:
    old, new = (stack.uploads / "tmp" / name for name in ("old", "new"))
    for file in (old, new):
        file.write_bytes(b"left over")
    os.utime(old, (1, 1))
    stack.restart("backend")
    wait_until(lambda: not old.exists(), 10, "the old one is swept")
    assert new.exists()
    new.unlink()


def test_database_away_is_503_and_leaves_nothing(stack: LabStack, client: httpx.Client) -> None:
    assert upload(client, b"before").status_code == 201
    stack.kill("postgres")
    answer = upload(client, secrets.token_bytes(1000))
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    stack.start_again("postgres")
    wait_until(lambda: upload(client, b"after").status_code == 201, 15, "uploads work again")
