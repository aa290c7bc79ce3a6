# SPDX-License-Identifier: MIT
"""Fixtures of the bad network: real servers, a proxy before each, the driver behind them. NETWORK_SEED replays a run;
NETWORK_STRIDE says which bytes are cut at (1: every one)."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from bad import Net

from stack import LabStack

SEED = int(os.environ.get("NETWORK_SEED") or random.SystemRandom().randrange(1 << 32))


def pytest_report_header() -> str:
    return f"NETWORK_SEED={SEED} NETWORK_STRIDE={os.environ.get('NETWORK_STRIDE', '1')}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"NETWORK_SEED={SEED}")


@pytest.fixture
def seed() -> int:
    return SEED


@pytest.fixture(scope="session")
def servers() -> Iterator[LabStack]:
    lab = LabStack()
    try:
        lab.prepare()
        lab.servers_start()
        trust(lab)
        yield lab
    finally:
        lab.close()


def trust(lab: LabStack) -> None:
    """Without a password from this machine: its proof would be most of the time of a new connection."""
    rules = lab.postgres.folder / "pg_hba.conf"
    rules.write_text("host lex_intel lex_intel 127.0.0.1/32 trust\nhost all postgres 127.0.0.1/32 scram-sha-256\n")
    lab.postgres.admin_run("SELECT pg_reload_conf();")


@pytest.fixture
def net(servers: LabStack) -> Iterator[Net]:
    servers.heal()
    servers.empty()
    net = Net(servers)
    yield net
    net.close()
