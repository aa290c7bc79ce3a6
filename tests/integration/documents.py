# SPDX-License-Identifier: MIT
"""Documents put where the worker finds them, without a backend: a file below UPLOAD_DIR, a row, a task. For tests of
the worker alone; those of the whole way upload over HTTP."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import psycopg

from stack import LabStack, wait_until

TASK = "extract_text_from_document"
ROW = ("extraction_status", "page_count", "pages_failed", "error", "error_class", "error_code", "attempt")


@dataclass(frozen=True)
class Document:
    """A stored document and how to look at it."""

    stack: LabStack
    pg: psycopg.Connection
    id: str

    def row(self) -> dict[str, Any]:
        found = self.pg.execute(f"SELECT {', '.join(ROW)} FROM documents WHERE id = %s", [self.id]).fetchone()
        assert found, f"no document {self.id}"
        return dict(zip(ROW, found, strict=True))

    def ended(self, timeout: float = 60) -> dict[str, Any]:
        """The row, once it is completed or failed."""
        wait_until(lambda: self.row()["extraction_status"] in ("completed", "failed"), timeout,
                   f"{self.id} completed or failed")
        return self.row()

    def pages(self) -> list[tuple[int, str, str, str | None]]:
        return self.pg.execute("SELECT page, text, source, error FROM document_pages WHERE document_id = %s"
                               " ORDER BY page", [self.id]).fetchall()

    def text(self) -> str:
        """The whole text, as chunks count it: pages joined by form feeds."""
        return "\f".join(text for _, text, _, _ in self.pages())

    def chunks(self) -> list[tuple[int, str, int, int, int, int]]:
        return self.pg.execute("SELECT chunk_index, content, page_from, page_to, char_start, char_end"
                               " FROM document_chunks WHERE document_id = %s ORDER BY chunk_index",
                               [self.id]).fetchall()

    def assert_chunks_whole(self) -> None:
        """Chunks are numbered from 0 without a gap, are substrings at their place, and leave out only blanks."""
        text, covered = self.text(), 0
        for expected, (index, content, page_from, page_to, start, end) in enumerate(self.chunks()):
            assert index == expected
            assert text[start:end] == content
            assert 1 <= page_from <= page_to
            assert not text[covered:start].strip(), f"text before chunk {index} is in no chunk"
            covered = max(covered, end)
        assert not text[covered:].strip(), "text behind the last chunk is in no chunk"


def store(stack: LabStack, pg: psycopg.Connection, data: bytes, name: str = "file.pdf",
          document_id: str | None = None) -> Document:
    """A pending document that no task speaks of yet."""
    document_id = document_id or f"doc-{secrets.token_hex(6)}"
    (stack.uploads / document_id).write_bytes(data)
    pg.execute("INSERT INTO documents (id, file_name, file_path, byte_size) VALUES (%s, %s, %s, %s)",
               [document_id, name, document_id, len(data)])
    return Document(stack, pg, document_id)
