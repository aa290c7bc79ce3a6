# SPDX-License-Identifier: MIT
"""The page at / with the real backend and worker behind it, as a person at a browser sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest
import redis
from proxy import DOWN, Line, Proxy
from selenium.webdriver.common.keys import Keys

from browser import Page
from dev.process import Process
from pdf import page_text, pdf_cut, pdf_encrypted, pdf_lost_pages, pdf_numbered
from stack import LabStack

Write = Callable[[str, bytes], Path]
OVER = ("ready", "warned", "failed")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A file to upload."""
    folder = tmp_path / "files"
    folder.mkdir()

    def make(name: str, data: bytes) -> Path:
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
        return file
    return make


def pick(client: httpx.Client, case_id: str) -> list[dict]:
    answer = client.get("/api/documents", params={"case_id": case_id})
    return answer.raise_for_status().json()["items"]


def case_new(client: httpx.Client, title: str, description: str | None = None) -> str:
    answer = client.post("/api/cases", json={"title": title, "description": description})
    return answer.raise_for_status().json()["id"]


# -- the main job --------------------------------------------------------------------------------------------------


def test_drop_watch_read(page: Page, worker: Process, write: Write) -> None:
    """Two PDFs dropped on a new case: both bars reach 100 over one stream without a reload, and the text is there."""
    page.create_case("Meridian v. Castell", "Breach of a supply agreement")
    page.script("window.loadedOnce = true")

    page.drop([write("Agreement.pdf", pdf_numbered(120)), write("Annex.pdf", pdf_numbered(80))])
    for name, pages in (("Agreement.pdf", 120), ("Annex.pdf", 80)):
        row = page.wait_state(name, "ready")
        assert (row["value"], row["label"]) == (100, "Ready")
        assert f"{pages} pages" in row["note"]
    assert page.script("return window.loadedOnce") is True
    assert len(page.witness()["streams"]) == 1

    page.read("Annex.pdf")
    page.wait(lambda: text_of(page, 1) == words(page_text(1)), "the text of page 1")
    field = page.one(".pager input")
    field.clear()
    field.send_keys("80", Keys.ENTER)
    page.wait(lambda: text_of(page, 80) == words(page_text(80)), "the text of page 80")
    assert page.script("return document.activeElement.textContent") == "Page 80"
    assert page.all("#page-40 .page-text")[0].get_property("textContent") == "", "pages nobody looks at are not read"


def words(text: str | None) -> list[str]:
    return (text or "").split()


def text_of(page: Page, number: int) -> list[str]:
    found = page.all(f"#page-{number} .page-text")
    return words(found[0].get_property("textContent")) if found else []


def test_folder_dropped(page: Page, worker: Process, tmp_path: Path) -> None:
    """A folder gives the files in it and in its folders, but not the hidden ones."""
    inner = tmp_path / "bundle" / "inner"
    inner.mkdir(parents=True)
    (inner / "b.txt").write_text("Second")
    (inner.parent / "a.txt").write_text("First")
    (inner.parent / ".DS_Store").write_text("none of it")
    page.create_case("Bundle")
    page.drop([tmp_path / "bundle"])
    for name in ("a.txt", "b.txt"):
        page.wait_state(name, "ready")
    assert {row["name"] for row in page.rows()} == {"a.txt", "b.txt"}


def test_progress_is_live(page: Page, stack: LabStack, redis_client: redis.Redis, write: Write) -> None:
    """What any publisher says on the channel moves the bar at once; the end is what the row says, not the event."""
    stop_worker(stack)
    page.create_case("Live")
    page.choose(write("slow.pdf", pdf_numbered(2)))
    page.wait_state("slow.pdf", "waiting")
    page.wait(lambda: page.all(".live[data-live=live]"), "the stream to be open")
    document_id = page.document_id("slow.pdf")

    for percent in (12, 45, 90):
        said = {"progress": percent, "step": "extracting", "message": f"Extracted text from page {percent} of 100"}
        redis_client.publish(f"progress:{document_id}", json.dumps(said))
        page.wait(lambda: page.row("slow.pdf")["value"] == percent, f"the bar at {percent}")  # noqa: B023
        assert page.row("slow.pdf")["note"] == said["message"]
        assert page.row("slow.pdf")["label"] == f"{percent}%"
    stack.worker_up()
    assert page.wait_state("slow.pdf", *OVER)["state"] == "ready"


