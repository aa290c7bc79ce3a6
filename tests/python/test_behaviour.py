# SPDX-License-Identifier: MIT
"""What people rely on without asking: loops, threads, fork, cancellation, what is left open."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import psycopg
import pytest
import uvloop

import shared
from shared import errors, native, sync
from shared.client import Client, Stream, client_of_loop
from shared.database import AsyncSession, async_session, select
from shared.models import Case, Document
from shared.progress import ProgressStream

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    return asyncio.run if request.param == "asyncio" else uvloop.run


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def backends(pg: psycopg.Connection) -> list[tuple[int, str, str]]:
    """Our connections: process, state, last statement."""
    return pg.execute("SELECT pid, state, query FROM pg_stat_activity WHERE backend_type = 'client backend'"
                      " AND pid <> pg_backend_pid() AND datname = current_database() ORDER BY pid").fetchall()


def in_child(work: Callable[[], object]) -> None:
    """In a child of fork; its failure is ours."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            os.write(writing, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    assert os.waitpid(child, 0)[1] == 0, said


# --- loops and threads ------------------------------------------------------------------------------------------------


def test_a_session_works_on_every_loop(run: Run, pg: psycopg.Connection) -> None:
    async def main() -> None:
        async with async_session() as db:
            db.add(Case(id="case-1", title="x"))
            await db.commit()
            case = await db.get_one(Case, "case-1")
            assert (await db.scalars(select(Case).where(Case.id == "case-1"))).one() is case
            assert await asyncio.gather(*(db.scalar(f"SELECT {n}") for n in range(20))) == list(range(20))
    run(main())
    assert pg.execute("SELECT title FROM cases").fetchall() == [("x",)]


def test_runs_in_a_row_leave_nothing_behind(run: Run) -> None:
    async def main() -> Client:
        async with async_session() as db:
            await db.scalar("SELECT 1")
        return client_of_loop()
    first = run(main())
    assert first.closed
    before = descriptors()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(5):
            assert run(main()).closed
        gc.collect()
    assert descriptors() == before


def test_a_loop_that_is_only_closed_loses_its_client_too() -> None:
    async def main() -> Client:
        await client_of_loop().ping()
        return client_of_loop()
    loop = asyncio.new_event_loop()
    left = loop.run_until_complete(main())
    loop.close()
    assert asyncio.run(main()) is not left
    assert left.closed


def test_each_thread_and_loop_has_its_own_client(run: Run) -> None:
    failures: list[BaseException] = []

    async def main() -> None:
        async with async_session() as db:
            for number in range(20):
                assert await db.scalar("SELECT :n::int", {"n": number}) == number

    def work() -> None:
        try:
            run(main())
            with sync.session() as db:
                assert db.scalar("SELECT 1") == 1
        except BaseException as error:
            failures.append(error)
    before = descriptors()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    gc.collect()
    assert descriptors() <= before


def test_a_session_of_another_loop_is_refused(run: Run) -> None:
    async def make() -> AsyncSession:
        return async_session()
    loop = asyncio.new_event_loop()
    db = loop.run_until_complete(make())

    async def use() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            await db.get(Case, "case-1")
        with pytest.raises(RuntimeError, match="another event loop"):
            await db.execute("SELECT 1")
        async with async_session() as own:
            assert await own.scalar("SELECT 1") == 1
        await db.close()
    run(use())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def test_a_blocking_session_of_another_thread_is_refused() -> None:
    said: list[str] = []
    with sync.session() as db:
        def use() -> None:
            try:
                db.scalar("SELECT 1")
            except RuntimeError as error:
                said.append(str(error))
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        assert "another thread" in said[0]
        assert db.scalar("SELECT 1") == 1


def test_other_threads_run_while_one_waits() -> None:
    ticks, done = 0, threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.wait(0.001):
            ticks += 1
    thread = threading.Thread(target=tick)
    thread.start()
    with sync.session() as db:
        db.execute("SELECT pg_sleep(0.5)")
    done.set()
    thread.join()
    assert ticks > 20


def test_a_signal_interrupts_a_blocking_wait(pg: psycopg.Connection) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background may be born deaf to it
    try:
        interrupted(pg)
    finally:
        signal.signal(signal.SIGINT, before)


def interrupted(pg: psycopg.Connection) -> None:
    with sync.session() as db:
        db.scalar("SELECT 1")
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            db.execute("SELECT pg_sleep(60)")
        assert time.monotonic() - started < 30
        timer.join()
        db.rollback()
        assert db.scalar("SELECT 1") == 1
    assert not [state for _, state, query in backends(pg) if state == "active"]


# --- fork -------------------------------------------------------------------------------------------------------------


