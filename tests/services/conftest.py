# SPDX-License-Identifier: MIT
"""Fixtures: one stack for all tests here, its settings also this process's, and a database that is empty at first."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from stack import LabStack, servers_of_process


@pytest.fixture(scope="session")
def stack() -> Iterator[LabStack]:
    with servers_of_process() as lab:
        yield lab


@pytest.fixture
def pg(stack: LabStack) -> Iterator[psycopg.Connection]:
    with stack.pg_connect() as connection:
        yield connection
