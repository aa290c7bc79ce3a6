# SPDX-License-Identifier: MIT
"""Which rows of the tables in libshared/base/error.c a test provokes: tests say so with @provokes, and
test_errors.py compares."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from driver import ROOT

Test = TypeVar("Test", bound=Callable[..., None])
provoked: set[str] = set()


def provokes(*rows: str) -> Callable[[Test], Test]:
    provoked.update(rows)
    return lambda test: test


def table_rows(source: str, name: str) -> Iterable[str]:
    """The first word of each row of a table."""
    table = re.search(rf"\b{name}\[\] =\s*\{{(.*?)\n\s*\}};", source, re.S)
    assert table, name
    return re.findall(r'\{"?([A-Za-z0-9 ]+)"?,', table[1])


def all_rows() -> set[str]:
    source = (ROOT / "libshared" / "base" / "error.c").read_text()
    return {row for name in ("sqlstates", "replies", "retryable_errnos") for row in table_rows(source, name)}
