#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""So many operations of every kind, drawn by chance, eight at a time; then memory must be where it was after the first
rounds, and no handle of the library and no descriptor may be left. Settings from the environment.

    mixed_operations.py OPERATIONS [SEED]"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import random
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy

from shared import errors, native, sync
from shared.client import client_of_loop
from shared.database import AsyncSession, async_session, select
from shared.models import Document, DocumentChunk
from shared.progress import ProgressPublisher, ProgressStream
from shared.queue import Worker, send_task

LANES, ROUNDS, ROUNDS_WARM, CHUNKS = 8, 20, 8, 5
OWN = f"mixed-{os.getpid()}"  # documents and queue of this run
FIRST = f"{OWN}-0"  # is only read
HANDLES = (native.client, native.session, native.query, native.record, native.message, native.task)
# What may be more after the last round than after the warm ones, whatever the number of operations: pages that malloc
# keeps, and tables that grow by doubling.
RSS_MORE, HEAP_MORE, TRACED_MORE = 4 << 20, 512 << 10, 32 << 10
sessions: dict[str, AsyncSession] = {}
Chunks = select(DocumentChunk).where(DocumentChunk.document_id == FIRST).order_by(DocumentChunk.chunk_index)
Theirs = sqlalchemy.select(DocumentChunk).where(DocumentChunk.chunk_index < 3)


# --- the operations: each on documents of its own lane ----------------------------------------------------------------


async def get(key: str) -> None:
    async with async_session() as db:
        assert await db.get(Document, key) is await db.get(Document, key)


async def get_none(key: str) -> None:
    async with async_session() as db:
        assert await db.get(Document, f"{key}-no") is None


async def get_many(key: str) -> None:
    async with async_session() as db:
        assert len(await db.get_many(Document, [key, FIRST, "no"])) == len({key, FIRST})


async def objects(key: str) -> None:
    async with async_session() as db:
        assert len(await db.scalars(Chunks)) == CHUNKS


async def objects_sqlalchemy(key: str) -> None:
    async with async_session() as db:
        assert len(await db.scalars(Theirs.where(DocumentChunk.document_id == key))) == 3


async def columns(key: str) -> None:
    async with async_session() as db:
        found = await db.execute(select(DocumentChunk.id, DocumentChunk.created_at)
                                 .where(DocumentChunk.document_id.in_([key])).limit(2))
        assert len(found.all()) == 2


async def sql(key: str) -> None:
    async with async_session() as db:
        row = (await db.execute("SELECT 1.5::numeric AS a, 'x' AS b, :k::text AS c, now() AS d, '{1}'::int[] AS e",
                                {"k": key})).one()
        assert row.c == key


async def stream(key: str) -> None:
    async with async_session() as db:
        assert [row[0] async for row in db.stream("SELECT generate_series(1, 9)", rows=4)] == list(range(1, 10))


async def stream_left(key: str) -> None:
    async with async_session() as db:
        async for _ in db.stream("SELECT generate_series(1, 90)", rows=4):
            break


async def change(key: str) -> None:
    async with async_session() as db:
        document = await db.get_one(Document, key)
        document.page_count = (document.page_count or 0) + 1
        await db.commit()


async def add_delete(key: str) -> None:
    async with async_session() as db:
        chunk = DocumentChunk(document_id=key, chunk_index=CHUNKS, content="more")
        db.add(chunk)
        await db.commit()
        await db.delete(chunk)
        await db.commit()


async def long_lived(key: str) -> None:
    """In a session that a lane has for all of its operations."""
    db = sessions.get(key)
    if db is None:
        db = sessions[key] = async_session()
    chunk = DocumentChunk(document_id=key, chunk_index=CHUNKS, content="more")
    db.add(chunk)
    await db.commit()
    await db.delete(chunk)
    await db.commit()


async def add_many(key: str) -> None:
    """In bulk, and back again."""
    async with async_session() as db:
        db.add_all(DocumentChunk(document_id=key, chunk_index=CHUNKS + n, content="many") for n in range(70))
        await db.flush()
        await db.rollback()


async def roll_back(key: str) -> None:
    async with async_session() as db:
        (await db.get_one(Document, key)).file_name = "other.pdf"
        await db.flush()
        await db.rollback()


async def lock(key: str) -> None:
    async with async_session.begin() as db:
        (await db.get_one(Document, key, with_for_update=True)).attempt += 1


async def nested(key: str) -> None:
    async with async_session.begin() as db:
        try:
            async with db.begin_nested():
                db.add(DocumentChunk(document_id=key, chunk_index=0, content="taken"))
                await db.flush()
        except errors.ConflictError as error:
            assert error.sqlstate == "23505"
        else:
            raise AssertionError("two chunks with one index")


async def refresh(key: str) -> None:
    async with async_session() as db:
        document = await db.get_one(Document, key)
        document.file_name = "never stored"
        await db.refresh(document)
        assert document.file_name == "will.pdf"


async def failure(key: str) -> None:
    try:
        async with async_session() as db:
            await db.execute("SELECT 1 / 0")
    except errors.SharedError as error:
        assert error.sqlstate == "22012"


async def cancelled(key: str) -> None:
    try:
        async with asyncio.timeout(0.001), async_session() as db:
            await db.execute("SELECT pg_sleep(60)")
    except TimeoutError:
        pass


async def publish(key: str) -> None:
    await ProgressPublisher().publish_progress(key, 45, "extracting", "Extracted text from page 5 of 10")


async def watch(key: str) -> None:
    async for message in ProgressStream().watch(FIRST):
        assert message["progress"] == 1
        break


async def send(key: str) -> None:
    await send_task("count", key, queue=OWN, ignore_result=True)


