# SPDX-License-Identifier: MIT
"""The Node binding beside what Node programs use today: pg, postgres.js and ioredis. benchmarks/node/bench.js measures,
in one process; here its numbers become rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from common import done, head, row, stack_up

if TYPE_CHECKING:
    from dev.stack import Stack

# What a row begins with, its bar as a ratio of times (the peer's / ours; 0: it is shown only), its unit a second.
# Two bars of the issue are out of reach. INSERT ... VALUES of many: the server alone needs two thirds of its time, so
# nobody is three times as fast. PUBLISH alone keeps nothing: ours writes a log as well, which a listener resumes from.
BARS = (
    ("get by key, sequential: pg", 1.5, "1/s"),
    ("get by key, sequential: postgres.js", 1.0, "1/s"),
    ("get by key, 100 in flight: pg", 1.5, "1/s"),
    ("get by key, 100 in flight: postgres.js", 1.0, "1/s"),
    ("bulk insert of 5000 chunks: pg, an", 3.0, "ms"),
    ("bulk insert of 5000 chunks: pg, INSERT", 3.0, "ms"),
    ("bulk insert of 5000 chunks: the server", 0.7, "ms"),
    ("1000 chunks to objects: pg", 1.2, "ms"),
    ("1000 chunks to objects: postgres.js", 0.0, "ms"),
    ("publish: ioredis, the same commands", 1.5, "1/s"),
    ("publish: ioredis, PUBLISH alone", 1.5, "1/s"),
    ("publish, page after page: ioredis", 1.5, "1/s"),
    ("publish, CPU of Node: ioredis, PUBLISH alone", 1.5, "us"),
)
WATCHERS, LARGE, LARGE_S = "Redis connections", ("the loop is held up", "longest call"), 0.010


def show(what: str, ours: float, peer: float) -> None:
    if what.startswith(WATCHERS):
        row(what, ours, peer, ours / peer, "<= 1 connection", ours <= 1)
    elif what.startswith(LARGE):
        row(what, 1e3 * ours, 1e3 * peer, peer / ours, "<= 10 ms", ours <= LARGE_S, "ms")
    else:
        bar, unit = next((bar, unit) for name, bar, unit in BARS if what.startswith(name))
        scale = {"ms": 1e3, "us": 1e6}.get(unit, 1)
        shown = (1 / ours, 1 / peer) if unit == "1/s" else (scale * ours, scale * peer)
        row(what, *shown, peer / ours, f">= {bar:g} x" if bar else "(shown)", peer >= bar * ours, unit)


def measure(stack: Stack, node: dict[str, str]) -> int:
    import psycopg

    from dev.node import FOLDER
    with psycopg.connect(stack.postgres.url, autocommit=True) as database:
        database.execute("INSERT INTO documents (id, file_name) VALUES ('doc-bench', 'bench.pdf')")
    argv = ["node", str(FOLDER / "benchmarks" / "node" / "bench.js")]
    with subprocess.Popen(argv, cwd=FOLDER, env=os.environ | stack.urls() | {"LOG_LEVEL": "warning"} | node, text=True,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout
        for line in process.stdout:
            show(*json.loads(line))
    return process.returncode


def main() -> int:
    from dev.node import node_tree
    node = node_tree()
    head("The Node binding")
    with stack_up(programs=False) as stack:
        return measure(stack, node) or done()


if __name__ == "__main__":
    sys.exit(main())
