# SPDX-License-Identifier: MIT
"""The Python services beside the C programs, in every combination: each backend with each worker, and both workers on
one queue. The same hundred documents must become the same rows and chunks, whoever took and whoever read them."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from dev.stack import ROOT
from pdf import pdf_make
from services import celery_up, fastapi_up, only_up
from stack import LabStack, wait_until

COUNT = 100
CORPUS = ROOT.parent / "shared" / "corpus"
ROW = ("extraction_status, page_count, pages_failed, error, error_class, error_code, attempt, file_name, content_type, "
       "byte_size, sha256, file_path")
CHUNK = "chunk_index, content, page_from, page_to, char_start, char_end"
EXTRACTED_S = 90.0

CLAUSE = ("{n}. The seller delivers within {n} days, cf. Smith v. Jones, 410 U.S. 113. Nothing else was agreed upon; "
          "\u201cany change needs a letter\u201d. Dr. M\u00fcller of Acme Inc. signs (in two copies). See Art. {n} of "
          "the act! Is it so? It is.\n")


def prose(number: int) -> bytes:
    """A contract of its own: headings, citations, accents that are two code points, pages."""
    parts = [f"ARTICLE {number} OF THE CONTRACT\n\nPreamble e\u0301te\u0301 {number}.\n\n"]
    for n in range(number % 40 + 1):
        parts.append(CLAUSE.format(n=n + number) * (n % 3 + 1))
        parts.append("\f" if n % 11 == 10 else "\n" if n % 2 else "")
    if number % 10 == 3:
        parts.append("x" * 4000 + " " + "\u4e2d\u6587" * 1500)
    return "".join(parts).encode("utf-16" if number % 7 == 2 else "utf-8")


@dataclass(frozen=True)
class Upload:
    name: str
    data: bytes


def documents() -> list[Upload]:
    """Texts, PDFs, and what cannot be read."""
    made = [Upload(f"text {n}.txt", prose(n)) for n in range(COUNT - 20)]
    made += [Upload(f"pages {n}.pdf", pdf_make([f"Page {page} of contract {n}.\nIt ends." for page in range(n + 1)]))
             for n in range(15)]
    return made + [Upload("archive.zip", b"PK\x03\x04" + bytes(100)), Upload("broken.pdf", b"%PDF-1.4\nnothing"),
                   Upload("blank.txt", b" \n \n"), Upload("old.txt", b"caf\xe9 au lait, na\xefve prose \x80 5\n" * 40),
                   Upload("zeros.bin", bytes(range(256)) * 20)]


def upload_all(url: str, uploads: list[Upload], prefix: str) -> list[str]:
    """Their ids. Half of the requests go to /api."""
    ids = []
    with httpx.Client(base_url=url, timeout=30) as http:
        case = http.post("/cases", json={"title": f"Mixed {prefix}"})
        assert case.status_code == 201, case.text
        for number, upload in enumerate(uploads):
            answer = http.post("/api/documents" if number % 2 else "/documents",
                               data={"case_id": case.json()["id"], "id": f"{prefix}-{number}"},
                               files={"file": (upload.name, upload.data, "application/octet-stream")})
            assert answer.status_code == 201, answer.text
            ids.append(answer.json()["id"])
    return ids


def outcome(pg: psycopg.Connection, document_id: str) -> tuple[Any, ...]:
    """All of a document but its id and times."""
    row = pg.execute(f"SELECT {ROW} FROM documents WHERE id = %s", [document_id]).fetchone()
    pages = pg.execute("SELECT page, text, source, error FROM document_pages WHERE document_id = %s ORDER BY page",
                       [document_id]).fetchall()
    chunks = pg.execute(f"SELECT {CHUNK} FROM document_chunks WHERE document_id = %s ORDER BY chunk_index",
                        [document_id]).fetchall()
    return row, pages, chunks


def ended(pg: psycopg.Connection, prefix: str) -> int:
    found = pg.execute("SELECT count(*) FROM documents WHERE id LIKE %s"
                       " AND extraction_status IN ('completed', 'failed')", [f"{prefix}-%"]).fetchone()
    assert found
    return int(found[0])


def run(stack: LabStack, pg: psycopg.Connection, url: str, prefix: str) -> list[tuple[Any, ...]]:
    ids = upload_all(url, documents(), prefix)
    wait_until(lambda: ended(pg, prefix) == COUNT, EXTRACTED_S, f"{COUNT} documents of {prefix} read")
    return [outcome(pg, document_id) for document_id in ids]


@pytest.fixture(scope="session")
def c_url(stack: LabStack) -> str:
    stack.backend_up()
    return stack.backend_url


@pytest.fixture(scope="session")
def python_url(stack: LabStack) -> str:
    return fastapi_up(stack)


@pytest.fixture(scope="session")
def by_c(stack: LabStack, c_url: str) -> list[tuple[Any, ...]]:
    """What the C programs alone make of the documents."""
    only_up(stack, "worker")
    stack.worker_up()
    with stack.pg_connect() as pg:
        return run(stack, pg, c_url, "c-c")


def same(found: list[tuple[Any, ...]], wanted: list[tuple[Any, ...]]) -> None:
    assert len(found) == len(wanted) == COUNT
    for document, is_found, is_wanted in zip(documents(), found, wanted, strict=True):
        assert is_found == is_wanted, document.name


def test_the_documents_are_of_many_kinds(by_c: list[tuple[Any, ...]]) -> None:
    """Else the comparisons would say little."""
    assert {row[0] for row, _, _ in by_c} == {"completed", "failed"}
    assert {row[5] for row, _, _ in by_c} == {None, "type_unsupported", "file_damaged"}
    assert max(len(pages) for _, pages, _ in by_c) > 10
    assert sum(len(chunks) for _, _, chunks in by_c) > 500


def test_fastapi_and_the_c_worker(stack: LabStack, pg: psycopg.Connection, python_url: str,
                                  by_c: list[tuple[Any, ...]]) -> None:
    only_up(stack, "worker")
    stack.worker_up()
    same(run(stack, pg, python_url, "py-c"), by_c)


def test_the_c_backend_and_celery(stack: LabStack, pg: psycopg.Connection, c_url: str,
                                  by_c: list[tuple[Any, ...]]) -> None:
    only_up(stack, "celery")
    celery_up(stack)
    same(run(stack, pg, c_url, "c-py"), by_c)


def test_both_workers_on_one_queue(stack: LabStack, pg: psycopg.Connection, c_url: str, python_url: str,
                                   by_c: list[tuple[Any, ...]]) -> None:
    """Both take some: a document is held by each of them at least once."""
    celery_up(stack)
    stack.worker_up()
    log = stack.logs / "celery.log"
    before = log.read_text().count(" received")
    same(run(stack, pg, python_url, "both"), by_c)
    taken = log.read_text().count(" received") - before
    assert 0 < taken < COUNT


def test_the_corpus_is_cut_alike(stack: LabStack, pg: psycopg.Connection, c_url: str) -> None:
    """Real texts and PDFs, read once by each worker."""
    patterns = ("**/*.txt", "**/*.md", "**/*.pdf")
    found = [path for pattern in patterns for path in sorted(CORPUS.glob(pattern))]
    files = [path for path in found if 0 < path.stat().st_size < 300_000][::2]
    assert files or not CORPUS.exists()
    uploads = [Upload(path.name, path.read_bytes()) for path in files] or documents()
    outcomes = []
    for name, start in (("worker", stack.worker_up), ("celery", lambda: celery_up(stack))):
        only_up(stack, name)
        start()
        prefix = f"corpus-{name}"
        ids = upload_all(c_url, uploads, prefix)
        wait_until(lambda prefix=prefix: ended(pg, prefix) == len(uploads), EXTRACTED_S, f"{prefix} read")  # type: ignore[misc]
        outcomes.append([outcome(pg, document_id) for document_id in ids])
    for upload, by_c_worker, by_celery in zip(uploads, *outcomes, strict=True):
        assert by_celery == by_c_worker, upload.name


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_of_both_backends_goes_with_its_last_document(stack: LabStack, c_url: str, python_url: str) -> None:
    """A refused upload removes only what nobody has."""
    only_up(stack)
    data = b"The same content, uploaded to both."
    path = stack.uploads / hashlib.sha256(data).hexdigest()[:2] / hashlib.sha256(data).hexdigest()

    def post(url: str, document_id: str, **more: str) -> int:
        files = {"file": ("a.txt", data)}
        return httpx.post(f"{url}/documents", data={"id": document_id} | more, files=files).status_code
    assert post(python_url, "file-0", case_id="nosuch") == 422 and not path.exists()
    assert post(python_url, "file-1") == 201 and post(c_url, "file-2") == 201
    assert post(python_url, "file-2") == 409 and path.read_bytes() == data
    assert httpx.delete(f"{c_url}/documents/file-2").status_code == 204 and path.exists()
    assert httpx.delete(f"{c_url}/documents/file-1").status_code == 204
    wait_until(lambda: not path.exists(), 20, "the file to be removed")
    assert not list((stack.uploads / "tmp").iterdir())


# --- progress ---------------------------------------------------------------------------------------------------------


class Viewer:
    """Listens to a document's stream to its end, in a thread."""

    def __init__(self, url: str) -> None:
        self.messages: list[dict[str, Any]] = []
        self._url = url
        self.opened = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with httpx.stream("GET", self._url, timeout=60) as answer:
            assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
            self.opened.set()
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    self.messages.append(json.loads(line[6:]))

    def all(self) -> list[dict[str, Any]]:
        self._thread.join(60)
        assert not self._thread.is_alive(), "the stream has not ended"
        return self.messages


