# SPDX-License-Identifier: MIT
"""Fixtures: a stack whose settings are this process's environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stack import LabStack, servers_of_process


@pytest.fixture(scope="session", autouse=True)
def stack() -> Iterator[LabStack]:
    with servers_of_process() as lab:
        yield lab
