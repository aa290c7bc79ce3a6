# SPDX-License-Identifier: MIT
"""Progress from publish to viewer: benchmarks/stream_load (C: publishes through libshared, watches over HTTP) against
our backend and against the guide's StreamingResponse; and what 2000 viewers cost."""

from __future__ import annotations

import json
import subprocess
import sys

import psycopg

from common import done, head, own_resident_kb, peer_up, row, stack_up
from dev.stack import BUILD, Stack

LOAD = BUILD / "benchmarks" / "stream-load"
VIEWERS = 2000


def load(stack: Stack, url: str, viewers: int, messages: int, watch_pid: int) -> dict[str, float]:
    """p50, p99 in ms of the last viewer to hear each message; viewers that heard all; KB the server grew by. Some 200
    messages a second: at twenty, what is measured is how long an idle virtual CPU takes to wake, three times."""
    output = subprocess.run([LOAD, url, "doc-live", str(viewers), str(messages), str(watch_pid)], check=True,
                            env=stack.environment(PROGRESS_RATE="1000"), capture_output=True, text=True).stdout
    return json.loads(output)


def main() -> int:
    head("Progress: publish to viewer, milliseconds (p50; of many: until the last one has it)")
    with stack_up(BACKEND_CONNECTIONS_PER_ADDRESS="5000") as stack:
        with psycopg.connect(stack.postgres.url, autocommit=True) as database:
            database.execute("INSERT INTO documents (id, file_name, extraction_status)"
                             " VALUES ('doc-live', 'will.pdf', 'processing')")
        backend = stack.processes["backend"].pid
        assert backend
        with peer_up(stack) as peer:
            for viewers, bar in ((1, 0.2), (100, 2.0)):
                theirs = load(stack, peer.program.address, viewers, 100, 0)
                ours = load(stack, stack.backend_url, viewers, 200, 0)
                row(f"{viewers} viewers, p50", ours["p50_ms"], theirs["p50_ms"], theirs["p50_ms"] / ours["p50_ms"],
                    f"<= {bar} ms", ours["p50_ms"] <= bar and ours["served"] == viewers, "ms")
        before = own_resident_kb(backend)
        many = load(stack, stack.backend_url, VIEWERS, 20, backend)
        grown = (many["resident_kb"] - before) / VIEWERS
        row(f"{VIEWERS} viewers, all served", many["served"], VIEWERS, many["served"] / VIEWERS, "all",
            many["served"] == VIEWERS)
        row(f"{VIEWERS} viewers, memory each", grown, 5, grown / 5, "<= 5 KB", grown <= 5, "KB")
    return done()


if __name__ == "__main__":
    sys.exit(main())
