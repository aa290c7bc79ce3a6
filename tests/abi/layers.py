# SPDX-License-Identifier: MIT
"""Who may include whom: the folders of libshared in their order, programs the public header and their own folder,
foreign libraries only where they are hidden. And each source stands in a list of meson.build. Argument: the top."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ORDER = ("base", "model", "net", "session", "progress", "queue")  # left never includes right
# Foreign header -> the files that may know it.
HIDDEN = {
    r"libpq|postgres_ext\.h": r"libshared/net/",
    r"hiredis/": r"libshared/net/redis.*\.[ch]",
    r"jansson\.h": r"libshared/(model/json|queue/celery)\.c",
    r"openssl/": r"libshared/net/|apps/backend/|apps/worker/",
    r"microhttpd\.h": r"apps/backend/",
    r"fpdf|pdfium": r"apps/extract/",
}
# What two programs share: apps/common/, and the frames between worker and helper.
APPS_SHARE = {"beneath.h", "frame.h", "loop.h"}


def includes(path: Path) -> list[tuple[int, str, str]]:
    """Line, quote or bracket, name."""
    pattern = re.compile(r'\s*#\s*include\s*(["<])([^">]+)')
    lines = enumerate(path.read_text().splitlines(), 1)
    return [(number, *match.groups()) for number, line in lines if (match := pattern.match(line))]


def library_complaint(name: str, path: Path, quote: str, included: str) -> str | None:
    """A file of libshared: "folder/file.h" leftward or of its own, <shared/...>, what is foreign."""
    folder, target = path.parent.name, included.split("/")[0]
    if quote == "<":
        return f"{name}: <shared.h> is for users; include the noun" if included == "shared.h" else None
    if target not in ORDER or "/" not in included:
        return f'{name}: "{included}" is not "folder/file.h"'
    if ORDER.index(target) > ORDER.index(folder):
        return f'{name}: {folder}/ must not include {target}/ ("{included}")'
    return None


def app_complaint(name: str, path: Path, quote: str, included: str) -> str | None:
    """A file of a program: <shared.h> and its own folder, so that the product proves the API."""
    own = path.parent.name
    if quote == "<":
        allowed = not included.startswith("shared/") or included == "shared/typed.h"
        allowed = allowed and not (own == "extract" and included == "shared.h")
        return None if allowed else f"{name}: <{included}>, a program includes <shared.h>, extract nothing of it"
    if (path.parent / included).resolve().parent == path.parent or Path(included).name in APPS_SHARE:
        return None
    return f'{name}: "{included}" is not of its own folder'


def hidden_complaint(name: str, included: str) -> str | None:
    for header, allowed in HIDDEN.items():
        if re.match(header, included) and not re.match(allowed, name):
            return f"{name}: <{included}> is known to {allowed} alone"
    return None


def unlisted(top: Path) -> list[str | None]:
    """Sources that libshared/meson.build does not name: nobody would compile them."""
    text = (top / "libshared" / "meson.build").read_text()
    found: list[str | None] = []
    for folder in ORDER:
        listed = re.search(rf"'{folder}': \[(.*?)\]", text, re.DOTALL)
        names = set(re.findall(r"'(\w+)'", listed.group(1))) if listed else set()
        there = {path.stem for path in (top / "libshared" / folder).glob("*.c")}
        found += [f"libshared/{folder}/{name}.c: not in libshared/meson.build" for name in sorted(there - names)]
    return found


def main() -> int:
    top = Path(sys.argv[1]).resolve()
    found = unlisted(top)
    sources = [path for folder in ("libshared", "apps") for path in sorted((top / folder).rglob("*.[ch]"))]
    for path in sources:
        name = str(path.relative_to(top))
        check = library_complaint if name.startswith("libshared/") else app_complaint
        for number, quote, included in includes(path):
            found += [check(f"{name}:{number}", path, quote, included), hidden_complaint(name, included)]
    complaints = [text for text in found if text]
    print("\n".join(complaints) or f"{len(sources)} files keep the order")
    return 1 if complaints or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
