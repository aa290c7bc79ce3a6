# SPDX-License-Identifier: MIT
"""Initial. Made by revisions.py from 0001-initial.sql."""

from shared.alembic_env import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql(revision)


def downgrade() -> None:
    raise RuntimeError("migrations are not undone: restore a backup")
