# SPDX-License-Identifier: MIT
"""The guide's own code: each block that docs/MIGRATION.md shows is taken from there and run. What a block leaves to its
reader (names that it does not import, a `...`) is given here, in sight."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from dev.servers import ROLE
from dev.stack import ROOT
from services import SERVICES, celery_up, environment, fastapi_up, only_up
from stack import LabStack, wait_until

PAGE = (ROOT / "docs" / "MIGRATION.md").read_text()
GUIDE = ROOT.parent / "shared" / "reference" / "migration-guide.md"
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
BLOCKS = {int(number): code for number, code in re.findall(r"^\*\*(\d+)\*\*\n```\w+\n(.*?)^```$", PAGE,
                                                           re.DOTALL | re.MULTILINE)}
RUN_HERE = {2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 16, 17, 20, 21, 24, 25, 26}


async def run(code: str, **names: Any) -> dict[str, Any]:
    """Runs a block as a module that may await; its names."""
    compiled = compile(code, "the guide", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names["__name__"] = "guide"
    result = eval(compiled, names)  # a coroutine where it awaits
    if inspect.iscoroutine(result):
        await result
    return names


def shell(code: str, cwd: Path, env: dict[str, str], timeout_s: float = 120) -> str:
    """What it prints; a failure shows it."""
    done = subprocess.run(["bash", "-e", "-c", code], cwd=cwd, env=env, text=True, timeout=timeout_s, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def redis_cli(stack: LabStack) -> tuple[str, dict[str, str]]:
    """`redis-cli` for this stack's Redis, and the environment in which it may enter."""
    return f"redis-cli -p {stack.redis.port}", environment(stack) | {"REDISCLI_AUTH": stack.redis.password}


