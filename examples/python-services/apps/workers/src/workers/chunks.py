# SPDX-License-Identifier: MIT
"""Cuts a document's text into chunks by the rules of lex-intel-worker (apps/worker/chunk.h, boundary.h), so that it
does not matter which of them read a document. Each chunk is an exact substring; places count code points."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

NONE, WORD, LINE, SENTENCE, PARAGRAPH, HEADING = range(6)
BLANKS = " \n\t\f"
HEADING_BYTES_MAX = 120
ABBREVIATIONS = frozenset("""
    v vs no nos sec secs art arts cl p pp para inc co corp ltd jr sr mr mrs ms dr prof st e.g i.e cf id ibid al et etc
    supp rev stat ch vol ed eds cir ct app hon rep sen gov gen ex rel u.s f s.ct f.2d f.3d f.4th f.supp l.ed d.c n.y cal
    dist fed r civ crim""".split())  # noqa: SIM905  a table to read
CLAUSE = re.compile(r"([0-9.]+)(\)?) ")
TITLE = re.compile(r"(article|section|chapter|part|title|clause|exhibit|schedule|annex|appendix) ", re.I | re.ASCII)
BLANK_BEFORE = re.compile(r"(?<=[ \n\t\f])[^ \n\t\f]")


@dataclass
class Pages:
    """The whole text: pages in order, joined by one form feed."""

    parts: list[str] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)  # where each page begins
    numbers: list[int] = field(default_factory=list)
    size: int = 0
    byte_size: int = 0

    def add(self, number: int, text: str) -> None:
        self.size += bool(self.marks)
        self.marks.append(self.size)
        self.numbers.append(number)
        self.parts.append(text)
        self.size += len(text)
        self.byte_size += len(text.encode()) + 1

    def text(self) -> str:
        return "\f".join(self.parts)

    def page_of(self, place: int) -> int:
        return self.numbers[bisect_right(self.marks, place) - 1] if self.marks else 1


@dataclass(frozen=True)
class Chunk:
    content: str
    start: int
    end: int
    page_from: int
    page_to: int


def is_heading(line: str) -> bool:
    if not line or len(line.encode()) > HEADING_BYTES_MAX:
        return False
    return line[0] == "§" or is_clause(line) or is_titled(line) or is_capitals(line)


def is_clause(line: str) -> bool:
    """ "1. ", "1.2 ", "12.3) ": how clauses are numbered."""
    found = CLAUSE.match(line)
    if not found or not any("0" <= c <= "9" for c in found[1]):
        return False
    return "." in found[1] or bool(found[2])


def is_titled(line: str) -> bool:
    found = TITLE.match(line)
    return bool(found) and "A" <= line[0] <= "Z" and line[found.end():found.end() + 1].isascii() and \
        line[found.end():found.end() + 1].isalnum() and not line[found.end()].islower()


def is_capitals(line: str) -> bool:
    return not re.search("[a-z]", line) and len(re.findall("[A-Z]", line)) >= 4


def ends_sentence(text: str, place: int) -> bool:
    opening = text[place]
    if not ("A" <= opening <= "Z" or "0" <= opening <= "9" or opening >= "\x80" or opening in "\"('"):
        return False
    end = place
    while end and text[end - 1] in BLANKS:
        end -= 1
    while end and text[end - 1] in "\"')":
        end -= 1
    if not end or text[end - 1] not in ".!?":
        return False
    return text[end - 1] != "." or not is_abbreviation(text, end - 1)


def is_abbreviation(text: str, stop: int) -> bool:
    """The full stop belongs to an abbreviation or an initial."""
    start = stop
    while start and text[start - 1] not in BLANKS and text[start - 1] != "(":
        start -= 1
    word = text[start:stop]
    return (len(word) == 1 and "A" <= word <= "Z") or (word.isascii() and word.lower() in ABBREVIATIONS)


def ends_paragraph(text: str, place: int) -> bool:
    lines = 0
    while place and text[place - 1] in BLANKS:
        place -= 1
        if text[place] == "\f":
            return True
        lines += text[place] == "\n"
        if lines == 2:
            return True
    return False


def boundary_at(text: str, place: int) -> int:
    """How good the place before text[place] is for a cut."""
    before = text[place - 1]
    if before not in BLANKS or text[place] in BLANKS:
        return NONE
    line = before in "\n\f"
    if line and is_heading(re.split("[\n\f]", text[place:place + HEADING_BYTES_MAX + 1], maxsplit=1)[0]):
        return HEADING
    if ends_paragraph(text, place):
        return PARAGRAPH
    if ends_sentence(text, place):
        return SENTENCE
    return LINE if line else WORD


def is_combining(character: str) -> bool:
    return "\u0300" <= character <= "\u036f" or character == "\u200d"


def find_end(text: str, start: int, size: int) -> tuple[int, int]:
    """The best end for a chunk that starts at start, in its second half, and how good it is."""
    limit = start + size
    if limit >= len(text):
        return len(text), HEADING
    best: dict[int, int] = {}
    for found in BLANK_BEFORE.finditer(text, start + size // 2 + 1, limit + 1):
        best[boundary_at(text, found.start())] = found.start()
    if best:
        level = max(best)
        return best[level], level
    for place in range(limit, start + size // 2, -1):
        if not is_combining(text[place]):
            return place, NONE
    return limit, NONE


def find_overlap(text: str, start: int, end: int, overlap: int) -> int:
    """Where the next chunk starts: at most overlap before end, at a sentence if one starts there."""
    word, sentence = end, 0
    for place in range(end - 1, max(start, end - overlap - 1), -1):
        level = boundary_at(text, place)
        if level >= SENTENCE:
            sentence = place
        if level > NONE:
            word = place
    return sentence or word


def skip_blanks(text: str, place: int) -> int:
    while place < len(text) and text[place] in BLANKS:
        place += 1
    return place


def cut(pages: Pages, size: int, overlap: int) -> list[Chunk]:
    text, chunks = pages.text(), list[Chunk]()
    overlap = min(overlap, size // 3)  # with more, chunks would lie inside others
    start = skip_blanks(text, 0)
    while start < len(text):
        end, level = find_end(text, start, size)
        content = text[start:end].rstrip(BLANKS)
        last = start + len(content)
        chunks.append(Chunk(content, start, last, pages.page_of(start), pages.page_of(last - 1)))
        following = skip_blanks(text, end)
        if following >= len(text):
            break
        start = following if level == HEADING else find_overlap(text, start, following, overlap)
    return chunks
