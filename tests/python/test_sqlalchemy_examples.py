# SPDX-License-Identifier: MIT
"""The examples for asyncio of SQLAlchemy's own source, word for word but for the URL."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import sqlalchemy

from dev.servers import ROLE
from stack import LabStack

EXAMPLES = ("async_orm.py", "async_orm_writeonly.py", "basic.py", "gather_orm_statements.py", "greenlet_orm.py")
THEIRS = "postgresql+asyncpg://scott:tiger@localhost/test"


@pytest.fixture(scope="module")
def source() -> Path:
    """The folder of the examples of the version that is installed; fetched once."""
    folder = Path(sys.prefix).parent / f"sqlalchemy-{sqlalchemy.__version__}-examples"
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
        subprocess.run([*pip, "--no-binary", "sqlalchemy", "-d", str(folder.parent),
                        f"sqlalchemy=={sqlalchemy.__version__}"], check=True)
        folder.mkdir()
        with tarfile.open(folder.parent / f"sqlalchemy-{sqlalchemy.__version__}.tar.gz") as archive:
            for member in archive:
                if "/examples/asyncio/" in member.name and (inside := archive.extractfile(member)):
                    (folder / Path(member.name).name).write_bytes(inside.read())
    return folder


@pytest.fixture
def url(servers: LabStack) -> str:
    """Of an empty database of its own."""
    servers.postgres.admin_run(f"DROP DATABASE IF EXISTS examples;\nCREATE DATABASE examples OWNER {ROLE};")
    return servers.postgres.url.replace("postgresql:", "postgresql+shared:", 1).rsplit("/", 1)[0] + "/examples"


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_runs(source: Path, url: str, tmp_path: Path, name: str) -> None:
    text = (source / name).read_text()
    assert THEIRS in text
    copy = tmp_path / name
    copy.write_text(text.replace(THEIRS, url))
    done = subprocess.run([sys.executable, str(copy)], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr
