# SPDX-License-Identifier: MIT
"""Writes page_files.c: the files of web/ and the components of /openapi.json as C arrays, each file with its digest.
Called by meson: embed.py OUTPUT COMPONENTS FILE..."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".ico": "image/x-icon",
         ".png": "image/png", ".webmanifest": "application/manifest+json"}


def array(content: bytes) -> str:
    """The bytes as numbers, 24 a line: a string literal this long is more than C17 promises to take."""
    rows = [", ".join(map(str, content[i:i + 24])) for i in range(0, len(content), 24)]
    return ",\n    ".join(rows)


def main(output: str, components: str, *files: str) -> None:
    parts = ["/* Made by embed.py. */", '#include "page.h"', ""]
    rows = []
    for number, file in enumerate(map(Path, files)):
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:32]
        parts.append(f"static const unsigned char file_{number}[] = {{\n    {array(content)}}};")
        rows.append(f'    {{"{file.name}", "{TYPES[file.suffix]}", "\\"{digest}\\"", file_{number}, {len(content)}}},')
    schemas = json.dumps(json.loads(Path(components).read_text()), separators=(",", ":")).encode()
    parts += ["", "const struct page_file page_files[] = {", *rows, "};",
              "const size_t page_file_count = sizeof page_files / sizeof *page_files;", "",
              f"const char page_components[] = {{\n    {array(schemas)}}};",
              "const size_t page_components_size = sizeof page_components;", ""]
    Path(output).write_text("\n".join(parts))


if __name__ == "__main__":
    main(*sys.argv[1:])
