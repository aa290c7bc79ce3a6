# SPDX-License-Identifier: MIT
"""Chunks stored a second: a session's bulk insert (benchmarks/chunk_load, C) against `psql \\copy` of the same rows
into the same table, indexes and constraints on."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from common import best, done, head, row, stack_up, timed
from dev.stack import BUILD, Stack

ROWS = 5000
TEXT = "The party of the first part, hereinafter the tenant, shall give notice in writing. " * 21


def copy_psql(stack: Stack, database: psycopg.Connection, file: Path) -> float:
    database.execute("DELETE FROM document_chunks")
    columns = "id, document_id, chunk_index, content, page_from, page_to, char_start, char_end"
    command = ["psql", "-X", "-q", stack.postgres.url, "-c", f"\\copy document_chunks ({columns}) FROM '{file}'"]
    return timed(lambda: subprocess.run(command, check=True))


def store_ours(stack: Stack, database: psycopg.Connection) -> float:
    database.execute("DELETE FROM document_chunks")
    output = subprocess.run([BUILD / "benchmarks" / "chunk-load", "doc-bulk", str(ROWS)], check=True, text=True,
                            env=stack.environment(), capture_output=True).stdout
    return float(json.loads(output)["seconds"])


def main() -> int:
    head(f"Chunks: {ROWS} rows of {len(TEXT)} bytes in one transaction, rows a second")
    with (stack_up(programs=False) as stack, psycopg.connect(stack.postgres.url, autocommit=True) as database,
          tempfile.NamedTemporaryFile("w", suffix=".copy") as file):
        database.execute("INSERT INTO documents (id, file_name) VALUES ('doc-bulk', 'bulk.pdf')")
        for index in range(ROWS):
            file.write(f"psql-{index}\tdoc-bulk\t{index}\t{TEXT}\t1\t2\t{index}\t{index + 9}\n")
        file.flush()
        started = best(lambda: timed(lambda: subprocess.run(["psql", "-X", "-q", stack.postgres.url, "-c", "SELECT"],
                                                            check=True)))
        peer = best(lambda: copy_psql(stack, database, Path(file.name)), 5) - started
        ours = best(lambda: store_ours(stack, database), 5)
    row("chunks stored", ROWS / ours, ROWS / peer, peer / ours, ">= 0.6 x psql \\copy", peer / ours >= 0.6, "1/s")
    return done()


if __name__ == "__main__":
    sys.exit(main())
