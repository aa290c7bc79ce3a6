# SPDX-License-Identifier: MIT
"""The library by itself: reads, commits, progress and tasks, each against the same duty done without it, in one run on
the same servers. Programs in C (*_load.c ours, *_peer.c bare libpq), redis-benchmark, and a Celery worker."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import redis

from common import best, done, head, row, stack_up, timed, wait_until
from dev.process import Process, Program, environment_base
from dev.stack import BUILD, Stack

FOLDER = Path(__file__).resolve().parent
GETS, IN_FLIGHT = 100_000, 256
COMMITS = 1_000
PUBLISHES, DOCUMENTS = 100_000, 2_000
PAGES, BUSY = 1_000_000, 4
TASKS, PREFETCH, TASKS_CELERY = 40_000, 256, 3_000
ROWS, COPY_ROWS = 1_000_000, 50_000
TEXT = "The party of the first part, hereinafter the tenant, shall give notice in writing. " * 21
MESSAGE = '{"progress":45,"step":"extracting","message":"Extracted text from page 5 of 10"}'


def load(stack: Stack, program: str, *words: object, **extra: str) -> dict[str, float]:
    output = subprocess.run([BUILD / "benchmarks" / program, *map(str, words)], check=True, text=True,
                            env=stack.environment(**extra), capture_output=True).stdout
    return json.loads(output)


def seconds(stack: Stack, program: str, *words: object, **extra: str) -> float:
    return best(lambda: load(stack, program, *words, **extra)["seconds"])


def bench_gets(stack: Stack) -> None:
    """One connection each: the peer has no pool."""
    words = ("doc-bench", GETS, IN_FLIGHT)
    pairs = [(load(stack, "get-load", *words, POOL_SHARED="1"), load(stack, "get-peer", *words)) for _ in range(3)]
    ours = min(pair[0]["seconds"] for pair in pairs)
    peer = min(pair[1]["seconds"] for pair in pairs)
    row("gets by key, 256 in flight", GETS / ours, GETS / peer, peer / ours, ">= 0.9 x bare libpq", peer >= 0.9 * ours,
        "1/s")
    own_us = (min(pair[0]["cpu"] for pair in pairs) - min(pair[1]["cpu"] for pair in pairs)) / GETS * 1e6
    row("CPU an event beyond bare libpq", own_us, 2, own_us / 2, "<= 2 us", own_us <= 2, "us")


def instructions(stack: Stack, count: int) -> int:
    """Instructions inside libshared.so itself, by callgrind."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                        BUILD / "benchmarks" / "get-load", "doc-bench", str(count), str(IN_FLIGHT)],
                       check=True, capture_output=True,
                       env=stack.environment(POOL_SHARED="1"))
        return own_instructions(out.read_text())


def own_instructions(text: str) -> int:
    """Sum of self cost by object. A line after calls= is what the callee cost: not ours."""
    names: dict[str, str] = {}
    total, ours, skip = 0, False, False
    for line in text.splitlines():
        if found := re.match(r"(c?ob)=\((\d+)\)(?: (.*))?", line):
            if found[3]:
                names[found[2]] = found[3]
            if found[1] == "ob":
                ours = "libshared.so" in names[found[2]]
        elif line.startswith("calls="):
            skip = True
        elif found := re.match(r"[+\-*\d]\S* (\d+)$", line):
            total += int(found[1]) if ours and not skip else 0
            skip = False
    return total


def bench_instructions(stack: Stack) -> None:
    few, many = 2_000, 6_000
    each = (instructions(stack, many) - instructions(stack, few)) / (many - few)
    row("instructions of libshared, a get and its event", each, 6000, each / 6000, "<= 6000, 2 us at 3 GHz",
        each <= 6000)


def bench_commits(stack: Stack, database: psycopg.Connection) -> None:
    def run(program: str, run_number: int) -> float:
        database.execute("DELETE FROM documents WHERE id LIKE 'commit-%'")
        return load(stack, program, f"commit-{run_number}", COMMITS)["seconds"]

    pairs = [(run("commit-load", number), run("commit-peer", number)) for number in range(3)]
    ours, peer = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    row("commits of 1 + 10 rows", COMMITS / ours, COMMITS / peer, peer / ours, ">= 2 x row by row", peer >= 2 * ours,
        "1/s")


