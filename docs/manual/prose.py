# SPDX-License-Identifier: MIT
"""Comments of C as reStructuredText: nothing in them is markup but indented code. Names of libshared become links."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

CODE_INDENT = 4
NAME = re.compile(r"\b(shared_\w+)(\(\))?")
CONSTANT = re.compile(r"\b(SHARED_[A-Z0-9_]+)(\.\.\.)?(?!\w)")
SPECIAL = re.compile(r"([\\*|`])")


@functools.cache
def functions() -> frozenset[str]:
    """What the headers declare."""
    headers = (Path(os.environ["SHARED_ROOT"]) / "include" / "shared").glob("*.h")
    return frozenset(name for header in headers
                     for name in re.findall(r"SHARED_API\s+[^;(]*?(shared_\w+)\(", header.read_text()))


def link(match: re.Match[str]) -> str:
    """`\\ ` sets it apart from what stands next to it, and shows nothing."""
    return f"\\ :c:func:`{match[1]}`\\ " if match[1] in functions() else match[0]


def line_to_rst(line: str) -> str:
    text = SPECIAL.sub(r"\\\1", line.replace("`", "'"))
    text = NAME.sub(link, re.sub(r"(\w)_(?=\W|$)", r"\1\\_", text))
    return CONSTANT.sub(r"\ ``\1\2``\ ", text)


def is_code(line: str) -> bool:
    return line.startswith(" " * CODE_INDENT)


def to_rst(lines: list[str]) -> list[str]:
    """Lines that are indented by four behind an empty one are code, up to the next line that is not."""
    out: list[str] = []
    in_code = False
    for number, line in enumerate(lines):
        opens = is_code(line) and (number == 0 or not lines[number - 1].strip())
        if in_code and line.strip() and not is_code(line):
            in_code = False
            out.append("")
        if opens and not in_code:
            in_code = True
            out += ["", ".. code-block:: c", ""]
        out.append(line if in_code else line_to_rst(line.strip()))
    return out


def definitions(lines: list[str]) -> list[str]:
    """`THREADS  A client ...` with the lines behind it indented by two: a definition list."""
    out: list[str] = []
    term = re.compile(r"^([A-Z]{4,})  +(\S.*)$")
    for line in lines:
        if found := term.match(line):
            out += ["", found.group(1).capitalize(), "    " + line_to_rst(found.group(2))]
        else:
            out.append("    " + line_to_rst(line.strip()))
    return out
