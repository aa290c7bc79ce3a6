# SPDX-License-Identifier: MIT
"""The backend's API over HTTP: what each path answers, what is refused, and what no client may do to others."""

from __future__ import annotations

import json
import os
import secrets
import threading
from pathlib import Path

import httpx
import psycopg
import pytest
import redis

from resources import case_make, document_make, wait_sent
from stack import LabStack, wait_until


def fields_of(answer: httpx.Response) -> list[str]:
    """The fields that a 422 names."""
    assert answer.status_code == 422, answer.text
    return [str(entry["loc"][-1]) for entry in answer.json()["detail"]]


# -- cases ------------------------------------------------------------------------------------------------------------

def test_case_is_made_read_changed_deleted(client: httpx.Client) -> None:
    made = client.post("/api/cases", json={"title": "Müller ./. Meier", "description": "Lease"})
    assert made.status_code == 201
    case = made.json()
    assert made.headers["Location"] == f"/api/cases/{case['id']}"
    assert set(case) == {"id", "title", "description", "created_at", "updated_at"}
    assert client.get(f"/cases/{case['id']}").json() == case
    changed = client.patch(f"/cases/{case['id']}", json={"description": None, "title": "Meier"})
    assert changed.status_code == 200, changed.text
    assert changed.json()["description"] is None
    assert changed.json()["updated_at"] > case["updated_at"]
    assert client.get(f"/api/cases/{case['id']}").json() == changed.json()
    assert client.delete(f"/cases/{case['id']}").status_code == 204
    assert client.get(f"/cases/{case['id']}").status_code == 404


def test_case_takes_an_id_once(client: httpx.Client) -> None:
    name = f"case {secrets.token_hex(4)}/ü"
    case = case_make(client, id=name)
    assert case["id"] == name
    again = client.post("/cases", json={"id": name, "title": "Again"})
    assert (again.status_code, name in again.json()["detail"]) == (409, True)
    path = f"/cases/{httpx.URL('').copy_with(path='/' + name).raw_path.decode()[1:].replace('/', '%2F')}"
    assert client.get(path).json()["id"] == name


@pytest.mark.parametrize(("body", "field"), [
    ("{}", "title"),
    ('{"title": ""}', "title"),
    ('{"title": null}', "title"),
    ('{"title": 5}', "title"),
    ('{"title": "x", "description": ["no"]}', "description"),
    ('{"title": "' + "x" * 256 + '"}', "title"),
    ('{"title": "a\\u0000b"}', "title"),
    ('{"title": "x", "titel": "y"}', "titel"),
    ('{"title": "x", "created_at": "2026-01-01T00:00:00Z"}', "created_at"),
    ('{"title": "x", "id": ""}', "id"),
])
def test_wrong_case_names_the_field(client: httpx.Client, body: str, field: str) -> None:
    answer = client.post("/cases", content=body, headers={"Content-Type": "application/json"})
    assert field in fields_of(answer)


