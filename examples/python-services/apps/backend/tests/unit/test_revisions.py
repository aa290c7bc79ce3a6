# SPDX-License-Identifier: MIT
"""Alembic has a revision for each SQL file."""

from __future__ import annotations

import revisions


def test_each_migration_has_its_revision() -> None:
    """Else: python revisions.py"""
    assert revisions.made()
    assert {path: path.read_text() for path in revisions.VERSIONS.glob("*.py")} == revisions.made()
