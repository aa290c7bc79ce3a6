#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""200 cancellations a second, at whichever await a session happens to be, for the seconds that are given; then nothing
may be left: no tag, no lock, no transaction, no row that was not committed whole. Settings from the environment.

    cancel_storm.py SECONDS [SEED]"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time

from shared.client import client_of_loop
from shared.database import async_session, select
from shared.models import Document, DocumentChunk

TASKS, CANCELS_A_SECOND, CHUNKS = 16, 200, 5
LEFT = """SELECT count(*) FILTER (WHERE state <> 'idle'),
                 (SELECT count(*) FROM pg_locks JOIN pg_stat_activity a USING (pid)
                   WHERE pid <> pg_backend_pid() AND a.backend_type = 'client backend')
            FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""


async def work(number: int) -> None:
    """Every await that a session has."""
    key = f"storm-{number}"
    async with async_session() as db:
        db.add(Document(id=key, file_name="will.pdf"))
        db.add_all(DocumentChunk(document_id=key, chunk_index=index, content="text") for index in range(CHUNKS))
        await db.flush()
        await db.commit()
        document = await db.get_one(Document, key, with_for_update=True)
        document.page_count = 7
        async with db.begin_nested():
            await db.execute("SELECT pg_advisory_xact_lock(:n::int)", {"n": number % 4})
        await db.scalars(select(DocumentChunk).where(DocumentChunk.document_id == key))
        async for _ in db.stream("SELECT generate_series(1, 100)", rows=7):
            pass
        await db.rollback()
        await db.refresh(document)
        await db.get_many(Document, [key, "no"])


async def storm(seconds: float, chance: random.Random) -> tuple[int, int]:
    """How many were cancelled, how many ended by themselves."""
    number = cancelled = ended = 0
    running: set[asyncio.Task[None]] = set()
    until, due = time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < until:
        while len(running) < TASKS:
            number += 1
            running.add(asyncio.create_task(work(number)))
        while due <= time.monotonic():
            due += 1 / CANCELS_A_SECOND
            chance.choice(sorted(running, key=lambda task: task.get_name())).cancel()
        done, running = await asyncio.wait(running, timeout=max(0.0, due - time.monotonic()),
                                           return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            cancelled += task.cancelled()
            ended += not task.cancelled()
            if not task.cancelled():
                task.result()
    await asyncio.wait(running)
    for task in running:
        cancelled += task.cancelled()
        ended += not task.cancelled()
        if not task.cancelled():
            task.result()
    return cancelled, ended


async def main(seconds: float, seed: int) -> None:
    cancelled, ended = await storm(seconds, random.Random(seed))
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
        # All of the pool at once: every connection still works.
        found = await asyncio.gather(*(work(10_000_000 + number) for number in range(64)))
        assert len(found) == 64
    if client_of_loop().unheard:
        sys.exit(f"seed {seed}: {client_of_loop().unheard} tags lost")
    print(f"{cancelled} cancelled, {ended} ended by themselves, nothing left (seed {seed})")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else os.getpid()))