def test_reader_follows(page: Page, stack: LabStack, client: httpx.Client, write: Write) -> None:
    """A document opened before it is read fills in by itself; extracted again, it does so again."""
    stop_worker(stack)
    data = pdf_numbered(60)
    page.create_case("Reader")
    page.choose(write("early.pdf", data))
    page.wait_state("early.pdf", "waiting")
    document_id = page.document_id("early.pdf")
    page.read("early.pdf")
    assert page.text(".reader-state p")
    stack.worker_up()
    page.wait(lambda: text_of(page, 1) == words(page_text(1)), "the first page")
    page.wait(lambda: page.text(".pager-of") == "of 60", "all pages")
    page.wait(lambda: page.all(".reader-state[hidden]"), "the bar to go")

    file = client.get(f"/{page.button('Download').get_dom_attribute('href')}")
    assert file.content == data
    assert file.headers["content-disposition"].startswith("attachment")

    attempt = client.get(f"/api/documents/{document_id}").json()["attempt"]
    page.button("Extract again").click()
    page.wait(lambda: client.get(f"/api/documents/{document_id}").json()["attempt"] > attempt, "the next attempt")
    page.wait(lambda: page.button("Extract again").is_displayed() and text_of(page, 1) == words(page_text(1)),
              "the text again")


def stop_worker(stack: LabStack) -> None:
    process = stack.processes.get("worker")
    if process and process.alive:
        stack.stop_one("worker")


def test_backend_restarts(page: Page, stack: LabStack, backend: Process, write: Write) -> None:
    """The backend is killed while files wait: the page finds it again by itself and misses nothing."""
    stop_worker(stack)
    page.create_case("Restart")
    page.choose(*(write(f"{number}.pdf", pdf_numbered(3)) for number in range(6)))
    page.wait(lambda: [row["label"] for row in page.rows()] == ["Waiting"] * 6
              and not any("upload" in row["note"].lower() for row in page.rows()), "six documents waiting")
    stack.kill("backend")
    stack.start_again("backend")
    stack.worker_up()
    for number in range(6):
        assert page.wait_state(f"{number}.pdf", *OVER)["state"] == "ready"


# -- what goes wrong -----------------------------------------------------------------------------------------------


def test_broken_file_says_why(page: Page, worker: Process, client: httpx.Client, write: Write) -> None:
    """Each failure shows the backend's own sentence; Retry runs it again."""
    case_id = page.create_case("Broken")
    page.choose(write("whole.pdf", pdf_numbered(2)), write("cut.pdf", b"%PDF-1.7\n" + b"\0" * 400),
                write("locked.pdf", pdf_encrypted(pdf_numbered(2))))
    page.wait_state("whole.pdf", "ready")
    for name in ("cut.pdf", "locked.pdf"):
        page.wait_state(name, "failed")
    stored = {one["file_name"]: one for one in pick(client, case_id)}
    assert stored["locked.pdf"]["error_code"] == "password_required"
    for name in ("cut.pdf", "locked.pdf"):
        assert stored[name]["error"].rstrip(".").lower() == page.row(name)["note"].rstrip(".").lower()

    attempt = stored["cut.pdf"]["attempt"]
    page.row_button("cut.pdf", "retry").click()
    page.wait(lambda: {one["file_name"]: one for one in pick(client, case_id)}["cut.pdf"]["attempt"] > attempt
              and page.row("cut.pdf")["state"] == "failed", "the second failure")


