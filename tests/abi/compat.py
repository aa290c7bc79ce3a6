# SPDX-License-Identifier: MIT
"""What the first release promised still holds: each of its functions is there with the same types (abidiff against the
committed description), each of its constants has the same number. Additions are welcome. `describe` writes the two
committed files (./dev abi), `check` compares, `mutants` shows that a removed and a changed function are found.
Arguments: describe|check|mutants, the built library, the archive of its objects, the top of the source tree."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

RELEASE = "0.1.0"
# Handles are opaque: a header that declares nothing makes every struct one of which only the name is kept. No path,
# line or name of a parameter, so that each machine with this abidw writes the same bytes.
ABIDW = ("abidw", "--exported-interfaces-only", "--drop-private-types", "--no-architecture", "--no-corpus-path",
         "--no-comp-dir-path", "--no-show-locs", "--no-elf-needed", "--no-parameter-names", "--no-write-default-sizes")


def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)


def must(*argv: str | Path) -> str:
    done = run(*argv)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, argv))}\nended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def describe(library: Path) -> str:
    """The functions of a library and the types in their signatures, as XML."""
    with tempfile.TemporaryDirectory() as folder:
        nothing, out = Path(folder) / "nothing.h", Path(folder) / "out.abi"
        nothing.write_text("")
        must(*ABIDW, "--header-file", nothing, "--out-file", out, library)
        return re.sub(r"path='[^']*?(libshared/\w+/\w+\.c)'", r"path='\1'", out.read_text())


def numbers(include: Path) -> dict[str, str]:
    """Each constant of the public headers and its number, as the compiler sees them."""
    names = set()
    for header in include.rglob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
        for body in re.findall(r"\benum\s*\w*\s*\{(.*?)\}", text, re.DOTALL):
            names.update(re.findall(r"\bSHARED_\w+(?=\s*(?:=|,|$))", body))
    names -= {name for name in names if name.endswith("_COUNT")}  # the present length of a list, which grows
    source = "".join(f'printf("%s %lld\\n", "{name}", (long long){name});\n' for name in sorted(names))
    with tempfile.TemporaryDirectory() as folder:
        file, program = Path(folder) / "numbers.c", Path(folder) / "numbers"
        file.write_text(f"#include <stdio.h>\n#include <shared.h>\nint main(void) {{\n{source}return 0;\n}}\n")
        must("cc", f"-I{include}", file, "-o", program)
        return dict(line.split() for line in must(program).splitlines())


def differences(library: Path, committed: Path) -> str:
    """What abidiff says of removed and changed functions; empty when the library can take the old one's place."""
    with tempfile.TemporaryDirectory() as folder:
        present = Path(folder) / "present.abi"
        present.write_text(describe(library))
        done = run("abidiff", "--no-added-syms", committed, present)
    return done.stdout or f"abidiff ended with {done.returncode}" if done.returncode else ""


def number_differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    return [f"{name}: was {number}, is {new.get(name, 'gone')}" for name, number in old.items()
            if new.get(name) != number]


def mutant(folder: Path, archive: Path, top: Path, removed: str, changed: tuple[str, str] | None) -> Path:
    """The library again, linked without a name, or with base/version.c compiled from a changed text."""
    version_map, library, objects = folder / "mutant.map", folder / "libshared.so", []
    version_map.write_text((top / "libshared/shared.map").read_text().replace(f"    {removed};\n", ""))
    if changed:
        for part in ("include/shared/version.h", "libshared/base/version.c"):
            text = (top / part).read_text()
            if changed[0] not in text:
                sys.exit(f"{part} has no {changed[0]!r}: choose another function to change")
            file = folder / part
            file.parent.mkdir(parents=True)
            file.write_text(text.replace(*changed))
        objects = [folder / "version.o"]
        must("cc", "-std=c17", "-g", "-fPIC", "-D_GNU_SOURCE", f'-DSHARED_VERSION_TEXT="{RELEASE}"',
             f"-I{folder / 'include'}", f"-I{top / 'include'}", f"-I{top / 'libshared'}", "-c",
             folder / "libshared/base/version.c", "-o", objects[0])
    must("cc", "-shared", "-Wl,-soname,libshared.so.0", f"-Wl,--version-script,{version_map}", *objects,
         "-Wl,--allow-multiple-definition", "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive", "-o", library)
    return library


def check_mutants(archive: Path, top: Path, committed: Path) -> list[str]:
    """Each line: a fault that was built in and not found."""
    missed = []
    for what, removed, changed, sign in (
            ("nothing", "-", None, ""),
            ("a removed function", "shared_client_wake", None, "shared_client_wake"),
            ("a changed type", "-", ("uint32_t shared_version(", "uint64_t shared_version("), "shared_version")):
        with tempfile.TemporaryDirectory() as folder:
            said = differences(mutant(Path(folder), archive, top, removed, changed), committed)
        if bool(sign) != bool(said) or sign not in said:
            missed.append(f"{what}: the gate says {said!r}")
    first = {"SHARED_A": "1", "SHARED_B": "2"}
    if len(number_differences(first, {"SHARED_A": "3", "SHARED_C": "2"})) != 2:
        missed.append("a changed and a removed constant are not both told")
    return missed


def main() -> int:
    what, library, archive, top = sys.argv[1], *map(Path, sys.argv[2:5])
    committed = top / "tests/abi" / f"libshared-{RELEASE}.abi"
    counted = committed.with_suffix(".numbers")
    if what == "describe":
        committed.write_text(describe(library))
        counted.write_text("".join(f"{name} {number}\n" for name, number in numbers(top / "include").items()))
        print(f"{committed}\n{counted}")
        return 0
    if what == "mutants":
        found = check_mutants(archive, top, committed)
        print("\n".join(found) or "a removed and a changed function are both found, an unchanged library is not")
        return 1 if found else 0
    old = dict(line.split() for line in counted.read_text().splitlines())
    found = [text for text in [differences(library, committed)] if text]
    found += number_differences(old, numbers(top / "include"))
    print("\n".join(found) or f"compatible with {RELEASE}, {len(old)} constants")
    return 1 if found or not old else 0


if __name__ == "__main__":
    sys.exit(main())
