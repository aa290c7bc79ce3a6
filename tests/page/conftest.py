# SPDX-License-Identifier: MIT
"""The stack of tests/integration and a browser that looks at its page."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from browser import Page
from dev.process import Process
from stack import LabStack


def fixtures_load() -> ModuleType:
    """tests/integration/conftest.py under a name of its own: both files must be called conftest.py."""
    source = Path(__file__).parent.parent / "integration" / "conftest.py"
    spec = importlib.util.spec_from_file_location("stack_fixtures", source)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_shared = fixtures_load()
servers, stack, backend, worker = _shared.servers, _shared.stack, _shared.backend, _shared.worker
client, pg, redis_client = _shared.client, _shared.pg, _shared.redis_client
pytest_runtest_makereport = _shared.pytest_runtest_makereport


@pytest.fixture
def page(stack: LabStack, backend: Process, tmp_path: Path) -> Iterator[Page]:
    """A browser of its own at the page. Whatever the test does: no script from data, no policy violation, no error."""
    with Page(stack.backend_url, tmp_path / "profile") as opened:
        opened.open("")
        yield opened
        assert opened.complaints() == []