@pytest.mark.parametrize("body", ["", "{", "[]", "nul", '{"title": "x"', '{"title": "x"} {}', "\x00"])
def test_what_is_no_json_object_is_422(client: httpx.Client, body: str) -> None:
    answer = client.post("/cases", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"]


def test_body_of_another_type_is_422(client: httpx.Client) -> None:
    assert client.post("/cases", content='{"title": "x"}', headers={"Content-Type": "text/plain"}).status_code == 422


@pytest.mark.parametrize("body", ['{"id": "other"}', '{"created_at": "2020-01-01T00:00:00Z"}', '{"title": ""}'])
def test_case_cannot_be_changed_so(client: httpx.Client, body: str) -> None:
    case = case_make(client)
    answer = client.patch(f"/cases/{case['id']}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert client.get(f"/cases/{case['id']}").json() == case


def test_case_with_documents_is_deleted_on_purpose(client: httpx.Client, stack: LabStack) -> None:
    case = case_make(client)
    document = document_make(client, secrets.token_bytes(20), case["id"])
    refused = client.delete(f"/cases/{case['id']}")
    assert (refused.status_code, "cascade" in refused.json()["detail"]) == (409, True)
    assert fields_of(client.delete(f"/cases/{case['id']}?cascade=maybe")) == ["cascade"]
    file = stack.uploads / document["file_path"]
    assert file.exists()
    assert client.delete(f"/cases/{case['id']}?cascade=true").status_code == 204
    assert client.get(f"/documents/{document['id']}").status_code == 404
    wait_until(lambda: not file.exists(), 10, "the file is removed")


@pytest.mark.parametrize(("word", "status"), [("True", 204), ("1", 204), ("YES", 204), ("on", 204), ("t", 204),
                                              ("False", 409), ("0", 409), ("no", 409), ("off", 409), ("f", 409),
                                              ("", 422), ("2", 422), ("yess", 422)])
def test_cascade_is_said_in_words_of_pydantic(client: httpx.Client, word: str, status: int) -> None:
    case = case_make(client)
    document_make(client, secrets.token_bytes(20), case["id"])
    assert client.delete(f"/cases/{case['id']}", params={"cascade": word}).status_code == status


def test_case_is_deleted_while_uploads_arrive(client: httpx.Client, stack: LabStack, pg: psycopg.Connection) -> None:
    """Each upload is either deleted with the case or told that there is none; the delete itself never fails."""
    def upload(case_id: str, answers: list[int]) -> None:
        with httpx.Client(base_url=stack.backend_url, timeout=30) as own:
            while not answers or answers[-1] == 201:
                answers.append(own.post(f"/cases/{case_id}/documents", files={"file": ("a.txt", b"A")}).status_code)

    for _ in range(10):
        case_id = case_make(client)["id"]
        answers: list[list[int]] = [[] for _ in range(4)]
        uploaders = [threading.Thread(target=upload, args=(case_id, one)) for one in answers]
        for uploader in uploaders:
            uploader.start()
        wait_until(lambda: all(map(len, answers)), 10, "uploads under way")  # noqa: B023
        assert client.delete(f"/cases/{case_id}?cascade=true").status_code == 204
        for uploader in uploaders:
            uploader.join()
        assert {one[-1] for one in answers} == {404}
    assert pg.execute("SELECT count(*) FROM documents WHERE case_id = %s", [case_id]).fetchone() == (0,)


def test_unknown_case_is_404(client: httpx.Client) -> None:
    for method, path in (("GET", "/cases/none"), ("DELETE", "/cases/none"), ("DELETE", "/cases/none?cascade=1")):
        assert client.request(method, path).status_code == 404
    assert client.patch("/cases/none", json={"title": "x"}).status_code == 404


# -- lists ------------------------------------------------------------------------------------------------------------

def pages_of(client: httpx.Client, path: str, limit: int, **more: str) -> list[list[dict]]:
    pages, after = [], None
    while True:
        query = {"limit": limit} | more | ({"after": after} if after else {})
        body = client.get(path, params=query).raise_for_status().json()
        pages.append(body["items"])
        after = body["next"]
        if after is None:
            return pages


def test_lists_are_paged_newest_first(client: httpx.Client) -> None:
    case = case_make(client)
    made = [document_make(client, case_id=case["id"], name=f"{number}.txt")["id"] for number in range(7)]
    pages = pages_of(client, "/documents", 3, case_id=case["id"])
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [document["id"] for page in pages for document in page] == made[::-1]
    assert [len(page) for page in pages_of(client, "/documents", 7, case_id=case["id"])] == [7]


def test_documents_are_listed_by_case_and_status(client: httpx.Client, pg: psycopg.Connection) -> None:
    case = case_make(client)
    done, waiting = (document_make(client, case_id=case["id"])["id"] for _ in range(2))
    loose = document_make(client)["id"]
    pg.execute("UPDATE documents SET extraction_status = 'completed' WHERE id = %s", [done])
    listed = {status: [item["id"] for item in
                       client.get("/documents", params={"case_id": case["id"], "status": status}).json()["items"]]
              for status in ("pending", "completed", "failed")}
    assert listed == {"pending": [waiting], "completed": [done], "failed": []}
    of_none = client.get("/documents", params={"case_id": "", "limit": 200}).json()["items"]
    assert loose in [item["id"] for item in of_none]
    assert all(item["case_id"] is None for item in of_none)


@pytest.mark.parametrize(("query", "field"), [
    ("limit=-1", "limit"), ("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"), ("limit=", "limit"),
    ("limit=99999999999999999999", "limit"), ("after=x", "after"), ("after=bm90LWEtY3Vyc29y", "after"),
    ("status=done", "status"),
])
def test_wrong_query_names_the_field(client: httpx.Client, query: str, field: str) -> None:
    assert fields_of(client.get(f"/documents?{query}")) == [field]


@pytest.mark.parametrize(("value", "fault"), [
    ("0", "greater_than_equal"), ("-1", "greater_than_equal"), ("-99999999999999999999", "greater_than_equal"),
    ("201", "less_than_equal"), ("99999999999999999999", "less_than_equal"),
    ("x", "int_parsing"), ("", "int_parsing"), ("-", "int_parsing"), ("1e2", "int_parsing"),
])
def test_a_wrong_number_has_pydantics_type(client: httpx.Client, value: str, fault: str) -> None:
    (told,) = client.get("/documents", params={"limit": value}).json()["detail"]
    assert (told["loc"], told["type"]) == (["query", "limit"], fault)
    assert f'"{value}"' in told["msg"]


# -- documents --------------------------------------------------------------------------------------------------------

def test_unknown_document_is_404(client: httpx.Client) -> None:
    for path in ("", "/chunks", "/text", "/file", "/progress"):
        answer = client.get(f"/documents/none{path}")
        assert (answer.status_code, "none" in answer.json()["detail"]) == (404, True), path
    assert client.delete("/documents/none").status_code == 404
    assert client.post("/documents/none/extract").status_code == 404
    assert client.get("/documents/none/text", headers={"Accept": "text/plain"}).status_code == 404


def test_text_and_chunks_are_read_by_page(client: httpx.Client, pg: psycopg.Connection) -> None:
    document = document_make(client)["id"]
    assert client.get(f"/documents/{document}/text").json() == {"items": [], "next": None}
    assert client.get(f"/documents/{document}/chunks").json() == {"items": [], "next": None}
    for page in range(1, 6):
        pg.execute("INSERT INTO document_pages VALUES (%s, %s, %s, 'text')", [document, page, f"Seite {page} – ä"])
        pg.execute("INSERT INTO document_chunks (id, document_id, chunk_index, content, page_from, page_to)"
                   " VALUES (%s, %s, %s, %s, %s, %s)",
                   [f"{document}-{page}", document, page - 1, f"chunk {page}", page, page])
    pages = pages_of(client, f"/documents/{document}/text", 2)
    assert [[item["page"] for item in page] for page in pages] == [[1, 2], [3, 4], [5]]
    assert pages[0][0] == {"document_id": document, "page": 1, "text": "Seite 1 – ä", "source": "text", "error": None}
    chunks = pages_of(client, f"/documents/{document}/chunks", 2)
    assert [[item["chunk_index"] for item in page] for page in chunks] == [[0, 1], [2, 3], [4]]
    assert chunks[0][0]["page_from"] == 1
    plain = client.get(f"/documents/{document}/text", headers={"Accept": "text/plain"})
    assert plain.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert plain.text == "\f".join(f"Seite {page} – ä" for page in range(1, 6))
    assert fields_of(client.get(f"/documents/{document}/text?after=x")) == ["after"]


def test_document_is_read_again(client: httpx.Client, pg: psycopg.Connection) -> None:
    document = document_make(client)["id"]
    assert client.post(f"/documents/{document}/extract").json()["attempt"] == 0  # it waits anyway
    pg.execute("UPDATE documents SET extraction_status = 'failed', error = 'bad', error_class = 'permanent',"
               " error_code = 'file_damaged', pages_failed = 2, attempt = 3 WHERE id = %s", [document])
    pg.execute("INSERT INTO document_pages VALUES (%s, 1, 'old', 'text')", [document])
    pg.execute("INSERT INTO document_chunks (id, document_id, chunk_index, content) VALUES (%s, %s, 0, 'old')",
               [f"{document}-0", document])
    answer = client.post(f"/documents/{document}/extract")
    assert answer.status_code == 202
    body = answer.json()
    assert (body["extraction_status"], body["attempt"], body["error"], body["error_code"], body["pages_failed"]) \
        == ("pending", 4, None, None, 0)
    assert client.get(f"/documents/{document}/text").json()["items"] == []
    assert len(client.get(f"/documents/{document}/chunks").json()["items"]) == 1  # found until new ones replace them


def test_document_that_waits_for_its_next_try_is_read_at_once(client: httpx.Client, pg: psycopg.Connection,
                                                              redis_client: redis.Redis) -> None:
    document = document_make(client)["id"]
    wait_sent(pg, document)
    pg.execute("UPDATE documents SET error = 'Our side failed.', error_class = 'retryable', error_code = 'internal',"
               " attempt = 1 WHERE id = %s", [document])
    before = redis_client.llen("celery")
    body = client.post(f"/documents/{document}/extract").json()
    assert (body["extraction_status"], body["attempt"], body["error"]) == ("pending", 2, None)
    wait_sent(pg, document)
    assert redis_client.llen("celery") == before + 1
    assert client.post(f"/documents/{document}/extract").json()["attempt"] == 2  # pressed twice: that one waits


def test_extraction_is_queued_for_each_document(stack: LabStack, client: httpx.Client, redis_client: object) -> None:
    before = redis_client.llen("celery")
    document = document_make(client)["id"]
    wait_until(lambda: redis_client.llen("celery") == before + 1, 10, "the task is in Redis")
    assert document in json.dumps(redis_client.lrange("celery", 0, -1)) or \
        any(document.encode() in __import__("base64").b64decode(json.loads(text)["body"])
            for text in redis_client.lrange("celery", 0, -1))


def test_location_is_where_the_request_was(client: httpx.Client) -> None:
    for prefix in ("", "/api"):
        for made in (client.post(f"{prefix}/cases", json={"title": "x"}),
                     client.post(f"{prefix}/documents", files={"file": ("a.txt", b"A")})):
            location = made.headers["Location"]
            assert location.startswith(f"{prefix}/{'cases' if 'title' in made.json() else 'documents'}/")
            assert client.get(location).json()["id"] == made.json()["id"]


def test_shared_file_goes_with_its_last_document(client: httpx.Client, stack: LabStack) -> None:
    content = secrets.token_bytes(100)
    first, second = (document_make(client, content) for _ in range(2))
    assert first["file_path"] == second["file_path"]
    file = stack.uploads / first["file_path"]
    assert client.delete(f"/documents/{first['id']}").status_code == 204
    metric = "lex_backend_releases 0"
    wait_until(lambda: metric in client.get("/metrics").text, 10, "the removal is over")
    assert file.read_bytes() == content
    assert client.delete(f"/documents/{second['id']}").status_code == 204
    wait_until(lambda: not file.exists(), 10, "the file is removed")


@pytest.mark.parametrize("path", ["{uploads}/py/a.txt", "{uploads}//py/./a.txt", "py//a.txt", "py/b..v2.txt", "py/..c"])
def test_file_that_is_served_is_deleted(client: httpx.Client, pg: psycopg.Connection, stack: LabStack,
                                        path: str) -> None:
    """However Python wrote its path; and two ways to write it are one file."""
    path = path.format(uploads=stack.uploads)
    file = Path(os.path.normpath(stack.uploads / path))
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"A will.")
    names = [f"python-{secrets.token_hex(6)}" for _ in range(2)]
    for name, stored in zip(names, (str(file.relative_to(stack.uploads)), path), strict=True):
        pg.execute("INSERT INTO documents (id, file_name, file_path) VALUES (%s, 'a.txt', %s)", [name, stored])
        assert client.get(f"/documents/{name}/file").content == b"A will."
    assert client.delete(f"/documents/{names[0]}").status_code == 204
    wait_until(lambda: "lex_backend_releases 0" in client.get("/metrics").text, 10, "the removal is over")
    assert client.get(f"/documents/{names[1]}/file").content == b"A will."
    assert client.delete(f"/documents/{names[1]}").status_code == 204
    wait_until(lambda: not file.exists(), 10, "the file is removed")


def test_uploaded_file_that_is_stored_absolutely_too_stays(client: httpx.Client, pg: psycopg.Connection,
                                                           stack: LabStack) -> None:
    first = document_make(client, secrets.token_bytes(100))
    file = stack.uploads / first["file_path"]
    pg.execute("INSERT INTO documents (id, file_name, file_path, sha256) VALUES ('absolute', 'a.txt', %s, %s)",
               [str(file), first["sha256"]])
    assert client.delete(f"/documents/{first['id']}").status_code == 204
    wait_until(lambda: "lex_backend_releases 0" in client.get("/metrics").text, 10, "the removal is over")
    assert client.get("/documents/absolute/file").status_code == 200
    assert client.delete("/documents/absolute").status_code == 204
    wait_until(lambda: not file.exists(), 10, "the file is removed")


@pytest.mark.parametrize("path", ["/etc/hosts", "../settings.json", "{uploads}/../settings.json"])
def test_file_outside_the_folder_is_not_deleted(client: httpx.Client, pg: psycopg.Connection, stack: LabStack,
                                                path: str) -> None:
    name = f"outside-{secrets.token_hex(6)}"
    pg.execute("INSERT INTO documents (id, file_name, file_path) VALUES (%s, 'a.txt', %s)",
               [name, path.format(uploads=stack.uploads)])
    before = stack.log("backend").count("is not below UPLOAD_DIR")
    assert client.delete(f"/documents/{name}").status_code == 204
    wait_until(lambda: stack.log("backend").count("is not below UPLOAD_DIR") == before + 1, 10, "the log says so")
    assert Path(os.path.normpath(stack.uploads / path.format(uploads=stack.uploads))).exists()


# -- files ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("header", "status", "content", "shown"), [
    (None, 200, b"0123456789", None),
    ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
    ("bytes=-3", 206, b"789", "bytes 7-9/10"),
    ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
    ("bytes=10-", 416, b"", "bytes */10"),
    ("bytes=0-1,3-4", 200, b"0123456789", None),
    ("bytes=" + ",".join("0-1" for _ in range(1000)), 200, b"0123456789", None),
    ("bytes=0-18446744073709551616", 206, b"0123456789", "bytes 0-9/10"),
])
def test_file_is_given_in_ranges(client: httpx.Client, header: str | None, status: int, content: bytes,
                                 shown: str | None) -> None:
    document = document_make(client, b"0123456789")
    answer = client.get(f"/documents/{document['id']}/file", headers={"Range": header} if header else {})
    assert (answer.status_code, answer.content, answer.headers.get("Content-Range")) == (status, content, shown)