@pytest.fixture
def services(stack: LabStack, tmp_path: Path) -> Path:
    """The example as a user has it: a copy, so that what commands leave is nobody's."""
    copy = tmp_path / "services"
    shutil.copytree(SERVICES, copy, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def document(stack: LabStack, pg: psycopg.Connection) -> str:
    """A pending document that no worker knows of."""
    pg.execute("DELETE FROM documents WHERE id = 'doc-123'")
    pg.execute("INSERT INTO documents (id, file_name) VALUES ('doc-123', 'will.txt')")
    return "doc-123"


@pytest.fixture
def heard(stack: LabStack) -> Callable[[], list[dict[str, Any]]]:
    """Everything that is published while the test runs."""
    listener = stack.redis_connect().pubsub(ignore_subscribe_messages=True)
    listener.subscribe("progress:doc-123")

    def all_so_far() -> list[dict[str, Any]]:
        found = []
        while message := listener.get_message(timeout=0.2):
            found.append(json.loads(message["data"]))
        return found
    listener.get_message(timeout=5)  # subscribed
    return all_so_far


def client() -> Any:
    from lib.redis import redis_client
    return redis_client


# --- the page ---------------------------------------------------------------------------------------------------------


def test_each_block_on_the_page_is_run() -> None:
    assert set(BLOCKS) == RUN_HERE
    here = Path(__file__).read_text()
    assert {int(number) for number in re.findall(r"BLOCKS\[(\d+)\]", here)} == RUN_HERE


def test_the_table_speaks_of_every_block() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \|", PAGE, re.MULTILINE)
    assert sorted(int(number) for row in rows for number in row.split(",")) == list(range(1, 27))


def test_the_blocks_are_the_guides() -> None:
    """Word for word, where the guide is at hand."""
    if not GUIDE.exists():
        assert BLOCKS
        return
    guide = {}
    for number, (indent, _language, code) in enumerate(BLOCK.findall(GUIDE.read_text()), 1):
        guide[number] = re.sub(rf"^{indent}", "", code, flags=re.MULTILINE)
    assert len(guide) == 26
    assert {number: guide[number] for number in BLOCKS} == BLOCKS


# --- imports and errors -----------------------------------------------------------------------------------------------


async def test_2_imports(stack: LabStack) -> None:
    import shared.database
    import shared.models
    names = await run(BLOCKS[2])
    assert names["Document"] is shared.models.Document
    assert names["async_session"] is shared.database.async_session


async def test_3_error_classes() -> None:
    raised = []
    names: dict[str, Any] = {}
    for statement in ast.parse(BLOCKS[3]).body:
        try:
            names = await run(ast.unparse(statement), **names)
        except Exception as error:
            raised.append((type(error), str(error)))
    assert issubclass(names["DocumentExtractionError"], Exception)
    assert raised == [(names["PermanentError"], "Document not found in database"),
                      (names["RetryableError"], "Database connection timeout")]
    assert names["PermanentError"].__module__ == "shared.errors"


async def test_4_backend_code_is_imported_as_before(stack: LabStack) -> None:
    names = await run(BLOCKS[4])
    assert os.environ["DATABASE_URL"] == names["settings"].DATABASE_URL
    assert "/documents/{document_id}/progress" in names["app"].openapi()["paths"]
    assert names["Case"].__tablename__ == "cases" and names["DocumentChunk"].__tablename__ == "document_chunks"


async def test_5_shared_utilities(capfd: pytest.CaptureFixture[str], stack: LabStack) -> None:
    names = await run(BLOCKS[5])
    names["get_logger"]("guide").warning("seen", extra={"document_id": "doc-123"})
    assert {"logger": "guide", "message": "seen", "document_id": "doc-123"}.items() <= \
        json.loads(capfd.readouterr().err.splitlines()[-1]).items()


@pytest.mark.parametrize("file_exists", [True, False])
async def test_9_errors_that_are_raised(file_exists: bool) -> None:
    from shared.errors import PermanentError, RetryableError
    wanted = RetryableError if file_exists else PermanentError
    with pytest.raises(wanted, match="Database timeout" if file_exists else r"File not found: /x\.pdf"):
        await run(BLOCKS[9], file_exists=file_exists, file_path="/x.pdf", db_connection_timeout=True)


# --- progress ---------------------------------------------------------------------------------------------------------


async def test_6_the_endpoint_streams(pg: psycopg.Connection, document: str) -> None:
    from fastapi import APIRouter, FastAPI

    from shared.progress import ProgressPublisher
    router, app = APIRouter(), FastAPI()
    await run(BLOCKS[6], router=router, redis_client=client())
    app.include_router(router)
    pg.execute("UPDATE documents SET extraction_status = 'completed' WHERE id = %s", [document])
    await ProgressPublisher(client()).publish_progress(document, 100, "completed", "Done!")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        answer = await http.get(f"/documents/{document}/progress")
    assert answer.headers["content-type"].startswith("text/event-stream")
    data = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert {"progress": 100, "step": "completed", "message": "Done!"}.items() <= data[-1].items()


async def test_10_progress_is_published(document: str, heard: Callable[[], list[dict[str, Any]]]) -> None:
    names = await run(BLOCKS[10], redis_client=client())
    await names["publisher"].flush()
    (message,) = heard()
    assert {"progress": 45, "step": "extracting",
            "message": "Extracted text from page 5 of 10"}.items() <= message.items()


# --- the worker -------------------------------------------------------------------------------------------------------


def guides_task() -> tuple[Any, dict[str, Any]]:
    from shared.celery import Celery
    from shared.errors import PermanentError, RetryableError
    names = asyncio.run(run(BLOCKS[8], celery_app=Celery("guide", set_as_current=False), redis_client=client(),
                            PermanentError=PermanentError, RetryableError=RetryableError))
    return names["extract_text_from_document"], names


def test_8_the_task_runs(document: str, heard: Callable[[], list[dict[str, Any]]]) -> None:
    """Celery alone would return a coroutine that nobody awaits."""
    task, _ = guides_task()
    assert task.name == "extract_text_from_document"
    assert task.apply(args=[{"document_id": document}], throw=True).get() is None
    messages = heard()
    assert [(each["progress"], each["step"], each["message"]) for each in messages] == [
        (0, "starting", "..."), (100, "completed", "Done!")]


def test_8_a_retryable_failure_has_the_guides_pauses(document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.errors import RetryableError
    task, names = guides_task()
    pauses: list[int] = []
    kind = task.__class__  # not type(): Celery makes it when it is first asked for
    retry = kind.retry

    def noting(self: Any, *args: Any, **options: Any) -> Any:
        pauses.append(options["countdown"])
        return retry(self, *args, **options)

    def away() -> Any:
        raise RetryableError("Database connection timeout")
    monkeypatch.setattr(kind, "retry", noting)
    names["async_session"] = away
    with pytest.raises(RetryableError, match="Database connection timeout"):
        task.apply(args=[{"document_id": document}]).get()
    assert pauses[:4] == [60, 120, 240, 480] and task.max_retries == 4


def test_8_a_permanent_failure_is_not_retried(document: str) -> None:
    from shared.errors import PermanentError
    task, names = guides_task()
    calls: list[int] = []

    def absent() -> Any:
        calls.append(1)
        raise PermanentError("Document not found in database")
    names["async_session"] = absent
    with pytest.raises(PermanentError):
        task.apply(args=[{"document_id": document}], throw=True)
    assert len(calls) == 1


def test_the_task_is_registered(stack: LabStack, services: Path) -> None:
    only_up(stack, "celery")
    celery_up(stack)
    command = next(line for line in PAGE.splitlines() if line.startswith("cd apps/workers && celery"))
    at, env = redis_cli(stack)
    printed = shell(f"{at} PING; {command}", services, env)
    assert printed.startswith("PONG") and "* extract_text_from_document" in printed


# --- environment ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND",
                                  "WORKER_PREFETCH_MULTIPLIER", "TASK_SOFT_TIME_LIMIT", "TASK_TIME_LIMIT"])
