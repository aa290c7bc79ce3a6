# SPDX-License-Identifier: MIT
"""GET /documents/{id} over HTTP: ours against FastAPI + SQLAlchemy + asyncpg, one process each, the same rows, the
same PostgreSQL, one after the other and in turns, so that both meet the same machine."""

from __future__ import annotations

import sys

import psycopg

from common import done, head, peer_up, requests_per_second, row, stack_up

ROUNDS, SECONDS = 3, 4


def main() -> int:
    head("HTTP: GET /documents/{id}, requests a second, 64 connections")
    with stack_up() as stack, psycopg.connect(stack.postgres.url, autocommit=True) as database:
        database.execute("INSERT INTO cases (id, title) VALUES ('case-1', 'Smith v. Jones')")
        database.execute("INSERT INTO documents (id, case_id, file_name, content_type, byte_size, sha256, file_path,"
                         " extraction_status, page_count) VALUES ('doc-123', 'case-1', 'will.pdf', 'application/pdf',"
                         " 123456, repeat('a', 64), 'aa/' || repeat('a', 64), 'completed', 12)")
        with peer_up(stack) as peer:
            path = "/documents/doc-123"
            ours, theirs = [], []
            for _ in range(ROUNDS):
                theirs.append(requests_per_second(peer.program.address + path, SECONDS))
                ours.append(requests_per_second(stack.backend_url + path, SECONDS))
    ratio = max(ours) / max(theirs)
    row("GET /documents/{id}", max(ours), max(theirs), ratio, ">= 30 x FastAPI", ratio >= 30, "1/s")
    return done()


if __name__ == "__main__":
    sys.exit(main())
