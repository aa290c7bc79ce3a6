# SPDX-License-Identifier: MIT
"""Checks of the sources as text: format, lint, sizes, licence lines. Never changes a file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from .build import tool_environment
from .stack import ROOT

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
SPDX = "SPDX-License-Identifier: MIT"
# Made from models.txt by model/models.py; tests/abi keeps them fresh, their length is nobody's style.
MADE = ("include/shared/models.h", "include/shared/typed.h")


def files(*patterns: str) -> list[Path]:
    """What git knows, or would take, of these names."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in sorted(set(listed.split("\0"))) if name and (ROOT / name).is_file()]


def shell_scripts() -> list[Path]:
    return [path for path in files() if path.suffix in ("", ".sh") and
            path.open("rb").read(64).split(b"\n")[0].startswith((b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env bash"))]


def c_files() -> list[Path]:
    return files("*.c", "*.h")


def tool(argv: list[str], paths: list[Path]) -> str:
    """Runs a linter over files; what it says when it is not content."""
    name = shutil.which(argv[0], path=tool_environment()["PATH"])
    if not name:
        return f"{argv[0]} is not installed"
    if not paths:
        return ""
    done = subprocess.run([name, *argv[1:], *map(str, paths)], cwd=ROOT, env=tool_environment(), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return (done.stdout[-20000:] or f"{argv[0]} ended with {done.returncode}") if done.returncode else ""


def formatted() -> str:
    """The C files that clang-format would change, one a line."""
    said = tool(["clang-format", "--dry-run", "--Werror", "--ferror-limit=1"], c_files())
    places = [line.split(":")[0] for line in said.splitlines() if ": error: " in line]
    return "\n".join(f"{name}: clang-format -i would change it" for name in dict.fromkeys(places)) or said


def sizes() -> str:
    """Functions of C, and files in any language, that are too long. clang-format has made a function begin and end at
    the left margin."""
    found = []
    for path in files("*.c", "*.h", "*.py", "*.js", "*.ts", "*.css", "*.html"):
        name = str(path.relative_to(ROOT))
        lines = path.read_text().splitlines()
        if len(lines) > FILE_LINES_MAX and name not in MADE:
            found.append(f"{name}: {len(lines)} lines, at most {FILE_LINES_MAX}")
        if path.suffix not in (".c", ".h"):
            continue
        start = 0
        for number, line in enumerate(lines, 1):
            if (line[:1].isalpha() or line[:1] == "_") and not line.endswith(":"):  # a label ends so
                start = number
            elif line == "}" and number - start + 1 > FUNCTION_LINES_MAX:  # a struct or table ends with "};"
                found.append(f"{name}:{start}: a function of {number - start + 1} lines, at most {FUNCTION_LINES_MAX}")
    return "\n".join(found)


def licences() -> str:
    """Each source says its licence in its first lines."""
    sources = [*files("*.c", "*.h", "*.py", "*.js", "*.i", "meson.build"), *shell_scripts()]
    missing = [str(path.relative_to(ROOT)) for path in sources
               if path.stat().st_size and SPDX not in "\n".join(path.read_text().split("\n")[:3])]
    return "\n".join(f"{name}: no {SPDX} in its first three lines" for name in missing)


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("ruff", lambda: tool(["ruff", "check", "--no-cache", "--config", "deploy/dev/ruff.toml"], files("*.py"))),
    ("shellcheck", lambda: tool(["shellcheck"], shell_scripts())),
    ("clang-format", formatted),
    ("sizes", sizes),
    ("licences", licences),
)
