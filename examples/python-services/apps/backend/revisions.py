# SPDX-License-Identifier: MIT
"""Alembic's revisions of the SQL files that lex-intel applies: `python revisions.py` makes those that are missing. A
migration is written once, as deploy/migrations/NNNN-name.sql; its revision is its number. Nothing is ever undone."""

from __future__ import annotations

from pathlib import Path

VERSIONS = Path(__file__).parent / "migrations" / "versions"
REVISION = '''# SPDX-License-Identifier: MIT
"""{title}. Made by revisions.py from {name}."""

from shared.alembic_env import run_sql

revision = "{number}"
down_revision = {before}


def upgrade() -> None:
    run_sql(revision)


def downgrade() -> None:
    raise RuntimeError("migrations are not undone: restore a backup")
'''


def folder() -> Path:
    from shared.config import settings
    return Path(str(settings.LEX_MIGRATIONS_DIR))


def made() -> dict[Path, str]:
    """Each revision's file and what it must hold."""
    files = sorted(folder().glob("[0-9][0-9][0-9][0-9]-*.sql"))
    revisions, before = {}, "None"
    for file in files:
        number, title = file.stem.split("-", 1)
        revisions[VERSIONS / f"{number}_{title.replace('-', '_')}.py"] = REVISION.format(
            title=title.replace("-", " ").capitalize(), name=file.name, number=number, before=before)
        before = f'"{number}"'
    return revisions


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text)
