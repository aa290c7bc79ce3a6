# SPDX-License-Identifier: MIT
"""Writes PDF files with known text, whole and broken in known ways. Never reads one: that is the extractor's job."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Sequence

LINE_HEIGHT = 14


def page_text(number: int, line_count: int = 40) -> str:
    """The text of page `number` (from 1) of pdf_numbered(): lines that no other page has."""
    lines = [f"Page {number}"]
    lines += [f"Page {number} line {line}: the party of part {number * 1000 + line} agrees."
              for line in range(1, line_count)]
    return "\n".join(lines)


def pdf_numbered(page_count: int, line_count: int = 40) -> bytes:
    """A document of page_count pages, page n bearing page_text(n)."""
    return pdf_make([page_text(number, line_count) for number in range(1, page_count + 1)])


def pdf_make(pages: Sequence[str]) -> bytes:
    """A document with these texts, one a page (Latin-1; a line of a text is a line of the page)."""
    return assemble([stream(content(text)) for text in pages])


def pdf_encrypted(data: bytes, user_password: str = "secret") -> bytes:
    """Cannot be opened without the password."""
    return encrypt(data, user_password, "owner")


def pdf_owner_only(data: bytes) -> bytes:
    """Opens without a password; only changing it needs one."""
    return encrypt(data, "", "owner")


def pdf_cut(data: bytes, keep: float = 0.3) -> bytes:
    """The start of a document, as an upload that broke off."""
    return data[: int(len(data) * keep)]


def pdf_empty() -> bytes:
    """A valid document with no page."""
    return assemble([])


def pdf_lost_pages(page_count: int, lost: Iterable[int]) -> bytes:
    """A document whose pages `lost` (from 1) are not there: each is a reference to nothing."""
    return assemble([stream(content(page_text(number))) for number in range(1, page_count + 1)], lost=set(lost))


def pdf_lying_count(page_count: int, claimed: int) -> bytes:
    """A document that claims another number of pages than it has."""
    return assemble([stream(content(page_text(number))) for number in range(1, page_count + 1)], claimed=claimed)


def pdf_endless(good_pages: int = 0, depth: int = 12, width: int = 20) -> bytes:
    """A page drawn width**depth times by forms within forms: nobody waits for its end. Good pages come before it."""
    return assemble([stream(content(page_text(number))) for number in range(1, good_pages + 1)],
                    bomb=(depth, width))


# -- how it is done ------------------------------------------------------------------------------------------------


def content(text: str) -> bytes:
    """Drawing instructions for the lines of a page."""
    lines = [line.encode("latin-1") for line in text.split("\n")]
    escaped = [line.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)") for line in lines]
    shown = b"".join(b"(" + line + b") Tj T*\n" for line in escaped)
    return b"BT /F1 10 Tf %d TL 50 780 Td\n" % LINE_HEIGHT + shown + b"ET"


def stream(data: bytes, entries: bytes = b"") -> bytes:
    packed = zlib.compress(data)
    return b"<< /Length %d /Filter /FlateDecode %s >>\nstream\n%s\nendstream" % (len(packed), entries, packed)


def forms(first: int, depth: int, width: int) -> list[bytes]:
    """Form objects first..first+depth-1: each draws the next `width` times, the last one draws a word."""
    made = []
    for level in range(depth):
        last = level == depth - 1
        drawing = b"BT /F1 1 Tf (x) Tj ET" if last else b"/N Do " * width
        inner = b"/Font << /F1 3 0 R >>" if last else b"/XObject << /N %d 0 R >>" % (first + level + 1)
        entries = b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << %s >>" % inner
        made.append(stream(drawing, entries))
    return made


def assemble(contents: Sequence[bytes], *, lost: set[int] | None = None, claimed: int | None = None,
             bomb: tuple[int, int] | None = None) -> bytes:
    """Objects 1 catalogue, 2 page tree, 3 font, then page and content in turn, then the forms of a bomb."""
    lost = lost or set()
    contents = [*contents, stream(b"/N Do")] if bomb else list(contents)
    kids = [4 + 2 * index for index in range(len(contents))]
    forms_first = 4 + 2 * len(contents)
    objects: dict[int, bytes] = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Count %d /Kids [%s] >>"
           % (len(kids) if claimed is None else claimed, b" ".join(b"%d 0 R" % kid for kid in kids)),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    }
    for number, (kid, body) in enumerate(zip(kids, contents, strict=True), 1):
        if number not in lost:
            form = b"/XObject << /N %d 0 R >>" % forms_first if bomb else b""
            objects[kid] = (b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
                            b"/Resources << /Font << /F1 3 0 R >> %s >> >>" % (kid + 1, form))
        objects[kid + 1] = body
    if bomb:
        objects |= dict(enumerate(forms(forms_first, *bomb), forms_first))
    return serialise(objects)


def serialise(objects: dict[int, bytes]) -> bytes:
    """The file: objects, the table of where each begins (absent ones are marked free), the trailer."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    size = max(objects) + 1
    table = [b"0000000000 65535 f \n"] * size
    for number, body in sorted(objects.items()):
        table[number] = b"%010d 00000 n \n" % len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n%s" % (size, b"".join(table))
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
    return bytes(out)


def encrypt(data: bytes, user_password: str, owner_password: str) -> bytes:
    import pypdf  # not where the Python binding's tests run

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt(user_password, owner_password, algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
