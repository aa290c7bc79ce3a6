# SPDX-License-Identifier: MIT
"""Resident memory when idle: backend and worker, each alone; the helper is a process of its own. The peer is the
FastAPI process that serves the same document."""

from __future__ import annotations

import sys

import httpx

from common import done, head, own_resident_kb, peer_up, row, stack_up


def megabytes(pid: int | None) -> float:
    assert pid
    return own_resident_kb(pid) / 1024


def main() -> int:
    head("Memory when idle, MB resident")
    with stack_up() as stack, peer_up(stack) as peer:
        for url in (stack.backend_url, peer.program.address):
            httpx.get(f"{url}/documents/none")
        theirs = megabytes(peer.pid)
        for name in ("backend", "worker"):
            ours = megabytes(stack.processes[name].pid)
            row(name, ours, theirs, theirs / ours, "<= 12 MB", ours <= 12, "MB")
    return done()


if __name__ == "__main__":
    sys.exit(main())
