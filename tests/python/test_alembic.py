# SPDX-License-Identifier: MIT
"""Alembic and lex-intel migrate take turns on one database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from dev.servers import ROLE
from shared.alembic_env import statements
from stack import LabStack

ENV = "from shared.alembic_env import run\nrun()\n"
INI = "[alembic]\nscript_location = %(here)s\n"
REVISION = """from shared.alembic_env import run_sql
revision, down_revision = {number!r}, {before!r}


def upgrade():
    run_sql(revision)
"""
SECOND = "CREATE TABLE second (id text); -- a; comment\nINSERT INTO second VALUES ('a;b');\n"


class Place:
    """A folder of migrations with what Alembic needs of it, and an empty database."""

    def __init__(self, lab: LabStack, folder: Path, database: str) -> None:
        self.lab, self.folder = lab, folder
        lab.postgres.admin_run(f"CREATE DATABASE {database} OWNER {ROLE}")
        self.url = lab.postgres.url.rsplit("/", 1)[0] + f"/{database}"
        (folder / "versions").mkdir()
        (folder / "env.py").write_text(ENV)
        (folder / "alembic.ini").write_text(INI)
        self.before: str | None = None
        for file in sorted(Path(os.environ["LEX_MIGRATIONS_DIR"]).glob("*.sql")):
            self.add(file.name, file.read_text())

    def add(self, name: str, sql: str) -> None:
        number = name.split("-")[0]
        (self.folder / name).write_text(sql)
        (self.folder / "versions" / f"r{number}.py").write_text(REVISION.format(number=number, before=self.before))
        self.before = number

    def run(self, *command: str) -> str:
        env = os.environ | {"DATABASE_URL": self.url, "LEX_MIGRATIONS_DIR": str(self.folder)}
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def alembic(self, *words: str) -> str:
        return self.run(sys.executable, "-m", "alembic", *words)

    def lex_intel(self, *words: str) -> str:
        return self.run(str(self.lab.program_path("lex-intel")), *words)

    def version(self) -> str:
        with psycopg.connect(self.url) as connection:
            return str(connection.execute("SELECT version_num FROM alembic_version").fetchall()[0][0])


@pytest.mark.parametrize("first", ["alembic", "lex_intel"])
def test_alembic_and_lex_intel_take_turns(servers: LabStack, tmp_path: Path, first: str) -> None:
    place = Place(servers, tmp_path, f"turns_{first}")
    ways = {"alembic": lambda: place.alembic("upgrade", "head"),
            "lex_intel": lambda: place.lex_intel("migrate", "upgrade", "head")}
    other = next(name for name in ways if name != first)
    first_number = place.before
    ways[first]()
    assert place.version() == first_number
    ways[other]()  # finds it done
    number = f"{int(first_number or 0) + 1:04}"
    place.add(f"{number}-second.sql", SECOND)
    ways[other]()
    assert place.version() == number
    assert number in place.alembic("current")
    ways[first]()
    with psycopg.connect(place.url) as connection:
        assert connection.execute("SELECT id FROM second").fetchall() == [("a;b",)]


OWN = """import sqlalchemy as sa
from shared.alembic_env import run
from shared.sqlalchemy import metadata


class Shape:
    metadata = sa.MetaData()


sa.Table("notes", Shape.metadata, sa.Column("id", sa.Text, primary_key=True))
run({metadata}{options})
"""


def test_the_librarys_tables_are_no_business_of_autogenerate(servers: LabStack, tmp_path: Path) -> None:
    """It wanted to drop task_outbox, foreign keys and every index."""
    place = Place(servers, tmp_path, "checked")
    place.alembic("upgrade", "head")
    (tmp_path / "script.py.mako").write_text(
        "revision, down_revision = ${repr(up_revision)}, ${repr(down_revision)}\n\n\ndef upgrade():\n    ${upgrades}\n")
    for given in ("metadata", "sa.MetaData()"):
        (tmp_path / "env.py").write_text(OWN.format(metadata=given, options=""))
        assert "No new upgrade operations detected" in place.alembic("check")
    (tmp_path / "env.py").write_text(OWN.format(
        metadata="Shape.metadata", options=", include_object=lambda found, name, *rest: name != 'notes'"))
    assert "No new upgrade operations detected" in place.alembic("check")
    (tmp_path / "env.py").write_text(OWN.format(metadata="Shape.metadata", options=""))
    place.alembic("revision", "--autogenerate", "--rev-id", "own")
    made = (tmp_path / "versions" / "own_.py").read_text()
    assert "create_table('notes'" in made and "drop" not in made


def test_a_script_is_cut_at_its_semicolons() -> None:
    script = "SELECT 1; -- no; \nSELECT 'a;b';\nDO $x$ BEGIN; END $x$;\n/* c; */ ; SELECT \"a;\""
    assert statements(script) == ["SELECT 1", "-- no; \nSELECT 'a;b'", "DO $x$ BEGIN; END $x$", 'SELECT "a;"']
