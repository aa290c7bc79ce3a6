# SPDX-License-Identifier: MIT
"""The installed tree, as packagers and users of libshared meet it: found by pkg-config, compiled against from
elsewhere, its programs run. Nothing here looks into the source tree, but for the examples that are compiled.
./dev test install builds with a prefix inside the build folder, in whose name is a space."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from dev.build import tool_environment
from dev.stack import BUILD, PROGRAMS, ROOT, Stack

HEADER_ALONE = '#include <shared.h>\nint main(void) { return shared_version() ? 0 : 1; }\n'
STANDARDS = {"c11": "cc", "c17": "cc", "c++17": "c++"}


class Tree:
    """An installation under its prefix."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, pattern: str) -> Path:
        found = sorted(self.root.rglob(pattern))
        assert found, f"{pattern} is not installed"
        return found[0]

    def environment(self) -> dict[str, str]:
        return tool_environment(PKG_CONFIG_PATH=str(self.find("libshared.pc").parent),
                                LD_LIBRARY_PATH=str(self.find("libshared.so.0").parent))

    def run(self, command: str, cwd: Path) -> str:
        """A shell command's output; it must succeed."""
        done = subprocess.run(["sh", "-ec", command], cwd=cwd, env=self.environment(), text=True, timeout=100,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout.strip()

    def compile(self, source: Path, cwd: Path, compiler: str, standard: str) -> Path:
        # eval: pkg-config writes a space in a path as a shell would.
        self.run(f'eval "{compiler} -std={standard} -Wall -Wextra -Werror \'{source}\' -o program '
                 '$(pkg-config --cflags --libs libshared)"', cwd)
        return cwd / "program"


@pytest.fixture(scope="session")
def tree() -> Tree:
    options = json.loads((BUILD / "meson-info" / "intro-buildoptions.json").read_text())
    prefix = Path(next(option["value"] for option in options if option["name"] == "prefix"))
    assert prefix.is_relative_to(BUILD), f"would install into {prefix}; run ./dev test install"
    shutil.rmtree(prefix, ignore_errors=True)
    done = subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild"], env=tool_environment(),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Tree(prefix)


def test_pkg_config_finds_the_library(tree: Tree, tmp_path: Path) -> None:
    version = tree.run("pkg-config --validate libshared && pkg-config --modversion libshared", tmp_path)
    assert version.count(".") == 2


@pytest.mark.parametrize("standard", STANDARDS)
def test_the_header_alone_compiles_links_and_runs(tree: Tree, tmp_path: Path, standard: str) -> None:
    source = tmp_path / ("main.cc" if "++" in standard else "main.c")
    source.write_text(HEADER_ALONE)
    tree.run(str(tree.compile(source, tmp_path, STANDARDS[standard], standard)), tmp_path)


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.c")), ids=lambda path: path.stem)
def test_an_example_compiles_outside_the_source_tree(tree: Tree, tmp_path: Path, example: Path) -> None:
    for file in (example, example.with_name("example.h")):
        shutil.copy(file, tmp_path)
    assert tree.compile(tmp_path / example.name, tmp_path, "cc", "c17").exists()


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_a_program_is_installed_and_finds_its_library(tree: Tree, program: str) -> None:
    listed = subprocess.run(["ldd", str(tree.find(program))], capture_output=True, text=True, check=False).stdout
    assert "not found" not in listed, listed
    libraries = [line for line in listed.splitlines() if "libshared" in line or "pdfium" in line]
    assert all(str(tree.root) in line for line in libraries), listed


def test_the_migrations_are_installed(tree: Tree) -> None:
    installed = sorted(path.name for path in tree.find("migrations").glob("*.sql"))
    assert installed == sorted(path.name for path in (ROOT / "deploy" / "migrations").glob("*.sql"))


def test_the_installed_programs_work_together(tree: Tree, tmp_path: Path) -> None:
    """Helper and migrations are found where they were installed, without a variable that says so."""
    folder = Path(tempfile.mkdtemp(prefix="lex-install-"))
    stack = Stack(folder, throwaway=True)
    stack.prepare()
    try:
        for server in (stack.postgres, stack.redis):
            stack.start(server.program()).wait_ready()
        stack.postgres.database_make()
        env = {name: value for name, value in stack.environment().items() if not name.startswith("LEX_")}
        for words in (["migrate", "upgrade", "head"], ["doctor"]):
            done = subprocess.run([tree.find("lex-intel"), *words], env=env, text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, check=False)
            assert done.returncode == 0, done.stdout
    finally:
        stack.stop()
        stack.wipe()
