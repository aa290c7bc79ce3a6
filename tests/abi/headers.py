# SPDX-License-Identifier: MIT
"""Each public header compiles alone, as every C and C++ that users write, by gcc and by clang, without a warning. Links
nothing. Arguments: the folder include/."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wundef", "-Werror", "-fsyntax-only")
# suffix of the sources -> its compilers, its standards, warnings of that language alone
LANGUAGES = {
    ".c": (("gcc", "clang"), ("c11", "c17"), ("-Wstrict-prototypes", "-Wmissing-prototypes", "-Wcast-qual")),
    ".cc": (("g++", "clang++"), ("c++17", "c++20"), ("-Wold-style-cast", "-Wcast-qual", "-Wnon-virtual-dtor")),
}
COMPILERS = tuple((compiler, standard, suffix, warnings)
                  for suffix, (compilers, standards, warnings) in LANGUAGES.items()
                  for compiler in compilers for standard in standards)


def complaints(include: Path, header: str, folder: Path) -> list[str]:
    found = []
    for compiler, standard, suffix, warnings in COMPILERS:
        source = folder / f"alone{suffix}"
        # Twice: a header guards itself.
        source.write_text(f"#include <{header}>\n#include <{header}>\nint main(void) {{ return 0; }}\n")
        done = subprocess.run([compiler, f"-std={standard}", f"-I{include}", *WARNINGS, *warnings, str(source)],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            found.append(f"{header} by {compiler} -std={standard}:\n{done.stderr}")
    return found


def main() -> int:
    include = Path(sys.argv[1])
    headers = sorted(str(path.relative_to(include)) for path in include.rglob("*.h"))
    missing = sorted({compiler for compiler, *_ in COMPILERS if not shutil.which(compiler)})
    if missing:
        sys.exit(f"not installed: {', '.join(missing)} (./dev test installs them)")
    with tempfile.TemporaryDirectory() as folder:
        found = [text for header in headers for text in complaints(include, header, Path(folder))]
    print("\n".join(found) or f"{len(headers)} headers compile alone, {len(COMPILERS)} ways each")
    return 1 if found or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
