#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""200 cancellations a second, at whichever await a session happens to be, for the seconds that are given; then nothing
may be left: no tag, no lock, no transaction, no connection more than the pool has, no row that was not committed whole.
In 10 s or more each await of work() must have been hit. Settings from the environment.

    cancel_storm.py SECONDS [SEED]"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from types import coroutine
from typing import Any

from shared import native
from shared.client import client_of_loop
from shared.database import async_session, select
from shared.models import Document, DocumentChunk

TASKS, CANCELS_A_SECOND, CHUNKS = 16, 200, 5
waits: set[int] = set()  # lines of work() at which it waited
hits: Counter[int] = Counter()  # and those at which a cancel came
LEFT = """SELECT count(*) FILTER (WHERE state <> 'idle'),
                 (SELECT count(*) FROM pg_locks JOIN pg_stat_activity a USING (pid)
                   WHERE pid <> pg_backend_pid() AND a.backend_type = 'client backend')
            FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""

OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = current_setting('application_name')"


async def work(number: int) -> None:
    """Every await that a session has."""
    key = f"storm-{os.getpid()}-{number}"
    async with async_session() as db:
        db.add(Document(id=key, file_name="will.pdf"))
        db.add_all(DocumentChunk(document_id=key, chunk_index=index, content="text") for index in range(CHUNKS))
        await db.flush()
        await db.commit()
        document = await db.get_one(Document, key, with_for_update=True)
        document.page_count = 7
        async with db.begin_nested():
            await db.execute("SELECT pg_advisory_xact_lock(:n::int)", {"n": number % 4})
        undone = await db.begin_nested()
        await db.scalar("SELECT 1")
        await undone.rollback()
        await db.scalars(select(DocumentChunk).where(DocumentChunk.document_id == key))
        async for _ in db.stream("SELECT generate_series(1, 100)", rows=7):
            pass
        await db.rollback()
        await db.refresh(document)
        await db.get_many(Document, [key, "no"])
        await db.get(Document, f"{key}-no")
    async with async_session.begin() as db:
        db.add(Document(id=f"{key}-gone", file_name="gone.pdf"))
        await db.flush()
        await db.delete(await db.get_one(Document, f"{key}-gone"))
        await db.flush()


@coroutine
def noting(number: int) -> Generator[Any, Any, None]:
    """work(), step by step: where it waits, and where it is cancelled."""
    working = work(number)
    step: Callable[[Any], Any] = working.send
    argument: Any = None
    while True:
        try:
            waits_for = step(argument)
        except StopIteration:
            return
        line = working.cr_frame.f_lineno
        waits.add(line)
        try:
            step, argument = working.send, (yield waits_for)
        except BaseException as error:
            hits[line] += isinstance(error, asyncio.CancelledError)
            step, argument = working.throw, error


async def noted(number: int) -> None:
    await noting(number)


async def storm(seconds: float, chance: random.Random) -> Counter[str]:
    """How many were cancelled and how many ended by themselves, and how many times one was told to end."""
    count: Counter[str] = Counter()
    running: set[asyncio.Task[None]] = set()

    def ended(done: set[asyncio.Task[None]]) -> None:
        for task in done:
            count["cancelled" if task.cancelled() else "ended by themselves"] += 1
            if not task.cancelled():
                task.result()

    until, due = time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < until:
        while len(running) < TASKS:
            count["begun"] += 1
            running.add(asyncio.create_task(noted(count["begun"])))
        while due <= time.monotonic():
            due += 1 / CANCELS_A_SECOND
            count["cancellations"] += chance.choice(sorted(running, key=lambda task: task.get_name())).cancel()
        done, running = await asyncio.wait(running, timeout=max(0.0, due - time.monotonic()),
                                           return_when=asyncio.FIRST_COMPLETED)
        ended(done)
    done, _ = await asyncio.wait(running)
    ended(done)
    return count


async def main(seconds: float, seed: int) -> None:
    count = await storm(seconds, random.Random(seed))
    deadline = time.monotonic() + 30
    async with async_session() as db:
        while (left := (await db.execute(LEFT)).one()) != (0, 0):
            if time.monotonic() > deadline:
                sys.exit(f"seed {seed}: left busy and locks: {left}")
            await asyncio.sleep(0.05)
        torn = (await db.execute("SELECT count(*) FROM documents d WHERE id LIKE 'storm-%' AND :n::bigint <> "
                                 "(SELECT count(*) FROM document_chunks c WHERE c.document_id = d.id)",
                                 {"n": CHUNKS})).scalar()
        if torn:
            sys.exit(f"seed {seed}: {torn} documents are not whole")
        # All of the pool at once: every connection still works, and soon there are no others.
        await asyncio.gather(*(work(10_000_000 + number) for number in range(64)))
        config = native.config_from_env()
        pool = sum(int(native.config_get(config, name)) for name in ("POOL_SIZE", "POOL_SHARED"))
        while (connections := await db.scalar(OURS)) > pool:
            if time.monotonic() > deadline + 30:
                sys.exit(f"seed {seed}: {connections} connections, the pool has {pool}")
            await asyncio.sleep(0.05)
    if client_of_loop().unheard:
        sys.exit(f"seed {seed}: {client_of_loop().unheard} tags lost")
    print(f"{', '.join(f'{number} {what}' for what, number in count.items())}, nothing left (seed {seed})")
    print("at lines of work(): " + ", ".join(f"{line}: {number}" for line, number in sorted(hits.items())))
    if seconds >= 10 and waits - set(hits):
        sys.exit(f"seed {seed}: no cancel came at {sorted(waits - set(hits))}")


if __name__ == "__main__":
    os.environ["PGAPPNAME"] = f"storm-{os.getpid()}"  # by which OURS knows them
    asyncio.run(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else os.getpid()))
