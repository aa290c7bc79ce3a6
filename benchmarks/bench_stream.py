# SPDX-License-Identifier: MIT
"""Progress from publish to viewer: benchmarks/stream_load (C: publishes through libshared, watches over HTTP) against
our backend and against the guide's StreamingResponse; and what 2000 viewers cost.

One viewer twice. Awake: 32 documents' messages one after the other, each when the one before has arrived. At rest: 200
messages a second, where three programs on idle CPUs have to be woken for each, which on a virtual CPU that has halted
takes longer than all that is done in between. The bar is that of the issue for both."""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg

from common import done, head, own_resident_kb, peer_up, row, stack_up
from dev.stack import BUILD, Stack

LOAD = BUILD / "benchmarks" / "stream-load"
VIEWERS = 2000
DOCUMENTS = 32


def load(stack: Stack, url: str, viewers: int, messages: int, documents: int = 1, pause_ms: int = 5,
         watch_pid: int = 0) -> dict[str, float]:
    """p50, p99 in ms of the last viewer to hear each message; the fewest viewers that heard one; RSS in KB of the
    watched process at the end. A document's messages are more than 1000 / PROGRESS_RATE ms apart: none is throttled."""
    words = [str(number) for number in (documents, viewers, messages, pause_ms, watch_pid)]
    output = subprocess.run([LOAD, url, *words], check=True, env=stack.environment(PROGRESS_RATE="1000"),
                            capture_output=True, text=True).stdout
    return json.loads(output)


def compare(stack: Stack, peer_url: str, name: str, bar_ms: float, viewers: int, **shape: int) -> None:
    theirs = load(stack, peer_url, viewers, **shape)
    ours = load(stack, stack.backend_url, viewers, **shape)
    good = ours["served"] == viewers and ours["p50_ms"] <= bar_ms
    row(name, ours["p50_ms"], theirs["p50_ms"], theirs["p50_ms"] / ours["p50_ms"],
        f"<= {bar_ms} ms", good, "ms")


def main() -> int:
    head("Progress: publish to viewer, milliseconds (p50; of many: until the last one has it)")
    with stack_up(BACKEND_CONNECTIONS_PER_ADDRESS="5000") as stack:
        with psycopg.connect(stack.postgres.url, autocommit=True) as database:
            database.execute("INSERT INTO documents (id, file_name, extraction_status)"
                             " SELECT 'live-' || n, 'will.pdf', 'processing' FROM generate_series(0, %s) AS n",
                             (DOCUMENTS - 1,))
        backend = stack.processes["backend"].pid
        assert backend
        with peer_up(stack) as peer:
            url = peer.program.address
            compare(stack, url, "1 viewer, awake, p50", 0.2, 1, messages=2000, documents=DOCUMENTS, pause_ms=0)
            compare(stack, url, "1 viewer, at rest, p50", 0.2, 1, messages=200)
            compare(stack, url, "100 viewers, p50", 2.0, 100, messages=200)
        before = own_resident_kb(backend)
        many = load(stack, stack.backend_url, VIEWERS, messages=20, watch_pid=backend)
        grown = (many["resident_kb"] - before) / VIEWERS
        row(f"{VIEWERS} viewers, all served", many["served"], VIEWERS, many["served"] / VIEWERS, "all",
            many["served"] == VIEWERS)
        row(f"{VIEWERS} viewers, memory each", grown, 5, grown / 5, "<= 5 KB", grown <= 5, "KB")
    return done()


if __name__ == "__main__":
    sys.exit(main())