def test_unreadable_pages_are_counted(page: Page, worker: Process, write: Write) -> None:
    """A document with lost pages is ready, says how many are missing, and which."""
    page.create_case("Gaps")
    page.choose(write("gaps.pdf", pdf_lost_pages(5, [2, 4])))
    row = page.wait_state("gaps.pdf", *OVER)
    assert row["state"] == "warned"
    assert row["note"].startswith("5 pages \u00b7 2 could not be read")
    page.read("gaps.pdf")
    page.wait(lambda: text_of(page, 5) == words(page_text(5)), "the last page")
    states = page.script("return [...document.querySelectorAll('.page')].map((one) => one.dataset.state)")
    assert states == ["text", "failed", "text", "failed", "text"]


def test_upload_refused(page: Page, stack: LabStack, write: Write) -> None:
    """An empty file and one over the limit: a sentence each, and the others go through."""
    with stack.backend_with(MAX_UPLOAD_BYTES="100000"):
        page.create_case("Refused")
        page.choose(write("empty.pdf", b""), write("large.bin", b"x" * 300000), write("fine.txt", b"Fine."))
        assert page.wait_state("empty.pdf", "failed")["note"] == "The file is empty."
        assert "larger than the server accepts" in page.wait_state("large.bin", "failed")["note"]
        page.wait(lambda: (page.row("fine.txt") or {})["state"] not in ("uploading", "failed")
                  and page.row_button("fine.txt", "file").is_displayed(), "the good file to be taken")
        page.row_button("large.bin", "delete").click()
        page.wait(lambda: page.row("large.bin") is None, "the line to go")


def test_server_away(page: Page, stack: LabStack, backend: Process, write: Write) -> None:
    """With the backend gone a file waits, and goes when it is back."""
    page.create_case("Away")
    stack.kill("backend")
    page.choose(write("patient.txt", b"I can wait."))
    page.wait(lambda: (page.row("patient.txt") or {}).get("state") == "waiting", "the file to wait")
    stack.start_again("backend")
    page.wait(lambda: page.row_button("patient.txt", "file").is_displayed(), "the file to be taken")


class LosesAnswer(Proxy):
    """A good network, but that the first `201 Created` never arrives."""

    lost = False

    def carry(self, line: Line, direction: int, block: bytes) -> None:
        if not self.lost and direction == DOWN and block.startswith(b"HTTP/1.1 201"):
            self.lost = True
            self.close(line, reset=True)
        else:
            super().carry(line, direction, block)


@pytest.mark.parametrize("secure", [True, False])
def test_lost_answer_is_no_second_document(page: Page, stack: LabStack, client: httpx.Client, write: Write,
                                           secure: bool) -> None:
    """The server stored the file and its answer was lost: what is sent again is known to be the same. By plain HTTP
    from elsewhere a browser has no randomUUID."""
    case_id = case_new(client, "Once")
    proxy = LosesAnswer(int(stack.settings["backend_port"]))
    try:
        page.url = f"http://127.0.0.1:{proxy.port}"
        page.open(f"cases/{case_id}")
        page.heading("Once")
        if not secure:
            page.script("Object.defineProperty(crypto, 'randomUUID', { value: undefined })")
        page.choose(write("once.txt", b"Only once."))
        page.wait(lambda: page.row("once.txt") and page.row_button("once.txt", "file").is_displayed(), "the document")
        assert proxy.lost
        assert [row["name"] for row in page.rows()] == ["once.txt"]
        assert len(pick(client, case_id)) == 1
    finally:
        page.url = stack.backend_url
        page.open("")
        proxy.stop()


# -- cases ---------------------------------------------------------------------------------------------------------


