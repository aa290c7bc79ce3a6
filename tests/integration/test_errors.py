# SPDX-License-Identifier: MIT
"""No row of the tables of libshared/base/error.c is there without a test that provokes it."""

from __future__ import annotations

import test_errors_postgres
import test_errors_redis
import test_pgbouncer
from provoked import all_rows, provoked

TESTS = (test_errors_postgres, test_errors_redis, test_pgbouncer)


def test_each_row_is_provoked() -> None:
    assert all(TESTS)
    rows = all_rows()
    assert len(rows) > 45, rows  # the tables were found
    assert provoked == rows, f"without a test: {sorted(rows - provoked)}; of no row: {sorted(provoked - rows)}"