def test_11_12_the_environment_is_read(stack: LabStack, name: str) -> None:
    wanted = {"DATABASE_URL": "postgresql+asyncpg://user:pass@localhost/lex_intel", "REDIS_URL": "redis://localhost:6379",
              "CELERY_BROKER_URL": "redis://localhost:6379/0", "CELERY_RESULT_BACKEND": "redis://localhost:6379/1",
              "WORKER_PREFETCH_MULTIPLIER": "1", "TASK_SOFT_TIME_LIMIT": "1500", "TASK_TIME_LIMIT": "1800"}
    script = f"set -a\n{BLOCKS[11]}{BLOCKS[12]}python -c 'from shared.config import settings; print(settings.{name})'"
    env = environment(stack)
    printed = shell(script, ROOT, {key: env[key] for key in ("PATH", "HOME", "LANG")})
    assert printed.split() == [wanted[name]]


# --- tests ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [line for line in BLOCKS[16].splitlines() if line.startswith("pytest")])
def test_16_the_services_own_tests(stack: LabStack, services: Path, line: str) -> None:
    only_up(stack, "worker")
    stack.worker_up()
    printed = shell(line, services, environment(stack))
    assert re.search(r"^=+ \d+ passed in", printed, re.MULTILINE), printed
    assert (services / "htmlcov" / "index.html").exists() == ("--cov" in line)


def test_17_the_fixture(stack: LabStack, tmp_path: Path) -> None:
    block = BLOCKS[17]
    assert block.count("Document(...)") == 1
    (tmp_path / "conftest.py").write_text(
        "import pytest\nfrom app.database import async_session\nfrom app.models import Document\n"
        + block.replace("Document(...)", "Document(file_name='guide.txt')"))
    (tmp_path / "test_it.py").write_text(
        "from app.database import async_session\nfrom app.models import Document\n"
        "async def test_it(test_document):\n    async with async_session() as db:\n"
        "        assert (await db.get(Document, test_document.id)).file_name == 'guide.txt'\n")
    env = environment(stack) | {"PYTHONPATH": str(SERVICES / "apps" / "backend")}
    printed = shell("pytest -q -o asyncio_mode=auto -p no:cacheprovider .", tmp_path, env)
    assert "1 passed" in printed


async def test_21_the_integration_test(stack: LabStack) -> None:
    from app.database import async_session, select
    from app.models import Document, DocumentChunk
    only_up(stack, "celery")
    url = await asyncio.to_thread(fastapi_up, stack)
    await asyncio.to_thread(celery_up, stack)
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        uploaded: list[str] = []

        async def create_test_case(title: str) -> types.SimpleNamespace:
            return types.SimpleNamespace(**(await http.post("/cases", json={"title": title})).json())

        async def upload_test_document(case_id: str, name: str) -> types.SimpleNamespace:
            answer = await http.post("/documents", data={"case_id": case_id}, files={"file": (name, b"One. Two.")})
            uploaded.append(answer.json()["id"])
            return types.SimpleNamespace(**answer.json())

        async def until_read(seconds: float) -> None:
            assert seconds == 5
            await http.get(f"/documents/{uploaded[0]}/progress", timeout=60)  # ends with its last message
        names = await run(BLOCKS[21], create_test_case=create_test_case, upload_test_document=upload_test_document,
                          async_session=async_session, select=select, Document=Document, DocumentChunk=DocumentChunk,
                          asyncio=types.SimpleNamespace(sleep=until_read))
        await names["test_document_extraction_flow"]()
        assert len(uploaded) == 1


# --- migrations -------------------------------------------------------------------------------------------------------


def database_new(stack: LabStack, name: str) -> dict[str, str]:
    """The environment for an empty database."""
    stack.postgres.admin_run(f"DROP DATABASE IF EXISTS {name};\nCREATE DATABASE {name} OWNER {ROLE};\n")
    env = environment(stack)
    return env | {"DATABASE_URL": re.sub(r"/\w+$", f"/{name}", env["DATABASE_URL"])}


def tables(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT table_name, column_name, data_type, is_nullable"
                                  " FROM information_schema.columns WHERE table_schema = 'public'"
                                  " ORDER BY 1, 2").fetchall()


