# SPDX-License-Identifier: MIT
"""Finds the example of a function: the function of examples/*.c that calls it, from the smallest file that has one."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

FUNCTION = re.compile(r"^(?:\w[^\n;{}#]*\([^;{}]*\) \{\n.*?^\}\n)", re.MULTILINE | re.DOTALL)
LINES_MAX = 30  # of an example under a function; of a longer one the lines around the call


@dataclass(frozen=True)
class Example:
    file: str
    text: str


@functools.cache
def functions(folder: Path) -> tuple[Example, ...]:
    """Each function of each example, the files by size: the small ones are the simple ones."""
    found = []
    for file in sorted(folder.glob("*.c"), key=lambda path: (path.stat().st_size, path.name)):
        for match in FUNCTION.finditer(file.read_text()):
            found.append(Example(file.name, match.group(0)))
    return tuple(sorted(found, key=lambda example: example.text.count("\n") > LINES_MAX))


def find(folder: Path, name: str) -> Example | None:
    call = re.compile(rf"\b{name}\(")
    for example in functions(folder):
        if call.search(example.text):
            return Example(example.file, excerpt(example.text, call))
    return None


def excerpt(text: str, call: re.Pattern[str]) -> str:
    lines = text.splitlines()
    if len(lines) <= LINES_MAX:
        return text
    at = next(number for number, line in enumerate(lines) if call.search(line))
    first, last = max(at - 8, 0), min(at + 8, len(lines))
    return "\n".join(["..."] * (first > 0) + lines[first:last] + ["..."] * (last < len(lines)))
