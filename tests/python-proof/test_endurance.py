# SPDX-License-Identifier: MIT
"""A million operations, and a minute of cancellations; of both tests/python has some seconds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dev.process import run_bounded

SCRIPTS = Path(__file__).resolve().parents[1] / "python"
OPERATIONS = os.environ.get("PROOF_OPERATIONS", "1000000")
STORM_S = os.environ.get("PROOF_STORM_S", "60")


@pytest.mark.parametrize(("script", "amount"), [("cancel_storm.py", STORM_S), ("mixed_operations.py", OPERATIONS)])
def test_it_leaves_nothing(script: str, amount: str) -> None:
    assert run_bounded([sys.executable, str(SCRIPTS / script), amount], 1090, cwd=SCRIPTS, env=dict(os.environ)) == 0
