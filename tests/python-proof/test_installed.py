# SPDX-License-Identifier: MIT
"""Each way in which pip installs the binding, into an empty environment outside of the repository, and then a document
uploaded, watched and read with it, beside a running backend and worker."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from packages import BINDING, TOOLS, python_make, run, source_make, wheel_install, wheel_make

from dev.stack import ROOT
from stack import LabStack

SMOKE = """
import asyncio, json, os, sys, urllib.request
import shared
from shared.database import async_session, select
from shared.models import Document, DocumentChunk
from shared.progress import ProgressStream

TEXT = "The seller delivers within 30 days. " * 200

def upload():
    line = "\\r\\n"
    body = line.join(["--x", 'Content-Disposition: form-data; name="file"; filename="a.txt"',
                      "Content-Type: text/plain", "", TEXT, "--x--", ""])
    asked = urllib.request.Request(os.environ["BACKEND_URL"] + "/documents", body.encode(),
                                   {"Content-Type": "multipart/form-data; boundary=x"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.load(answer)["id"]

async def main():
    key = await asyncio.to_thread(upload)
    steps = [message["step"] async for message in ProgressStream().watch(key)]
    async with async_session() as db:
        document = await db.get_one(Document, key)
        chunks = await db.scalars(select(DocumentChunk).where(DocumentChunk.document_id == key)
                                  .order_by(DocumentChunk.chunk_index))
        assert all(chunk.content in TEXT for chunk in chunks)
        print(json.dumps({"steps": steps, "status": document.extraction_status, "chunks": len(chunks),
                          "impl": shared.build_info()["impl"], "from": shared.__file__}))

asyncio.run(asyncio.wait_for(main(), 60))
"""


@pytest.fixture(scope="module", autouse=True)
def programs(stack: LabStack) -> str:
    stack.backend_up()
    stack.worker_up()
    return stack.backend_url


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return source_make(tmp_path_factory.mktemp("sdist"))


def smoke(python: Path, programs: str, folder: Path, impl: str = "bundled", **env: str) -> None:
    """The program above; shared must be the one of that folder."""
    told = json.loads(run(python, "-W", "error", "-c", SMOKE, BACKEND_URL=programs, **env))
    assert told["steps"][-1] == told["status"] == "completed" and told["chunks"] > 1
    assert told["impl"] == impl and Path(told["from"]).is_relative_to(folder)


def test_the_wheel(source: Path, programs: str, tmp_path: Path) -> None:
    wheel = wheel_make(source, tmp_path)
    python = python_make(tmp_path / "venv")
    wheel_install(python, wheel)
    smoke(python, programs, tmp_path / "venv")
    run(TOOLS / "abi3audit", "--strict", wheel)
    assert wheel.name in run(TOOLS / "auditwheel", "show", wheel)


def test_its_stubs_are_true(tmp_path: Path) -> None:
    """Of the installed package, all modules. What stubtest is told to let pass: assignments to a field are typed and
    not there at run time (query.py says why), and @disjoint_base has no meaning for a tuple's subclass below 3.15."""
    allowed = tmp_path / "allowed"
    allowed.write_text("shared.query.Column.__set__\nshared.result.Row\n")
    assert "no issues found" in run(sys.executable, "-m", "mypy.stubtest", "--allowlist", allowed, "shared")


def test_the_source_with_tools_of_its_own(source: Path, programs: str, tmp_path: Path) -> None:
    """pip gets what pyproject.toml says that a build needs, and nothing else is there."""
    python = python_make(tmp_path / "venv")
    run(python, "-m", "pip", "install", "-q", source, PATH="/usr/local/bin:/usr/bin:/bin")
    smoke(python, programs, tmp_path / "venv")


def tree_copy(folder: Path) -> Path:
    """What is committed, somewhere else."""
    tree = folder / "tree"
    tree.mkdir()
    run("git", "-C", ROOT, "archive", "-o", folder / "tree.tar", "HEAD")
    run("tar", "-xf", folder / "tree.tar", "-C", tree)
    return tree


@pytest.mark.parametrize("place", ["bindings/python", "examples/python-services/packages/shared"])
def test_an_editable_install_follows_its_source(programs: str, tmp_path: Path, place: str) -> None:
    """Without build isolation, since what pip builds with there is gone when the first import builds again."""
    tree = tree_copy(tmp_path)
    python = python_make(tmp_path / "venv")
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    tools = Path(run(TOOLS / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for name in ("mesonpy", "pyproject_metadata", "packaging", "mesonbuild", "ninja"):
        (site / name).symlink_to(tools / name)
    run(python, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps", "-e", tree / place)
    smoke(python, programs, tree / "bindings" / "python")
    package = tree / "bindings" / "python" / "src" / "shared" / "__init__.py"
    package.write_text(package.read_text() + "\nEDITED = True\n")
    header = tree / "bindings" / "python" / "rows.c"
    header.write_text(header.read_text().replace("a tuple of %d, one for each field", "EDITED: a tuple of %d"))
    said = run(python, "-c", "import shared\nassert shared.EDITED\nfrom shared import native\n"
                             "try:\n    native.record_from_values(1, ())\nexcept ValueError as e:\n    print(e)\n")
    assert "EDITED: a tuple of" in said


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """libshared and its header as a package installs them, and the environment in which they are found."""
    folder = tmp_path_factory.mktemp("system")
    run("meson", "setup", folder / "build", ROOT, "--buildtype=release", f"--prefix={folder / 'usr'}", "--libdir=lib",
        "-Dapps=false", "-Dtests=false")
    run("meson", "install", "-C", folder / "build")
    library = folder / "usr" / "lib"
    return {"PKG_CONFIG_PATH": str(library / "pkgconfig"), "LD_LIBRARY_PATH": str(library)}


def test_on_the_systems_library(system: dict[str, str], programs: str, tmp_path: Path) -> None:
    """-Dsystem=true: the extension has no copy of the library, and says so; what does not fit has a name."""
    wheel = wheel_make(BINDING, tmp_path, "--config-settings=setup-args=-Dsystem=true", **system)
    python = python_make(tmp_path / "venv")
    wheel_install(python, wheel)
    extension = next((tmp_path / "venv").rglob("_native.abi3.so"))
    dynamic = run("readelf", "-d", extension)
    assert "[libshared.so.0]" in dynamic and "libpq" not in dynamic
    assert not re.findall(r"R(?:UN)?PATH.*\[(.+)\]", dynamic)  # meson leaves an empty one
    smoke(python, programs, tmp_path / "venv", "system", SHARED_IMPL="system", **system)
    assert 'SHARED_IMPL: "bundled" is wanted' in refusal(python, SHARED_IMPL="bundled", **system)
    assert "libshared.so.0: cannot open shared object file" in refusal(python)


def test_an_older_library_is_refused_by_name(system: dict[str, str], tmp_path: Path) -> None:
    """Twice: one that lacks a function of these bindings, and one that has them all and says that it is older."""
    wheel = wheel_make(BINDING, tmp_path, "--config-settings=setup-args=-Dsystem=true", **system)
    python = python_make(tmp_path / "venv")
    wheel_install(python, wheel)
    old = tmp_path / "old"
    old.mkdir()
    library = next(Path(system["LD_LIBRARY_PATH"]).glob("libshared.so.0.*"))
    data = library.read_bytes()
    (old / "libshared.so.0").write_bytes(data.replace(b"\0shared_session_pin\0", b"\0shared_session_pan\0"))
    assert "undefined symbol: shared_session_pin" in refusal(python, LD_LIBRARY_PATH=str(old))
    (old / "older.c").write_text("int shared_version(void) { return 5; }\n")
    run("gcc", "-shared", "-fPIC", "-o", old / "older.so", old / "older.c")
    said = refusal(python, LD_PRELOAD=str(old / "older.so"), **system)
    assert "these bindings were made for 0.1.0, 0.0.5 was loaded, from " in said and "libshared.so.0" in said


def refusal(python: Path, **env: str) -> str:
    """What the VersionError of the import says."""
    return run(python, "-c", "try:\n    import shared\nexcept ImportError as error:\n"
                             "    assert type(error).__name__ == 'VersionError', error\n    print(error)\n", **env)
