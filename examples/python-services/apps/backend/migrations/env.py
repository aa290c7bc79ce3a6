# SPDX-License-Identifier: MIT
"""Alembic's environment. `alembic upgrade head` and `lex-intel migrate upgrade head` take turns: the same scripts, the
same numbers in alembic_version, the same lock. Only online: the scripts are SQL already."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from shared.config import settings

# As libshared/session/migrate.c: whoever comes second finds the work done.
LOCK = text("SELECT pg_advisory_xact_lock(7810781522964014444)")


def upgrade(connection: Connection) -> None:
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        connection.execute(LOCK)
        context.run_migrations()


url = make_url(str(settings.DATABASE_URL)).set(drivername="postgresql+psycopg")
engine = create_engine(url, poolclass=NullPool)
with engine.connect() as connection:
    upgrade(connection)