def test_case_edited_and_deleted(page: Page, client: httpx.Client, write: Write) -> None:
    """A case with documents is deleted only after the box is ticked; then they are gone too."""
    case_id = page.create_case("Old name")
    page.button("Edit").click()
    title = page.one("#case-title")
    title.clear()
    page.button("Save").click()
    page.wait(lambda: "needs a title" in page.text("#case-title-error"), "the reason")
    title.send_keys("New name")
    page.button("Save").click()
    page.heading("New name")
    page.wait(lambda: page.text("#case-list [aria-current]") == "New name", "the new name at the side")
    assert client.get(f"/api/cases/{case_id}").json()["title"] == "New name"

    page.choose(write("one.txt", b"One."))
    page.wait(lambda: pick(client, case_id), "the document")
    page.wait(lambda: page.row_button("one.txt", "file").is_displayed(), "the document's line")
    page.button("Delete this case").click()
    assert not page.button("Delete case").is_enabled()
    page.one("#confirm-check").click()
    page.button("Delete case").click()
    page.wait(lambda: page.driver.current_url.endswith("#/"), "the start")
    assert client.get(f"/api/cases/{case_id}").status_code == 404
    assert pick(client, case_id) == [] or client.get("/api/documents", params={"case_id": case_id}).status_code == 404


def test_document_deleted(page: Page, client: httpx.Client, worker: Process, write: Write) -> None:
    """Asked first; Escape keeps it; the keyboard goes on at the neighbour."""
    case_id = page.create_case("Delete one")
    page.choose(write("keep.txt", b"Keep."), write("drop.txt", b"Drop."))
    for name in ("keep.txt", "drop.txt"):
        page.wait_state(name, "ready")
    page.row_button("drop.txt", "delete").click()
    page.one("#confirm")
    page.keys(Keys.ESCAPE)
    page.wait(lambda: not page.all("dialog[open]"), "the dialog to close")
    assert len(pick(client, case_id)) == 2
    page.row_button("drop.txt", "delete").click()
    page.button("Delete document").click()
    page.wait(lambda: page.row("drop.txt") is None, "the line to go")
    assert [one["file_name"] for one in pick(client, case_id)] == ["keep.txt"]


def test_unfiled(page: Page, client: httpx.Client, worker: Process, write: Write) -> None:
    """Documents without a case have a place of their own, live like the others."""
    filed = page.create_case("Filed")
    client.post(f"/api/cases/{filed}/documents", files={"file": ("filed.txt", b"Filed.")}).raise_for_status()
    page.button("Unfiled documents").click()
    page.heading("Unfiled documents")
    page.choose(write("loose.txt", b"Loose."), write("loose.pdf", pdf_numbered(3)))
    for name in ("loose.txt", "loose.pdf"):
        page.wait_state(name, "ready")
    assert page.row("filed.txt") is None