def test_file_is_never_part_of_the_site(client: httpx.Client) -> None:
    name = 'Ver"trag\\ ä€.html'
    document = client.post("/documents", files={"file": (name, b"<script>1</script>", "text/html")}).json()
    answer = client.get(f"/documents/{document['id']}/file")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename=")
    assert "filename*=UTF-8''" in disposition
    assert disposition.isascii()
    etag = answer.headers["ETag"]
    assert client.get(f"/documents/{document['id']}/file", headers={"If-None-Match": etag}).status_code == 304
    part = {"Range": "bytes=0-0"}
    assert client.get(f"/documents/{document['id']}/file", headers=part | {"If-Range": etag}).status_code == 206
    assert client.get(f"/documents/{document['id']}/file", headers=part | {"If-Range": '"old"'}).status_code == 200


def test_file_outside_the_folder_is_not_there(client: httpx.Client, pg: psycopg.Connection, stack: LabStack) -> None:
    document = document_make(client, secrets.token_bytes(10))
    (stack.uploads / "link").unlink(missing_ok=True)
    (stack.uploads / "link").symlink_to("/etc/passwd")
    for path in ("../settings.json", "/etc/passwd", "link", "tmp", "none"):
        pg.execute("UPDATE documents SET file_path = %s WHERE id = %s", [path, document["id"]])
        assert client.get(f"/documents/{document['id']}/file").status_code == 404, path
    pg.execute("UPDATE documents SET file_path = %s WHERE id = %s",
               [str(stack.uploads / document["file_path"]), document["id"]])
    assert client.get(f"/documents/{document['id']}/file").status_code == 200  # absolute, but within


