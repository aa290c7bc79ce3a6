# SPDX-License-Identifier: MIT
"""The Python binding beside what the guide's code runs on today: SQLAlchemy's ORM on asyncpg, asyncpg by itself, and
redis-py. Runs in build-python/venv, which has them all (bindings/python/requirements-test.txt). In one process, each
peer in turn with ours, with asyncio's loop and with uvloop."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import done, head, row, stack_up

if TYPE_CHECKING:
    from dev.stack import Stack

GETS, CHUNKS, MESSAGES, VIEWERS = 250, 1_000, 3_000, 1_000
ROUNDS, ROUNDS_GET, ROUNDS_SHORT = 3, 12, 30  # the shorter a run, the more of them: the machine is others' too
TEXT = "The party of the first part, hereinafter the tenant, shall give notice in writing. " * 6


async def seconds(run: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await run()
    return time.perf_counter() - started


async def in_turn(*runs: Callable[[], Awaitable[object]], rounds: int = ROUNDS) -> list[float]:
    """The best of some rounds of each; a round has all of them, since the machine is not always the same."""
    times = [[await seconds(run) for run in runs] for _ in range(rounds + 1)]
    return [min(each) for each in zip(*times[1:], strict=True)]


def orm_models() -> tuple[Any, Any]:
    """The same two tables, as an ORM reads them from the database's own description."""
    import datetime

    from sqlalchemy import DateTime, Integer, String
    from sqlalchemy.orm import DeclarativeBase, mapped_column

    from shared.models import Document, DocumentChunk

    class Base(DeclarativeBase):
        type_annotation_map = {datetime.datetime: DateTime(timezone=True), str: String}  # noqa: RUF012

    def mapped(ours: Any) -> Any:
        kinds = {"int": int, "time": datetime.datetime}
        fields: dict[str, Any] = {"__tablename__": ours.__tablename__, "__annotations__": {}}
        for column in ours._columns:
            kind = kinds.get(column.kind, str)
            type_ = Integer() if kind is int else DateTime(timezone=True) if kind is not str else String()
            fields[column.name] = mapped_column(type_, primary_key=column.key)
        return type(ours.__name__, (Base,), fields)
    return mapped(Document), mapped(DocumentChunk)


async def bench_database(url: str, loop: str) -> None:
    import datetime

    import asyncpg
    from sqlalchemy import select as orm_select
    from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

    from shared.database import async_session, select
    from shared.models import Document, DocumentChunk

    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    raw = await asyncpg.connect(url)
    orm_document, orm_chunk = orm_models()

    async def get_ours() -> None:
        for _ in range(GETS):
            async with async_session() as db:
                assert await db.get(Document, "doc-bench")

    async def get_orm() -> None:
        for _ in range(GETS):
            async with sessions() as db:
                assert await db.get(orm_document, "doc-bench")

    async def get_raw() -> None:
        for _ in range(GETS):
            assert await raw.fetchrow("SELECT * FROM documents WHERE id = $1", "doc-bench")

    async def select_ours() -> None:
        async with async_session() as db:
            found = await db.scalars(select(DocumentChunk).where(DocumentChunk.document_id == "doc-bench"))
            assert len(found) == CHUNKS

    async def select_orm() -> None:
        async with sessions() as db:
            found = await db.scalars(orm_select(orm_chunk).where(orm_chunk.document_id == "doc-bench"))
            assert len(found.all()) == CHUNKS

    async def empty() -> None:
        await raw.execute("DELETE FROM document_chunks WHERE document_id = 'doc-bench'")

    async def add_ours() -> None:
        async with async_session() as db:
            db.add_all(DocumentChunk(document_id="doc-bench", chunk_index=n, content=TEXT) for n in range(CHUNKS))
            await db.commit()

    numbers = iter(range(10**9))

    async def add_orm() -> None:
        async with sessions() as db:
            db.add_all(orm_chunk(id=f"c-{next(numbers)}", document_id="doc-bench", chunk_index=n, content=TEXT,
                                 created_at=now) for n in range(CHUNKS))
            await db.commit()

    now = datetime.datetime.now(datetime.UTC)
    ours, orm, bare = await in_turn(get_ours, get_orm, get_raw, rounds=ROUNDS_GET)
    row(f"{loop}: db.get, ORM on asyncpg", GETS / ours, GETS / orm, orm / ours, ">= 2 x", orm >= 2 * ours, "1/s")
    row(f"{loop}: db.get, asyncpg fetchrow", GETS / ours, GETS / bare, bare / ours, ">= 0.8 x", bare >= 0.8 * ours,
        "1/s")
    times: list[list[float]] = []
    for _ in range(ROUNDS_SHORT):
        pair = []
        for add in (add_ours, add_orm):
            await empty()
            pair.append(await seconds(add))
        times.append(pair)
    ours, orm = (min(values) for values in zip(*times, strict=True))
    row(f"{loop}: add + commit of {CHUNKS} chunks", 1e3 * ours, 1e3 * orm, orm / ours, ">= 3 x the ORM",
        orm >= 3 * ours, "ms")
    ours, orm = await in_turn(select_ours, select_orm, rounds=ROUNDS_SHORT)
    row(f"{loop}: select of {CHUNKS} chunks", 1e3 * ours, 1e3 * orm, orm / ours, ">= 3 x the ORM",
        orm >= 3 * ours, "ms")
    await empty()
    await raw.close()
    await engine.dispose()


