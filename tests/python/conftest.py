# SPDX-License-Identifier: MIT
"""Fixtures: a stack whose settings are this process's environment, and an empty database for each test."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from stack import LabStack, servers_of_process


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[LabStack]:
    with servers_of_process() as lab:
        yield lab


@pytest.fixture
def pg(servers: LabStack) -> Iterator[psycopg.Connection]:
    """A connection that is not ours."""
    with psycopg.connect(servers.postgres.url, autocommit=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
def empty(pg: psycopg.Connection) -> None:
    pg.execute("TRUNCATE cases, documents, document_pages, document_chunks, task_outbox")