async def enqueue(key: str) -> None:
    async with async_session.begin() as db:
        db.enqueue("count", key, key=key)


async def blocking(key: str) -> None:
    """In the thread of the loop, as a script would."""
    with sync.session() as db:
        assert db.get(Document, key) is not None


KINDS: tuple[Callable[[str], Awaitable[None]], ...] = (
    get, get, get, get_none, get_many, objects, objects_sqlalchemy, columns, sql, stream, stream_left, change,
    add_delete, long_lived, add_many, roll_back, lock, nested, refresh, failure, cancelled, publish, publish, watch,
    send, enqueue, blocking)


# --- what they leave --------------------------------------------------------------------------------------------------


class _Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (  # noqa: RUF012
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]


_mallinfo2 = ctypes.CDLL(None).mallinfo2
_mallinfo2.restype = _Mallinfo2


@dataclass
class Memory:
    """Of this process, between two rounds."""

    rss: int
    heap: int  # what malloc has given out: the library's own, and tracemalloc's tables
    traced: int  # Python's objects

    @classmethod
    def now(cls) -> Memory:
        gc.collect()
        sys._clear_type_cache()  # which keeps names of attributes, some thousand at most
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        info = _mallinfo2()
        return cls(pages * os.sysconf("SC_PAGESIZE"), info.uordblks + info.hblkhd, tracemalloc.get_traced_memory()[0])

    def __str__(self) -> str:
        return f"rss {self.rss >> 10:7} KB   heap {self.heap >> 10:7} KB   traced {self.traced >> 10:6} KB"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def descriptors_left(before: int, timeout_s: float = 10) -> int:
    """Each has its time to be closed: the helper thread may still ask the server to cancel what a client had begun."""
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while (now := descriptors()) > before and time.monotonic() < deadline:
        pause.wait(0.01)
    return now


def handles() -> Counter[str]:
    """Objects of the generated half, each of which holds one of the library's."""
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, HANDLES))


async def population() -> None:
    async with async_session() as db:
        for number in range(LANES + 1):
            key = f"{OWN}-{number}"
            db.add(Document(id=key, file_name="will.pdf"))
            db.add_all(DocumentChunk(document_id=key, chunk_index=n, content="text") for n in range(CHUNKS))
        await db.commit()
    # For watch(): the first message stays the last one of this document, which no lane publishes about.
    await ProgressPublisher().publish_progress(FIRST, 1, "starting", "x")


async def lane(number: int, operations: int, chance: random.Random, done: Counter[str]) -> None:
    for _ in range(operations):
        kind = chance.choice(KINDS)
        await kind(f"{OWN}-{number}")
        done[kind.__name__] += 1


async def rounds(operations: int, chance: random.Random) -> tuple[list[Memory], Counter[str]]:
    """Memory after each, nothing being under way."""
    seen: Counter[str] = Counter()
    done: Counter[str] = Counter()
    worker = Worker(OWN)

    @worker.task("count")
    async def count(key: str) -> None:
        seen[key] += 1

    work = asyncio.create_task(worker.run())
    await population()
    memory = []
    for number in range(ROUNDS):
        started = time.monotonic()
        await asyncio.gather(*(lane(1 + each, operations // ROUNDS // LANES, chance, done) for each in range(LANES)))
        await ProgressPublisher().flush()
        await asyncio.wait_for(settled(), 60)
        async with async_session() as db:  # else it grows: no relay runs here
            await db.execute("DELETE FROM task_outbox")
            await db.commit()
        memory.append(Memory.now())
        print(f"round {number + 1:2}  {memory[-1]}   {time.monotonic() - started:5.1f} s", flush=True)
    for db in sessions.values():
        await db.close()
    sessions.clear()
    worker.stop()
    await work
    missing = done["send"] - sum(seen.values())
    if missing > 0:
        sys.exit(f"{missing} of {done['send']} tasks were not worked on")
    return memory, done


async def settled() -> None:
    """No request is under way but the worker's."""
    client = client_of_loop()
    while client.unheard > 1:
        await client._turned()


def main(operations: int, seed: int) -> None:
    tracemalloc.start()
    before = descriptors()
    kept: list[tuple[list[Memory], Counter[str]]] = []
    # In a thread, with which the client of the blocking session ends.
    thread = threading.Thread(target=lambda: kept.append(asyncio.run(rounds(operations, random.Random(seed)))))
    thread.start()
    thread.join()
    if not kept:
        sys.exit(f"seed {seed}: a round failed")
    memory, done = kept.pop()
    warm, last = memory[ROUNDS_WARM - 1], memory[-1]
    more = {name: (getattr(last, name) - getattr(warm, name), most)
            for name, most in (("rss", RSS_MORE), ("heap", HEAP_MORE), ("traced", TRACED_MORE))}
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        del more["rss"]  # what is freed stays in its quarantine
    complaints = [f"{name}: {grown} bytes more than after round {ROUNDS_WARM}, at most {most}"
                  for name, (grown, most) in more.items() if grown > most]
    if left := handles():
        complaints.append(f"handles left: {dict(left)}")
    if descriptors_left(before) > before:
        complaints.append(f"{descriptors()} descriptors, {before} before")
    if complaints:
        sys.exit(f"seed {seed}: " + "; ".join(complaints))
    per = ", ".join(f"{name} {count}" for name, count in sorted(done.items()))
    grown = ", ".join(f"{name} {bytes_:+}" for name, (bytes_, _) in more.items())
    print(f"{done.total()} operations ({per}); bytes since round {ROUNDS_WARM}: {grown}; no handle left (seed {seed})")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else os.getpid())
