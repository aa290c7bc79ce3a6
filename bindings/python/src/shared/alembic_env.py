# SPDX-License-Identifier: MIT
"""Alembic on ``postgresql+shared``, taking turns with ``lex-intel migrate``. A whole migrations/env.py is::

    from shared.alembic_env import run
    run()

and a revision of a file of SQL, whose number is the revision's (deploy/migrations/NNNN-name.sql)::

    from shared.alembic_env import run_sql
    revision, down_revision = "0002", "0001"

    def upgrade() -> None:
        run_sql(revision)

``run(Base.metadata)`` serves autogenerate and ``alembic check`` for tables of a service's own; those of the library are
its migrations' business, and are left out.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from alembic import context, op
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine

from .config import settings
from .sqlalchemy import metadata

__all__ = ["include_object", "run", "run_sql", "statements"]

OURS = frozenset({*metadata.tables, "task_outbox"})

# As libshared/session/migrate.c: whoever comes second finds the work done.
LOCK = text("SELECT pg_advisory_xact_lock(7810781522964014444)")
TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|(;)", re.DOTALL)


def run(target_metadata: MetaData | None = None, url: str = "postgresql+shared://", **options: Any) -> None:
    """What `alembic upgrade head` does: all in one transaction, behind the lock of `lex-intel migrate`. url: the
    database, DATABASE_URL's unless it says another. options: of context.configure(). Only online: the scripts are SQL
    already."""
    asyncio.run(_run(target_metadata, url, options))


async def _run(target_metadata: MetaData | None, url: str, options: dict[str, Any]) -> None:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        await connection.run_sync(_upgrade, target_metadata, options)
    await engine.dispose()


def _upgrade(connection: Connection, target_metadata: MetaData | None, options: dict[str, Any]) -> None:
    theirs = options.pop("include_object", None)
    context.configure(connection=connection, target_metadata=target_metadata, transaction_per_migration=False,
                      include_object=lambda *what: include_object(*what) and (theirs is None or theirs(*what)),
                      **options)
    with context.begin_transaction():
        connection.execute(LOCK)
        context.run_migrations()


def include_object(found: Any, name: str | None, kind: str, reflected: bool, compared: Any) -> bool:
    """Alembic's hook: not the library's own tables, which its SQL makes. For an env.py that does not call run()."""
    return not (kind == "table" and name in OURS and found.schema is None)


def run_sql(number: str, folder: Path | None = None) -> None:
    """Runs the file NNNN-name.sql of LEX_MIGRATIONS_DIR, or of another folder, in Alembic's transaction."""
    place = folder or Path(str(settings.LEX_MIGRATIONS_DIR))
    found = sorted(place.glob(f"{number}-*.sql"))
    if len(found) != 1:
        raise FileNotFoundError(f"{place}/{number}-*.sql: one file is wanted, there are {len(found)}")
    for statement in statements(found[0].read_text()):
        op.get_bind().exec_driver_sql(statement)


def statements(sql: str) -> list[str]:
    """The statements of a script: cut at semicolons outside of quotes, dollar quotes and comments."""
    parts, start = [], 0
    for match in TOKEN.finditer(sql):
        if match.group(2):
            parts.append(sql[start:match.start()])
            start = match.end()
    parts.append(sql[start:])
    return [part.strip() for part in parts if TOKEN.sub(_kept, part).strip()]


def _kept(match: re.Match[str]) -> str:
    """A comment says nothing to the server."""
    return "" if match.group(0).startswith(("--", "/*")) else match.group(0)