# -- the rest of the site ---------------------------------------------------------------------------------------------

def test_page_is_served_with_a_strict_policy(client: httpx.Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["Content-Security-Policy"]
    for word in ("default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"):
        assert word in policy
    assert "unsafe" not in policy
    assert client.get("/", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert client.get("/style.css").headers["Content-Type"] == "text/css; charset=utf-8"
    assert client.get("/app.js").headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert client.get("/none.js").status_code == 404


def test_openapi_tells_of_every_route(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert {"get", "post"} <= set(described["paths"]["/documents"])
    for path, operations in described["paths"].items():
        for operation in operations.values():
            names = [item["name"] for item in operation["parameters"] if item["in"] == "path"]
            assert names == (["id"] if "{id}" in path else [])
    components = described["components"]["schemas"]
    references = json.dumps(described).split("#/components/schemas/")[1:]
    assert {reference.split('"')[0] for reference in references} <= set(components)


def test_health_tells_of_both_servers(client: httpx.Client) -> None:
    for path in ("/health", "/readyz"):
        body = client.get(path).json()
        assert (body["status"], body["postgres"]["status"], body["redis"]["status"]) == ("ok", "ok", "ok")
    assert client.get("/livez").json() == {"status": "ok"}
    metrics = client.get("/metrics").text
    assert "lex_backend_http_requests_total" in metrics
    assert "lex_backend_relay_up 1" in metrics


def test_methods_that_are_not_there_are_405(client: httpx.Client) -> None:
    for method, path, allowed in (("PUT", "/cases", "GET, HEAD, POST"), ("POST", "/documents/x/file", "GET, HEAD"),
                                  ("HEAD", "/documents/x/progress", "GET"), ("POST", "/", "GET, HEAD")):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    options = client.options("/cases")
    assert (options.status_code, options.headers["Allow"]) == (204, "GET, HEAD, POST")
    assert client.get("/nowhere").status_code == 404
    assert client.get("/documents/").status_code == 404


def test_head_has_no_body(client: httpx.Client) -> None:
    answer = client.head("/livez")
    assert (answer.status_code, answer.content, answer.headers["Content-Length"]) == (200, b"", "15")