def test_a_child_of_fork_opens_its_own(run: Run, pg: psycopg.Connection) -> None:
    async def ask() -> int:
        async with async_session() as db:
            return int(await db.scalar("SELECT pg_backend_pid()"))

    async def main() -> None:
        mine = client_of_loop()
        await ask()
        async with async_session() as held, held.begin():
            held.add(Case(id="case-1", title="parent's"))
            await held.flush()
            of_parent = [pid for pid, _, _ in backends(pg)]

            def child() -> None:
                assert asyncio.run(ask()) not in of_parent
                assert mine.closed
                assert asyncio.run(ask()) > 0
            in_child(child)
            assert await held.scalar("SELECT count(*) FROM cases") == 1
        assert client_of_loop() is mine and not mine.closed
        assert await ask() > 0
        assert set(of_parent) <= {pid for pid, _, _ in backends(pg)}
    run(main())
    assert pg.execute("SELECT title FROM cases").fetchall() == [("parent's",)]


def test_a_childs_blocking_session_is_its_own(pg: psycopg.Connection) -> None:
    with sync.session() as db:
        db.add(Case(id="case-1", title="parent's"))
        db.flush()

        def child() -> None:
            with sync.session() as own:
                assert own.get(Case, "case-1") is None
                own.add(Case(id="case-2", title="child's"))
                own.commit()
            try:
                db.scalar("SELECT 1")
            except RuntimeError as error:
                assert "parent process" in str(error)
            else:
                raise AssertionError("the parent's session worked")
        in_child(child)
        db.commit()
    assert pg.execute("SELECT title FROM cases ORDER BY id").fetchall() == [("parent's",), ("child's",)]


def test_fork_after_import_alone_costs_nothing() -> None:
    def child() -> None:
        with sync.session() as db:
            assert db.scalar("SELECT 1") == 1
    for _ in range(3):
        in_child(child)


# --- cancellation -----------------------------------------------------------------------------------------------------


def idle(pg: psycopg.Connection) -> bool:
    """No statement runs, no transaction is open and no lock is held by us."""
    busy = [row for row in backends(pg) if row[1] != "idle"]
    locks = pg.execute("SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE pid <> pg_backend_pid()"
                       " AND backend_type = 'client backend'").fetchone()
    return not busy and locks == (0,)


async def until_idle(pg: psycopg.Connection) -> None:
    deadline = time.monotonic() + 20
    while not idle(pg):
        assert time.monotonic() < deadline, backends(pg)
        await asyncio.sleep(0.01)


def test_a_timeout_ends_the_statement(run: Run, pg: psycopg.Connection) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), async_session() as db, db.begin():
                await db.execute("SELECT pg_sleep(60)")
        await until_idle(pg)
        async with async_session() as db:
            assert await db.scalar("SELECT 1") == 1
    run(main())


def test_a_cancelled_task_frees_its_connection(run: Run, pg: psycopg.Connection) -> None:
    async def hold(locked: asyncio.Event) -> None:
        async with async_session() as db:
            await db.get_one(Document, "doc-123", with_for_update=True)
            locked.set()
            await asyncio.Event().wait()

    async def main() -> None:
        async with async_session() as db:
            db.add(Document(id="doc-123", file_name="will.pdf"))
            await db.commit()
            for _ in range(20):
                locked = asyncio.Event()
                task = asyncio.create_task(hold(locked))
                await locked.wait()
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()
                await db.get_one(Document, "doc-123", with_for_update=True)
                await db.rollback()
        await until_idle(pg)
        assert client_of_loop().unheard == 0
    run(main())


def test_a_failure_that_is_kept_keeps_no_lock(run: Run, pg: psycopg.Connection) -> None:
    """A traceback holds its frames, and they the session: closed is closed all the same."""
    async def main() -> None:
        kept: list[BaseException] = []
        for _ in range(3):
            try:
                async with async_session() as db:
                    await db.execute("SELECT pg_advisory_xact_lock(1)")
                    await db.execute("SELECT 1 / 0")
            except errors.SharedError as error:
                kept.append(error)
        await until_idle(pg)
        assert [error.sqlstate for error in kept if isinstance(error, errors.SharedError)] == ["22012"] * 3
    run(main())


