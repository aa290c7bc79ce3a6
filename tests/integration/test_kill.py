# SPDX-License-Identifier: MIT
"""Kill everything that may die while documents go through: the end is that of an undisturbed run. Moments are drawn;
the seed is printed, and KILL_SEED repeats a run."""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
import redis

from dev.process import DevError
from pdf import pdf_numbered
from stack import LabStack, wait_until

DOCUMENTS, WORKER_KILLS, BACKEND_KILLS, DEADLINE_S = 50, 10, 3, 240
SETTINGS = {"LEASE_S": "3", "LEASE_RENEW_S": "1", "RECONCILE_S": "2", "RECONCILE_AGE_S": "3", "OUTBOX_SWEEP_S": "1"}


def page_count(index: int) -> int:
    return 20 + 7 * (index % 11)


def upload(stack: LabStack, document_id: str, data: bytes) -> None:
    """As a careful client: the id is its own, so an answer that was lost is asked for again."""
    deadline = time.monotonic() + 60
    while True:
        try:
            answer = httpx.post(f"{stack.backend_url}/documents", timeout=10, data={"id": document_id},
                                files={"file": (f"{document_id}.pdf", data, "application/pdf")})
            if answer.status_code in (201, 409):
                return
            assert answer.status_code == 503, answer.text
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, f"{document_id}: no answer within 60 s"


def chunks_of(pg: psycopg.Connection, document_id: str) -> list[tuple[object, ...]]:
    return pg.execute("SELECT chunk_index, content, page_from, page_to, char_start, char_end FROM document_chunks"
                      " WHERE document_id = %s ORDER BY chunk_index", [document_id]).fetchall()


def states(pg: psycopg.Connection) -> dict[str, int]:
    return dict(pg.execute("SELECT extraction_status, count(*) FROM documents WHERE id LIKE 'kill-%%'"
                           " GROUP BY 1").fetchall())


def kill_and_start(stack: LabStack, name: str) -> None:
    stack.kill(name)
    try:
        stack.start_again(name)
    except DevError:  # the other server of it was killed meanwhile
        stack.restart(name)


def disturb(stack: LabStack, redis_client: redis.Redis, draw: random.Random) -> None:
    """Kills in a drawn order, each at a drawn moment."""
    acts = ["worker"] * WORKER_KILLS + ["backend"] * BACKEND_KILLS + ["flush"]
    draw.shuffle(acts)
    for act in acts:
        wait_moment(draw.uniform(0.05, 0.5))
        if act == "flush":
            redis_client.flushall()
        else:
            kill_and_start(stack, act)


def wait_moment(seconds: float) -> None:
    """The drawn moment of a kill: nothing is waited for, so nothing can be polled."""
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, seconds + 1, "the drawn moment")


@pytest.mark.timeout(420)
def test_nothing_is_lost_when_anything_is_killed(stack: LabStack, pg: psycopg.Connection,
                                                 redis_client: redis.Redis) -> None:
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randint(1, 10**6))
    print(f"KILL_SEED={seed}")
    draw = random.Random(seed)
    files = {index: pdf_numbered(page_count(index)) for index in range(11)}
    stack.backend_up(**SETTINGS)
    stack.worker_up(**SETTINGS)
    stack.worker_up("worker-2", **SETTINGS)
    try:
        for index, data in files.items():  # the undisturbed run
            upload(stack, f"gold-{index}", data)
        wait_until(lambda: not pg.execute("SELECT 1 FROM documents WHERE id LIKE 'gold-%%' AND"
                                          " extraction_status <> 'completed'").fetchone(), 60, "the golden run")
        with ThreadPoolExecutor(2) as pool:
            uploads = pool.map(lambda n: upload(stack, f"kill-{n}", files[n % 11]), range(DOCUMENTS))
            disturb(stack, redis_client, draw)
            list(uploads)
        wait_until(lambda: states(pg) == {"completed": DOCUMENTS}, DEADLINE_S, "all documents completed")
        for index in range(DOCUMENTS):
            assert chunks_of(pg, f"kill-{index}") == chunks_of(pg, f"gold-{index % 11}"), f"kill-{index}"
        wait_until(lambda: not redis_client.exists("unacked", "unacked_index", "lex:lease"), 30,
                   "no claim left behind")
        wait_until(lambda: pg.execute("SELECT count(*) FROM task_outbox").fetchone() == (0,), 30, "an empty outbox")
    finally:
        stack.processes["worker-2"].stop()
        stack.processes["worker"].stop()
        stack.processes["backend"].stop()