def psql(stack: Stack, *words: str) -> float:
    """Seconds, less what it takes to start and connect."""
    command = ["psql", "-X", "-q", stack.postgres.url]
    start = best(lambda: timed(lambda: subprocess.run([*command, "-c", "SELECT"], check=True, capture_output=True)))
    return timed(lambda: subprocess.run([*command, *words], check=True)) - start


def bench_rows(stack: Stack, database: psycopg.Connection, folder: Path) -> None:
    """Into a file; ours in turn with the peer, since both use the page cache."""
    database.execute("CREATE TABLE bench_rows AS"
                     " SELECT n, md5(n::text) AS hash, 'document ' || n AS name, now() AS made"
                     f" FROM generate_series(1, {ROWS}) AS n")
    database.execute("VACUUM ANALYZE bench_rows")
    sql, ours_file, peer_file = "SELECT * FROM bench_rows", folder / "ours", folder / "peer"
    pairs = [(load(stack, "rows-load", sql, ours_file), psql(stack, "-At", "-o", str(peer_file), "-c", sql))
             for _ in range(3)]
    if ours_file.read_bytes() != peer_file.read_bytes():
        raise RuntimeError("the two files differ")
    ours, peer = min(pair[0]["seconds"] for pair in pairs), min(pair[1] for pair in pairs)
    memory_mb = max(pair[0]["kb"] for pair in pairs) / 1024
    row(f"{ROWS} rows streamed to a file", ROWS / ours, ROWS / peer, peer / ours, ">= 0.8 x psql -At",
        peer >= 0.8 * ours, "1/s")
    row("its memory", memory_mb, 16, memory_mb / 16, "<= 16 MB", memory_mb <= 16, "MB")
    database.execute("DROP TABLE bench_rows")


def bench_copy(stack: Stack, database: psycopg.Connection, folder: Path) -> None:
    columns = "id, document_id, chunk_index, content, page_from, page_to, char_start, char_end"
    sql, file = f"document_chunks ({columns}) FROM", folder / "chunks"
    with file.open("w") as lines:
        lines.writelines(f"c-{i}\tdoc-bench\t{i}\t{TEXT}\t1\t2\t{i}\t{i + 9}\n" for i in range(COPY_ROWS))
    ours, peer = [], []
    for _ in range(3):
        database.execute("TRUNCATE document_chunks")
        ours.append(load(stack, "copy-load", f"COPY {sql} STDIN", file)["seconds"])
        database.execute("TRUNCATE document_chunks")
        peer.append(psql(stack, "-c", f"\\copy {sql} '{file}'"))
    row(f"COPY in of {COPY_ROWS} chunks", COPY_ROWS / min(ours), COPY_ROWS / min(peer), min(peer) / min(ours),
        ">= 0.85 x psql \\copy", min(peer) >= 0.85 * min(ours), "1/s")
    database.execute("TRUNCATE document_chunks")


def redis_benchmark(port: int, password: str, in_flight: int, *command: str) -> float:
    """Commands a second over one connection."""
    argv = ["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), "-a", password, "-c", "1", "-P", str(in_flight),
            "-n", str(PUBLISHES), "-r", str(DOCUMENTS), "-q", *command]
    output = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    found = re.findall(r"([\d.]+) requests per second", output)
    assert found, output
    return float(found[-1])