def test_cancelled_anywhere_the_pool_stays_whole() -> None:
    """Two seconds of what cancel_storm.py does for as long as one likes."""
    storm = Path(__file__).with_name("cancel_storm.py")
    done = subprocess.run([sys.executable, storm, "2"], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_operations_leave_no_memory_and_no_handle() -> None:
    """Some thousand of what mixed_operations.py does a million times in the suite python-proof."""
    mixed = Path(__file__).with_name("mixed_operations.py")
    done = subprocess.run([sys.executable, mixed, "3200"], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_slow_reader_hears_the_newest_and_the_end(run: Run) -> None:
    async def main() -> None:
        stream = Stream(client_of_loop(), 1, newest_of=3)
        for percent in range(1, 11):
            stream.put((1, 1, native.EVENT_PROGRESS, 0, percent, None))
        stream.put((1, 0, native.EVENT_DONE, 0, None, None))
        assert [parts[4] async for parts in stream] == [10, None]
    run(main())


def test_a_stream_that_is_left_ends(run: Run, pg: psycopg.Connection) -> None:
    async def main() -> None:
        async with async_session() as db:
            async for row in db.stream("SELECT g AS n FROM generate_series(1, 10000000) g", rows=10):
                if row.n == 5:
                    break
        await until_idle(pg)
        stream = ProgressStream().stream_progress("doc-123")
        async with async_session() as db:
            db.add(Document(id="doc-123", file_name="will.pdf"))
            await db.commit()
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.wait([waiting], timeout=0.1)
        waiting.cancel()
        await asyncio.wait([waiting])
        await stream.aclose()
        deadline = time.monotonic() + 20
        while client_of_loop().unheard and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        assert client_of_loop().unheard == 0
    run(main())


# --- what is left open ------------------------------------------------------------------------------------------------


def test_what_was_not_closed_is_a_resource_warning(run: Run) -> None:
    async def main() -> None:
        client = Client()
        await client.ping()
        with pytest.warns(ResourceWarning, match=r"shared\.client\.Client"):
            del client
            gc.collect()
        db = async_session()
        await db.scalar("SELECT 1")
        with pytest.warns(ResourceWarning, match="session"):
            del db
            gc.collect()
    run(main())
    db = sync.session()
    with pytest.warns(ResourceWarning, match="session"):
        del db
        gc.collect()


def test_closed_handles_say_so(run: Run) -> None:
    async def main() -> None:
        client = Client()
        handle = client.handle
        session = AsyncSession(client)
        await client.close()
        await client.close()
        with pytest.raises(RuntimeError, match="closed"):
            await session.execute("SELECT 1")
        with pytest.raises(RuntimeError, match="closed"):
            await client.ping()
        with pytest.raises(ValueError, match="client_fd: the handle is None or closed"):
            native.client_fd(handle)
        await session.close()
        await session.close()
    run(main())


def test_closing_wakes_those_who_wait(run: Run) -> None:
    async def main() -> None:
        client = Client()
        async with AsyncSession(client) as db:
            waiting = asyncio.ensure_future(db.execute("SELECT pg_sleep(60)"))
            await asyncio.sleep(0)
            await client.close()
            with pytest.raises(RuntimeError, match="the client was closed"):
                await waiting
    run(main())


# --- versions, interpreters, errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("loaded", [0, native.VERSION - 1, native.VERSION + (1 << 16)])
def test_a_library_that_does_not_fit_is_refused(loaded: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "version", lambda: loaded)
    with pytest.raises(errors.VersionError, match="these bindings were made for") as refused:
        importlib.reload(shared)
    assert isinstance(refused.value, ImportError)
    monkeypatch.undo()
    importlib.reload(shared)
    assert set(shared.build_info()) >= {"libshared", "libpq", "openssl", "impl"}


@pytest.mark.parametrize(("wanted", "told"), [
    ("system", 'SHARED_IMPL: "system" is wanted, these bindings are "bundled"; install them with --config'),
    ("static", 'SHARED_IMPL: "static", it may be "bundled" or "system"'),
])
def test_another_kind_than_the_wanted_is_refused(wanted: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARED_IMPL", wanted)
    with pytest.raises(errors.VersionError) as refused:
        importlib.reload(shared)
    assert str(refused.value).startswith(told)
    monkeypatch.setenv("SHARED_IMPL", "bundled")
    importlib.reload(shared)
    assert shared.build_info()["impl"] == "bundled"


def test_a_subinterpreter_is_refused() -> None:
    code = ("import shared\n"
            "try:\n    import _interpreters as s\n    i = s.create('legacy')\n"  # since 3.13
            "except ImportError:\n    import _xxsubinterpreters as s\n    i = s.create(isolated=False)\n"
            "s.run_string(i, '''\ntry:\n    import shared\nexcept ImportError as error:\n"
            "    print(\"refused:\", error)\n''')\n"
            "s.destroy(i)\n"
            "print(shared.build_info()['libshared'])\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused: ") and shared.__version__ in done.stdout


def test_an_error_keeps_its_cause(run: Run) -> None:
    async def main() -> None:
        async with async_session() as db:
            try:
                await db.execute("SELECT no_such_column")
            except errors.PermanentError as error:
                wrapped = errors.RetryableError("later")
                wrapped.__cause__ = error
            assert isinstance(wrapped.__cause__, errors.SharedError)
            assert wrapped.__cause__.sqlstate == "42703" and wrapped.__cause__.domain == "postgres"
            assert errors.classify(wrapped) == "retryable" and errors.classify(wrapped.__cause__) == "permanent"
    run(main())