async def bench_progress(url: str, loop: str) -> None:
    import json

    import redis.asyncio

    from shared.client import client_of_loop
    from shared.progress import ProgressPublisher, ProgressStream

    peer = redis.asyncio.Redis.from_url(url)
    publisher = ProgressPublisher()

    async def publish_ours() -> None:
        for n in range(MESSAGES):
            await publisher.publish_progress(f"doc-{n}", 45, "extracting", "Extracted text from page 5 of 10")
        await publisher.flush()

    async def publish_peer() -> None:
        for n in range(MESSAGES):
            await peer.publish(f"progress:doc-{n}", json.dumps(
                {"progress": 45, "step": "extracting", "message": "Extracted text from page 5 of 10"}))

    ours, theirs = await in_turn(publish_ours, publish_peer)
    row(f"{loop}: publish_progress, redis-py", MESSAGES / ours, MESSAGES / theirs, theirs / ours, ">= 2 x",
        theirs >= 2 * ours, "1/s")

    started = asyncio.Event()
    heard = 0

    async def view() -> bool:
        nonlocal heard
        last = ""
        async for text in ProgressStream().stream_progress("doc-bench"):
            last = text
            heard += 1
            if heard >= VIEWERS:
                started.set()
        return '"completed"' in last

    await client_of_loop().ping()
    await publisher.publish_progress("doc-bench", 1, "starting", "x")
    before = len(await peer.client_list())
    viewers = [asyncio.ensure_future(view()) for _ in range(VIEWERS)]
    await asyncio.wait_for(started.wait(), 60)
    more = len(await peer.client_list()) - before
    await publisher.publish_progress("doc-bench", 100, "completed", "x")
    assert all(await asyncio.wait_for(asyncio.gather(*viewers), 60))
    row(f"{loop}: Redis connections of {VIEWERS} viewers", more, VIEWERS, more / VIEWERS, "<= 1", more <= 1)
    await peer.aclose()


async def bench(loop: str) -> None:
    await bench_database(os.environ["DATABASE_URL"], loop)
    await bench_progress(os.environ["REDIS_URL"], loop)


def measure(stack: Stack) -> None:
    import psycopg
    import uvloop
    os.environ.update(stack.urls() | {"LOG_LEVEL": "warning"})
    with psycopg.connect(stack.postgres.url, autocommit=True) as database:
        database.execute("INSERT INTO documents (id, file_name) VALUES ('doc-bench', 'bench.pdf')")
    asyncio.run(bench("asyncio"))
    uvloop.run(bench("uvloop"))


def main() -> int:
    try:
        import shared  # noqa: F401
    except ImportError:
        from dev.python import python_venv
        folder = Path(__file__).resolve().parent
        paths = os.pathsep.join([str(folder), str(folder.parent / "deploy")])
        return subprocess.run([python_venv(), __file__], env=os.environ | {"PYTHONPATH": paths}, check=False).returncode
    warnings.simplefilter("ignore", DeprecationWarning)
    head("The Python binding")
    with stack_up(programs=False) as stack:
        measure(stack)
    return done()


if __name__ == "__main__":
    sys.exit(main())
