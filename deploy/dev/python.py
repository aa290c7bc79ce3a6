# SPDX-License-Identifier: MIT
"""The Python binding, built as pip builds it and installed into a virtual environment of its own, beside what its tests
need: build-python/venv."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .build import step
from .stack import ROOT

FOLDER = ROOT / "build-python"
VENV = FOLDER / "venv"
BINDING = ROOT / "bindings" / "python"
REQUIREMENTS = BINDING / "requirements-test.txt"
SQLALCHEMY_OTHER = "2.1.9"
# What the wheel is made of: when none of it changed it is not made again.
SOURCES = ("bindings", "include", "libshared", "deploy/migrations", "meson.build", "meson_options.txt", "pkgconfig")


def python_venv() -> Path:
    """Brings the environment up to date; its interpreter."""
    FOLDER.mkdir(exist_ok=True)
    log = FOLDER / "dev.log"
    log.write_text("")
    python = VENV / "bin" / "python"
    if stale(VENV / ".made", digest([REQUIREMENTS])):
        shutil.rmtree(VENV, ignore_errors=True)
        step("making build-python/venv", [sys.executable, "-m", "venv", str(VENV)], log, {})
        # Without dependencies, since the file names them all: pip 23 takes the newest of one that is wanted with an
        # extra (coverage[toml]) and then refuses it for having no hash here.
        step("installing what Python's tests need",
             [*pip(python), "--no-deps", "--require-hashes", "-r", str(REQUIREMENTS)], log, {})
        (VENV / ".made").write_text(digest([REQUIREMENTS]))
    sources = digest(files(SOURCES))
    if stale(VENV / ".binding", sources):
        env = {"PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        step("installing bindings/python", [*pip(python), "--no-deps", "--no-build-isolation", "--force-reinstall",
                                            str(BINDING)], log, env)
        (VENV / ".binding").write_text(sources)
    return python


def python_sanitized(python: Path) -> dict[str, str]:
    """The binding and the library in it built with ASan and UBSan, in front of the installed one by the environment
    that this gives."""
    folder = ROOT / "build-python-asan"
    site = folder / "site"
    tools = {"PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    log = FOLDER / "dev.log"
    if not (folder / "build.ninja").exists():
        step("meson setup of the binding with sanitizers",
             ["meson", "setup", str(folder), str(BINDING), "-Db_sanitize=address,undefined", "-Db_lundef=false",
              "-Dbuildtype=debugoptimized", f"-Dpython.platlibdir={site}", f"-Dpython.purelibdir={site}"], log, tools)
    step("compiling it", ["ninja", "-C", str(folder)], log, tools)
    step("copying it into place", ["meson", "install", "-C", str(folder), "--no-rebuild", "--quiet",
                                   "--skip-subprojects", "--tags=runtime,python-runtime"], log, tools)
    return {"PYTHONPATH": str(site), "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", **sanitizer_preload()}


def sanitizer_preload() -> dict[str, str]:
    """An ordinary interpreter loads a library built with ASan only when ASan was loaded before it. Its memory comes
    from malloc, so that ASan sees the end of each block. Without leaks: it does not free what it ends with."""
    libraries = [subprocess.run(["gcc", f"-print-file-name={name}"], check=True, capture_output=True,
                                text=True).stdout.strip() for name in ("libasan.so", "libstdc++.so.6")]
    return {"LD_PRELOAD": " ".join(libraries), "PYTHONMALLOC": "malloc",
            "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1:halt_on_error=1"}


def sqlalchemy_other(python: Path) -> Path:
    """A folder with the other SQLAlchemy that the binding supports, to be put in front of the environment's."""
    folder = FOLDER / f"sqlalchemy-{SQLALCHEMY_OTHER}"
    if not folder.exists():
        made = folder.with_suffix(".part")
        shutil.rmtree(made, ignore_errors=True)
        step(f"installing SQLAlchemy {SQLALCHEMY_OTHER} aside",
             [*pip(python), "--no-deps", "--target", str(made), f"sqlalchemy=={SQLALCHEMY_OTHER}"],
             FOLDER / "dev.log", {})
        made.rename(folder)
    return folder


def pip(python: Path) -> list[str]:
    return [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]


def stale(stamp: Path, wanted: str) -> bool:
    return not stamp.exists() or stamp.read_text() != wanted


def files(names: tuple[str, ...]) -> list[Path]:
    found = [path for name in names for path in (ROOT / name, *(ROOT / name).rglob("*"))]
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def digest(paths: list[Path]) -> str:
    made = hashlib.sha256(str(ROOT).encode())
    for path in paths:
        made.update(str(path).encode() + path.read_bytes())
    return made.hexdigest()