@pytest.fixture(params=["worker", "celery"])
def one_worker(stack: LabStack, request: pytest.FixtureRequest) -> Iterator[str]:
    """One kind of worker that does not take anything yet: its queue is filled first."""
    only_up(stack)
    yield request.param


@pytest.mark.parametrize("api", ["", "/api"])
def test_progress_is_seen_in_all_directions(stack: LabStack, c_url: str, python_url: str, one_worker: str,
                                            api: str) -> None:
    """Viewers of both backends see the same messages of either worker, whichever backend took the document."""
    for number, taker in enumerate((c_url, python_url)):
        only_up(stack)
        data = pdf_make([f"Page {page}" for page in range(12)])
        document_id = f"seen-{one_worker}-{number}-{len(api)}"
        answer = httpx.post(f"{taker}{api}/documents", data={"id": document_id}, files={"file": ("seen.pdf", data)})
        assert answer.status_code == 201, answer.text
        viewers = [Viewer(f"{url}{api}/documents/{document_id}/progress") for url in (c_url, python_url)]
        for viewer in viewers:
            assert viewer.opened.wait(30)
        if one_worker == "worker":
            stack.worker_up()
        else:
            celery_up(stack)
        first, second = (viewer.all() for viewer in viewers)
        for messages in (first, second):
            assert messages[-1]["step"] == "completed" and messages[-1]["progress"] == 100, messages
            assert messages[-1]["message"] == "Read 12 pages"
            assert [each["progress"] for each in messages] == sorted(each["progress"] for each in messages)
        assert {"starting", "extracting"} & {each["step"] for each in first[:-1]}
        assert [each["id"] for each in first if "id" in each][-1] == [each["id"] for each in second if "id" in each][-1]