def test_unfiled_with_ids_alike(page: Page, client: httpx.Client, redis_client: redis.Redis) -> None:
    """A document whose id is within another one's is followed too."""
    def upload(document_id: str) -> None:
        client.post("/api/documents", files={"file": (f"{document_id}.txt", b"Alike.")},
                    data={"id": document_id}).raise_for_status()

    upload("alike-10")
    page.button("Unfiled documents").click()
    page.wait_state("alike-10.txt", "waiting")
    page.wait(lambda: page.all(".live[data-live=live]"), "the stream to be open")
    upload("alike-1")
    page.script("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_state("alike-1.txt", "waiting")
    page.wait(lambda: len(page.witness()["streams"]) == 2, "a stream of both")
    page.wait(lambda: page.all(".live[data-live=live]"), "the stream to be open")
    redis_client.publish("progress:alike-1", json.dumps({"progress": 33, "step": "extracting", "message": "Heard"}))
    page.wait(lambda: page.row("alike-1.txt")["value"] == 33, "the bar at 33")
    for document_id in ("alike-1", "alike-10"):
        client.delete(f"/api/documents/{document_id}").raise_for_status()


def test_seen_when_others_act(page: Page, client: httpx.Client, worker: Process) -> None:
    """What came and went while the page was away is right when it is looked at again."""
    case_id = page.create_case("Shared")
    client.post(f"/api/cases/{case_id}/documents", files={"file": ("theirs.txt", b"Theirs.")}).raise_for_status()
    page.script("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_state("theirs.txt", "ready")
    client.delete(f"/api/documents/{pick(client, case_id)[0]['id']}").raise_for_status()
    page.script("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait(lambda: not page.rows(), "the line to go")


def test_unknown_address(page: Page) -> None:
    """A case or document that is not there says so."""
    for route in ("cases/none", "documents/none"):
        page.open(route)
        page.heading("Not found")


# -- for everyone --------------------------------------------------------------------------------------------------


def test_keyboard_alone(page: Page, client: httpx.Client, worker: Process, write: Write) -> None:
    """From the empty start to the text and back without a pointer; each stop of Tab can be seen."""
    page.wait(lambda: page.all("main h1"), "the start")
    page.tab_to("New case")
    page.keys(Keys.ENTER)
    page.wait(lambda: page.all("#case-form[open]"), "the form")
    page.keys("By keyboard", Keys.TAB, "No pointer", Keys.TAB, Keys.TAB, Keys.ENTER)
    page.heading("By keyboard")
    page.choose(write("typed.pdf", pdf_numbered(30)))        # the system's file dialog is not the page's
    page.wait_state("typed.pdf", "ready")

    page.tab_to("typed.pdf")
    page.keys(Keys.ENTER)
    page.heading("typed.pdf")
    page.wait(lambda: text_of(page, 1), "the text")
    page.tab_to("Page")
    page.keys("25", Keys.ENTER)                              # Tab has marked what was there
    page.wait(lambda: text_of(page, 25) == words(page_text(25)), "page 25")
    page.script("document.querySelector('.back').focus()")
    page.keys(Keys.ENTER)
    page.wait(lambda: "typed.pdf" in page.script("return document.activeElement.textContent"),
              "the keyboard back at the document")
    page.tab_to("Delete typed.pdf")
    page.keys(Keys.ENTER)
    page.wait(lambda: page.all("#confirm[open]"), "the question")
    page.tab_to("Delete document")
    page.keys(Keys.ENTER)
    page.wait(lambda: not page.rows(), "the line to go")
    page.wait(lambda: "deleted" in page.script("return document.querySelector('#announce').textContent"),
              "the news for a screen reader")


HOSTILE = (
    '<img src=x onerror="alert(1)">.pdf',
    "<script>alert(2)</script>.pdf",
    "javascript:alert(3).pdf",
    "invoice\u202efdp.exe",
    "\u0639\u0642\u062f \u0627\u0644\u0625\u064a\u062c\u0627\u0631.pdf",
    "W" * 251 + ".pdf",
    "'\"&amp;.pdf",
)


def test_hostile_names(page: Page, client: httpx.Client, pg: psycopg.Connection) -> None:
    """Names, titles, reasons and texts are text, whatever they hold, and fit a phone."""
    title = "<svg onload=alert(4)> \u202e{{alert(5)}} " + "M" * 150
    case_id = case_new(client, title, "<iframe src=javascript:alert(6)>")
    for number, name in enumerate(HOSTILE):
        pg.execute("INSERT INTO documents (id, case_id, file_name, extraction_status, error, attempt) "
                   "VALUES (%s, %s, %s, 'failed', %s, 1)",
                   (f"hostile-{number}", case_id, name, f"<img src=x onerror=alert({number})> failed"))
    pg.execute("INSERT INTO document_pages (document_id, page, text, source) "
               "VALUES ('hostile-0', 1, '<script>alert(7)</script><b>bold</b>', 'text')")
    for width in (1280, 360):
        page.resize(width, 740)
        page.open(f"cases/{case_id}")
        page.wait(lambda: len(page.rows()) == len(HOSTILE), "all lines")
        assert page.overflow() == []
        shown = {row["name"] for row in page.rows()}
        assert shown == {name.replace("\u202e", "\ufffd") for name in HOSTILE}
        assert page.all("main :is(img, script, iframe)") == []
        page.open("documents/hostile-0")
        page.wait(lambda: "<script>alert(7)</script><b>bold</b>" in page.text(".page-text"), "the text as text")
        assert page.overflow() == []
        assert page.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_and_contrast(page: Page, client: httpx.Client, worker: Process, write: Write, scheme: str) -> None:
    """Nothing sticks out at 360 pixels and all text can be read, in both colour schemes."""
    page.media(prefers_color_scheme=scheme)
    case_id = page.create_case("A case with a rather long title, as they often have in practice")
    page.choose(write("fine.pdf", pdf_numbered(3)), write("gaps.pdf", pdf_lost_pages(3, [2])),
                write("cut.pdf", pdf_cut(pdf_numbered(2), 0.1)))
    for name in ("fine.pdf", "gaps.pdf", "cut.pdf"):
        page.wait_state(name, *OVER)
    document_id = next(one["id"] for one in pick(client, case_id) if one["file_name"] == "gaps.pdf")
    for width in (1280, 360):
        page.resize(width, 740)
        for route, ready in (("", "#case-list a"), (f"cases/{case_id}", ".row"),
                             (f"documents/{document_id}", ".page-text")):
            page.open(route)
            page.one(ready)
            assert page.overflow() == []
            assert page.contrasts() == []
    page.open(f"cases/{case_id}")
    page.button("Delete this case").click()
    page.one("#confirm")
    assert page.contrasts() == []
    assert page.overflow() == []


TOUCHED = """
window.touched = new Set();
const note = (changes) => {
    for (const { target } of changes) {
        const row = (target.nodeType === 1 ? target : target.parentElement)?.closest('.row');
        if (row) touched.add(row.querySelector('.row-name').textContent);
    }
};
const kinds = { subtree: true, childList: true, attributes: true, characterData: true };
new MutationObserver(note).observe(document.querySelector('.rows'), kinds);
"""


def test_five_hundred_documents(page: Page, client: httpx.Client, pg: psycopg.Connection) -> None:
    """A long list is all there, can be filtered, and a change touches one line only."""
    case_id = case_new(client, "Disclosure")
    pg.execute("""
        INSERT INTO documents (id, case_id, file_name, extraction_status, page_count, error, attempt, created_at)
        SELECT 'many-' || n, %s, 'DISC-' || n || '.pdf', CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'completed' END, n,
               CASE WHEN n %% 50 = 0 THEN 'The file is damaged' END, 1, now() - n * interval '1 minute'
        FROM generate_series(1, 500) n""", (case_id,))
    page.open(f"cases/{case_id}")
    page.wait(lambda: len(page.rows()) == 500, "500 lines")
    assert [row["name"] for row in page.rows()][:2] == ["DISC-1.pdf", "DISC-2.pdf"], "newest first"
    page.one("[data-filter=failed]").click()
    page.wait(lambda: sum(row["shown"] for row in page.rows()) == 10, "the ten with problems")
    page.one("[data-filter=all]").click()
    page.wait(lambda: all(row["shown"] for row in page.rows()), "all of them again")

    page.script(TOUCHED)
    pg.execute("UPDATE documents SET page_count = 9999 WHERE id = 'many-7'")
    page.script("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait(lambda: "9,999 pages" in page.row("DISC-7.pdf")["note"], "the change")
    assert page.script("return [...touched]") == ["DISC-7.pdf"]


# -- how it is served ----------------------------------------------------------------------------------------------


def test_served_strictly(client: httpx.Client) -> None:
    """Each file of the page: its type, a policy without exceptions, and 304 for who has it already."""
    web = Path(__file__).parents[2] / "apps" / "backend" / "web"
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for file in sorted(web.iterdir()):
        answer = client.get("/" if file.name == "index.html" else f"/{file.name}")
        assert answer.status_code == 200, file.name
        assert answer.content == file.read_bytes()
        assert answer.headers["content-type"].startswith(types[file.suffix])
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = client.get(answer.url, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304, file.name
    policy = client.get("/").headers["content-security-policy"]
    assert {part.strip() for part in policy.split(";") if part.strip()} == {
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}
