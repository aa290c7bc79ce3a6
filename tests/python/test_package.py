# SPDX-License-Identifier: MIT
"""What pip gets: a wheel of the stable ABI, a source distribution that stands alone, types that mypy believes."""

from __future__ import annotations

import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packages import BINDING, TOOLS, python_make, run, source_make, wheel_install, wheel_make

SMOKE = """
import asyncio
from shared.database import async_session, select
from shared.models import Case

async def main():
    async with async_session() as db:
        db.add(Case(id="case-1", title="Smith v. Jones"))
        await db.commit()
        print((await db.scalars(select(Case))).one().title)
asyncio.run(main())
"""
PROGRAM = '''
"""What a user writes: every type is known."""
import asyncio
import datetime

from shared import build_info
from shared.client import Client
from shared.config import settings
from shared.database import AsyncSession, async_session, select
from shared.errors import NotFoundError, RetryableError
from shared.models import Document, DocumentChunk
from shared.progress import ProgressPublisher, ProgressStream
from shared.sync import session
from shared.utils import get_logger

logger = get_logger(__name__)


async def store(db: AsyncSession, name: str) -> Document:
    document = Document(file_name=name)
    db.add(document)
    await db.commit()
    return document


async def main() -> int:
    publisher = ProgressPublisher()
    async with async_session() as db:
        document = await store(db, "will.pdf")
        found: Document | None = await db.get(Document, document.id)
        if found is None:
            raise NotFoundError(document.id)
        made: datetime.datetime = found.created_at
        name: str = found.file_name
        chunks = await db.scalars(select(DocumentChunk).where(DocumentChunk.document_id == found.id))
        await publisher.publish_progress(found.id, 0, "starting", f"{name} of {made}")
        async for event in ProgressStream().stream_progress(found.id):
            logger.info(event)
        return len(chunks)


def blocking(key: str) -> str:
    with session() as db:
        return db.get_one(Document, key).file_name
'''


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return source_make(tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from the source distribution, outside the repository."""
    return wheel_make(source, tmp_path_factory.mktemp("wheel"))


@pytest.mark.timeout(600)
def test_the_source_stands_alone(source: Path) -> None:
    with tarfile.open(source) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
        assert not [member.name for member in archive if member.issym()]
    assert {"pyproject.toml", "LICENSE", "shared.i", "src/shared/py.typed", "subprojects/libshared/meson.build",
            "subprojects/libshared/include/shared.h"} <= names


@pytest.mark.timeout(600)
def test_the_wheel_is_of_the_stable_abi(wheel: Path) -> None:
    assert f"-cp3{sys.version_info.minor}-abi3-" in wheel.name  # and later ones: meson-python names the builder's
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (license,) = (archive.read(name) for name in names if name.endswith(".dist-info/licenses/LICENSE"))
    assert license == (BINDING.parents[1] / "LICENSE").read_bytes()
    assert {"shared/py.typed", "shared/native.pyi", "shared/_native.abi3.so"} <= set(names)
    assert not [name for name in names if "libshared" in name or "mesonpy.libs" in name or name.endswith((".c", ".h"))]
    run(TOOLS / "abi3audit", "--strict", wheel)
    assert wheel.name in run(TOOLS / "auditwheel", "show", wheel)


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with nothing but the wheel."""
    python = python_make(tmp_path_factory.mktemp("venv"))
    wheel_install(python, wheel)
    return python


@pytest.mark.timeout(600)
def test_it_runs_in_an_empty_environment(python: Path) -> None:
    assert run(python, "-c", SMOKE).strip() == "Smith v. Jones"
    extension = next(python.parents[1].rglob("_native.abi3.so"))
    dynamic = run("readelf", "-d", extension)
    assert "libpq.so" in dynamic and "RPATH" not in dynamic and "RUNPATH" not in dynamic


@pytest.mark.timeout(600)
def test_a_users_program_is_typed(python: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    run(sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", "--python-executable", python,
        program)


@pytest.mark.timeout(600)
def test_the_package_itself_is_typed(python: Path, tmp_path: Path) -> None:
    (installed,) = python.parents[1].glob("lib/python*/site-packages/shared")
    shutil.copytree(installed, tmp_path / "shared")
    run(sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", tmp_path / "shared")
