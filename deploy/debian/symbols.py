# SPDX-License-Identifier: MIT
"""Prints libshared0.symbols: each name of the first release and of shared.map, and the version that brought it, as its
node is called. Arguments: the ABI description of the first release, shared.map."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def main() -> int:
    description, version_map = (Path(argument).read_text() for argument in sys.argv[1:3])
    names = set(re.findall(r"<elf-symbol name='(\w+)' version='LIBSHARED_([\d.]+)'", description))
    for version, body in re.findall(r"LIBSHARED_([\d.]+)\s*\{(.*?)\}", version_map, re.DOTALL):
        names.update((name, version) for name in re.findall(r"(shared_\w+);", body))
    nodes = sorted({version for _, version in names})
    print("libshared.so.0 libshared0 #MINVER#\n* Build-Depends-Package: libshared-dev")
    for version in nodes:
        print(f" LIBSHARED_{version}@LIBSHARED_{version} {version}.0")
    for name, version in sorted(names):
        print(f" {name}@LIBSHARED_{version} {version}.0")
    return 0 if names else 1


if __name__ == "__main__":
    sys.exit(main())