def bench_publishes(stack: Stack, broker: redis.Redis) -> None:
    """Ours keeps each message in the document's log as well (XADD, EXPIRE, PUBLISH in one script): so one peer is that
    script, sent by redis-benchmark. PUBLISH alone, the bar of the issue, keeps nothing; XADD alone is the most that
    anybody who keeps a log can reach. Those three rows have a rate that lets each message out; the last one has the
    default, as a worker's page after page has: 20 a second of a document go out, and the newest is among them."""
    where = broker.connection_pool.connection_kwargs
    script = re.search(r'script_publish = \{.*?\.text = (.*?)\};',
                       (FOLDER.parent / "libshared" / "progress" / "publish.c").read_text(), re.DOTALL)
    assert script
    text = "".join(json.loads(f'"{part}"') for part in re.findall(r'"((?:[^"\\]|\\.)*)"', script[1]))
    digest = broker.script_load(text)
    for in_flight in (1, 16, 64):
        def run(in_flight: int = in_flight) -> tuple[float, float, float, float]:
            ours = PUBLISHES / load(stack, "publish-load", PUBLISHES, in_flight, DOCUMENTS, PROGRESS_RATE="1000",
                                    CLIENT_REQUESTS_MAX="1000000")["seconds"]
            bare = redis_benchmark(where["port"], where["password"], in_flight, "PUBLISH", "progress:doc-__rand_int__",
                                   MESSAGE)
            whole = redis_benchmark(where["port"], where["password"], in_flight, "EVALSHA", digest, "2",
                                    "progress-log:doc-__rand_int__", "progress:doc-__rand_int__", MESSAGE, "1000",
                                    "86400")
            log = redis_benchmark(where["port"], where["password"], in_flight, "XADD", "progress-log:doc-__rand_int__",
                                  "MAXLEN", "~", "1000", "*", "d", MESSAGE)
            return ours, bare, whole, log

        ours, bare, whole, log = (max(values) for values in zip(*(run() for _ in range(3)), strict=True))
        row(f"progress, {in_flight} in flight, same script", ours, whole, ours / whole, ">= 0.8 x redis-benchmark",
            ours >= 0.8 * whole, "1/s")
        row(f"progress, {in_flight} in flight, PUBLISH alone", ours, bare, ours / bare, ">= 0.8 x redis-benchmark",
            ours >= 0.8 * bare, "1/s")
        row(f"progress, {in_flight} in flight, XADD alone", ours, log, ours / log, "(shown)", True, "1/s")
    told = PAGES / seconds(stack, "publish-load", PAGES, 64, BUSY)
    row("progress, each page of a worker's documents", told, bare, told / bare, ">= 0.8 x PUBLISH alone",
        told >= 0.8 * bare, "1/s")


def celery_rate(stack: Stack, broker: redis.Redis) -> float:
    """Tasks a second of a prefork worker with two processes, from a tenth of them done to nine tenths."""
    from peer_celery import app

    with app.producer_or_acquire() as producer:
        for _ in range(TASKS_CELERY):
            app.send_task("noop", producer=producer, queue="bench-celery")
    argv = [sys.executable, "-m", "celery", "-A", "peer_celery", "worker", "-Q", "bench-celery", "-c", "2", "-l",
            "error", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    env = environment_base() | stack.urls() | {"PYTHONPATH": str(FOLDER)}
    worker = Process(Program(name="celery", argv=argv, env=env, cwd=stack.folder, log=stack.logs / "celery.log",
                             ready=lambda: None))
    worker.start()
    try:
        marks: list[float] = []
        for share in (0.9, 0.1):
            wait_until(lambda share=share: not worker.alive or broker.llen("bench-celery") <= share * TASKS_CELERY, 600,
                       "the Celery worker")
            if not worker.alive:
                raise RuntimeError((stack.logs / "celery.log").read_text())
            marks.append(time.perf_counter())
        return 0.8 * TASKS_CELERY / (marks[1] - marks[0])
    finally:
        worker.stop()


def bench_tasks(stack: Stack, broker: redis.Redis) -> None:
    ours = TASKS / seconds(stack, "claim-load", "bench", TASKS, PREFETCH)
    peer = celery_rate(stack, broker)
    row("tasks claimed, answered, acknowledged", ours, peer, ours / peer, ">= 20 000/s", ours >= 20_000, "1/s")
    row("the same, against a Celery worker", ours, peer, ours / peer, ">= 20 x", ours >= 20 * peer, "1/s")


def main() -> int:
    head("The library by itself")
    with stack_up(programs=False) as stack, psycopg.connect(stack.postgres.url, autocommit=True) as database:
        database.execute("INSERT INTO documents (id, file_name) VALUES ('doc-bench', 'bench.pdf')")
        os.environ.update({name: value for name, value in stack.urls().items() if name.startswith("CELERY_")})
        broker = redis.Redis.from_url(stack.urls()["CELERY_BROKER_URL"])
        bench_gets(stack)
        bench_instructions(stack)
        bench_commits(stack, database)
        with tempfile.TemporaryDirectory() as folder:
            bench_rows(stack, database, Path(folder))
            bench_copy(stack, database, Path(folder))
        bench_publishes(stack, broker)
        bench_tasks(stack, broker)
    return done()


if __name__ == "__main__":
    sys.exit(main())