# --- the same HTTP ----------------------------------------------------------------------------------------------------


def shape(value: Any) -> Any:
    """What a client can rely on: names and types, not ids and times."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


ASKED: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/cases", {"json": {"title": "A matter"}}),
    ("POST", "/cases", {"json": {"id": "asked", "title": "A matter", "description": "Long"}}),
    ("POST", "/cases", {"json": {"id": "asked", "title": "Again"}}),
    ("POST", "/cases", {"json": {"title": ""}}),
    ("POST", "/cases", {"json": {"title": "x" * 256}}),
    ("POST", "/cases", {"json": {}}),
    ("GET", "/cases/nosuch", {}),
    ("GET", "/documents/nosuch", {}),
    ("GET", "/documents/nosuch/chunks", {}),
    ("GET", "/documents/nosuch/progress", {}),
    ("GET", "/documents/c-c-1", {}),
    ("GET", "/documents/c-c-9/chunks", {}),
    ("GET", "/documents/c-c-9/chunks?limit=2&after=0", {}),
    *(("GET", f"/documents/c-c-9/chunks?{words}", {}) for words in (
        "limit=0", "limit=-1", "limit=201", "limit=99999999999999999999", "limit=x", "limit=", "after=-2", "after=x")),
    ("POST", "/documents", {"data": {"case_id": "c"}}),
    ("POST", "/documents", {"files": {"file": ("a.txt", b"")}}),
    ("POST", "/documents", {"files": {"file": ("a.txt", b"x")}, "data": {"case_id": "nosuch"}}),
    ("POST", "/documents", {"files": {"file": ("a.txt", b"x")}, "data": {"id": "c-c-1"}}),
]


def told(detail: list[dict[str, Any]]) -> list[tuple[Any, str]]:
    return [(each["loc"], each["type"]) for each in detail]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: f"{asked[0]} {asked[1]} {str(asked[2])[:50]}")
def test_both_backends_answer_alike(c_url: str, python_url: str, pg: psycopg.Connection, by_c: list[tuple[Any, ...]],
                                    asked: tuple[str, str, dict[str, Any]]) -> None:
    method, path, body = asked
    answers = []
    for url in (c_url, python_url):
        pg.execute("DELETE FROM cases WHERE id = 'asked' AND %s", [body.get("json", {}).get("title") == "A matter"])
        answers.append(httpx.request(method, url + path, timeout=30, **body))
    ours, theirs = answers
    assert ours.status_code == theirs.status_code, (ours.text, theirs.text)
    detail = [answer.json()["detail"] if answer.status_code >= 400 else None for answer in answers]
    if isinstance(detail[0], str):
        assert detail[0] == detail[1]
    elif detail[0]:
        assert told(detail[0]) == told(detail[1])
    else:
        assert shape(ours.json()) == shape(theirs.json())
        assert ("location" in ours.headers) == ("location" in theirs.headers)
