# SPDX-License-Identifier: MIT
"""The library exports what the headers declare with SHARED_API and what shared.map lists: the same names, no more,
each in its node, and each said since when; the static one has the same. Arguments: the built library, the static one,
include/, shared.map."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

SONAME = "libshared.so.0"


def declared(include: Path) -> dict[str, str]:
    """name -> the version that the comment before its declaration names, "" when it names none."""
    found = {}
    for header in sorted(include.rglob("*.h")):
        pattern = r"(/\*\*(?:(?!\*/).)*\*/)?\s*SHARED_API\s+[^;(]*?(shared_\w+)\("
        for comment, name in re.findall(pattern, header.read_text(), re.DOTALL):
            since = re.search(r"Added\s+(?:\*\s+)?in\s+(?:\*\s+)?(\d+\.\d+)\.\d+", comment)
            found[name] = since.group(1) if since else ""
    return found


def mapped(text: str) -> dict[str, str]:
    """name -> node of the map."""
    return {name: node for node, body in re.findall(r"(LIBSHARED_[\d.]+)\s*\{(.*?)\}", text, re.DOTALL)
            for name in re.findall(r"(shared_\w+);", body)}


def exported(library: str) -> dict[str, str]:
    listed = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", library], capture_output=True,
                            text=True, check=True).stdout
    names = [line.split()[-1].replace("@@", "@").partition("@") for line in listed.splitlines()
             if line.split()[-2] != "A"]
    return {name: node for name, _, node in names}


def archived(library: str) -> dict[str, str]:
    """Global names of the static library, which has no nodes."""
    listed = subprocess.run(["nm", "-g", "--defined-only", library], capture_output=True, text=True,
                            check=True).stdout
    return {line.split()[-1]: "" for line in listed.splitlines() if len(line.split()) == 3}


def differences(what: str, left: dict[str, str], right: dict[str, str]) -> list[str]:
    return [f"{name}: {what}" for name in sorted(left.keys() - right.keys())]


def main() -> int:
    library, archive, include, map_file = sys.argv[1:]
    headers, nodes, symbols = declared(Path(include)), mapped(Path(map_file).read_text()), exported(library)
    static = archived(archive)
    found = differences("declared, not in shared.map", headers, nodes)
    found += differences("in shared.map, not declared", nodes, headers)
    found += differences("in shared.map, not exported: nobody wrote it", nodes, symbols)
    found += differences("exported, not in shared.map", symbols, nodes)
    found += differences("in the static library, not in shared.map", static, nodes)
    found += differences("exported, not in the static library", symbols, static)
    found += [f"{name}: no 'Added in N.N.N' before it" for name, since in headers.items() if not since]
    found += [f"{name}: added in {since}, in node {nodes[name]}" for name, since in headers.items()
              if since and name in nodes and nodes[name] != f"LIBSHARED_{since}"]
    found += [f"{name}: exported in node {node or '(none)'}, {nodes[name]} in the map" for name, node in symbols.items()
              if name in nodes and nodes[name] != node]
    dynamic = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
    found += [] if f"[{SONAME}]" in dynamic else [f"the library's name is not {SONAME}"]
    print("\n".join(found) or f"{len(symbols)} names")
    return 1 if found or not symbols else 0


if __name__ == "__main__":
    sys.exit(main())