def test_20_alembic_and_lex_intel_take_turns(stack: LabStack, services: Path) -> None:
    ours, theirs = database_new(stack, "by_lex_intel"), database_new(stack, "by_alembic")
    migrate = f"{stack.program_path('lex-intel')} migrate upgrade head"
    shell(BLOCKS[20], services, theirs)
    assert '0 applied {"from":"0001","to":"0001"}' in shell(migrate, services, theirs)
    assert "1 applied" in shell(migrate, services, ours)
    shell(BLOCKS[20], services, ours)
    assert tables(theirs["DATABASE_URL"]) == tables(ours["DATABASE_URL"]) != []
    for env in (ours, theirs):
        assert "0001 (head)" in shell("cd apps/backend; alembic current", services, env)


def test_20_several_at_once_migrate_once(stack: LabStack, services: Path) -> None:
    env = database_new(stack, "at_once")
    migrate = f"{stack.program_path('lex-intel')} migrate upgrade head"
    shell(f"cd apps/backend; for n in 1 2; do alembic upgrade head & {migrate} & done; "
          "for job in $(jobs -p); do wait $job; done", services, env)
    with psycopg.connect(env["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]


# --- looking inside ---------------------------------------------------------------------------------------------------


def test_24_redis_shows_progress_and_the_queue(stack: LabStack, document: str, tmp_path: Path) -> None:
    """Redis takes a pattern only after PSUBSCRIBE; the redis-cli of `./dev env` mends that (test_dev.py)."""
    subscribe, length = (line for line in BLOCKS[24].splitlines() if line.startswith("redis-cli"))
    at, env = redis_cli(stack)
    assert subscribe == "redis-cli SUBSCRIBE progress:*"
    subscribe = subscribe.replace("SUBSCRIBE", "PSUBSCRIBE")
    assert shell(length.replace("redis-cli", at), tmp_path, env).strip() == "0"
    printed = tmp_path / "printed"
    with printed.open("w") as output:
        listener = subprocess.Popen([*at.split(), *subscribe.split()[1:]], env=env, stdout=output)
    try:
        wait_until(lambda: "subscribe" in printed.read_text(), 20, "redis-cli to listen")
        say = ("import asyncio; from shared.progress import ProgressPublisher; "
               f"asyncio.run(ProgressPublisher().publish_progress('{document}', 100, 'completed', 'Done!'))")
        subprocess.run([sys.executable, "-c", say], env=environment(stack), check=True)
        wait_until(lambda: '"Done!"' in printed.read_text(), 20, "the message")
    finally:
        listener.terminate()
        listener.wait()
    assert "progress:doc-123" in printed.read_text()


def test_25_psql_shows_the_rows(stack: LabStack, pg: psycopg.Connection, document: str, tmp_path: Path) -> None:
    pg.execute("INSERT INTO document_chunks (id, document_id, chunk_index, content) VALUES ('c', 'doc-123', 0, 'text')")
    connect, *queries = (line for line in BLOCKS[25].splitlines() if line and not line.startswith(("#", "--")))
    assert connect == "psql postgresql://user:pass@localhost/lex_intel"
    (tmp_path / "queries.sql").write_text("\n".join(queries))
    printed = shell(f'psql "{stack.postgres.url}" -f queries.sql', tmp_path, environment(stack))
    assert re.search(r"doc-123 +\| will.txt +\| pending", printed) and re.search(r"doc-123 +\| +0 \| text", printed)


def test_26_packages_shared_is_the_binding() -> None:
    """The steps name the option that an editable install of C needs."""
    assert BLOCKS[26] == "pip install -e packages/shared\n"
    assert "pip install --no-build-isolation -e packages/shared" in PAGE
    project = SERVICES / "packages" / "shared"
    done = subprocess.run([sys.executable, "-c", "import binding, os; print(os.getcwd())"], cwd=project,
                          capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(ROOT / "bindings" / "python")
    here, there = (tomllib.loads((place / "pyproject.toml").read_text())["build-system"]["requires"]
                   for place in (project, ROOT / "bindings" / "python"))
    assert here == there




def test_the_readmes_example(stack: LabStack, pg: psycopg.Connection, document: str) -> None:
    shown = BLOCK.findall((ROOT / "README.md").read_text())
    (example,) = (code for _, language, code in shown if language == "python" and "async_session" in code)
    pg.execute("UPDATE documents SET extraction_status = 'completed' WHERE id = %s", [document])
    printed = subprocess.run([sys.executable, "-c", example], env=environment(stack), text=True, capture_output=True,
                             timeout=60, check=False)
    assert printed.returncode == 0 and printed.stdout.startswith("100 "), (printed.stdout, printed.stderr)
    assert pg.execute("SELECT file_name FROM documents WHERE id = 'doc-123'").fetchone() == ("Last will.pdf",)
