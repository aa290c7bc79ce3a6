#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command with a PostgreSQL, migrated, and a Redis of its own, whose settings are its environment:
servers.py node --test ... It ends with the command's exit code. BUILD_DIR has the programs, as for all tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("deploy", "tests/integration")]

from dev.process import run_bounded  # noqa: E402
from stack import servers_of_process  # noqa: E402

TIMEOUT_S = 1100


def main(argv: list[str]) -> int:
    if not argv:
        sys.exit(f"usage: {Path(__file__).name} COMMAND...")
    with servers_of_process():
        return run_bounded(argv, TIMEOUT_S, cwd=Path.cwd(), env=dict(os.environ))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
