# SPDX-License-Identifier: MIT
"""Where a text is cut. That lex-intel-worker cuts alike is shown by tests/services, on 350 documents."""

from __future__ import annotations

import random

import pytest

from workers.chunks import Pages, cut


def pages_of(*texts: str) -> Pages:
    pages = Pages()
    for number, text in enumerate(texts, 1):
        pages.add(number, text)
    return pages


def test_a_short_text_is_one_chunk_without_blanks_at_its_ends() -> None:
    (chunk,) = cut(pages_of("  Hello.\n"), 100, 20)
    assert (chunk.content, chunk.start, chunk.end, chunk.page_from, chunk.page_to) == ("Hello.", 2, 8, 1, 1)


def test_a_blank_text_has_no_chunk() -> None:
    assert cut(pages_of(" \n", "\t"), 100, 20) == []


def test_a_citation_is_not_cut() -> None:
    text = "It was held in Smith v. Jones, 410 U.S. 113. Then another sentence follows here."
    assert cut(pages_of(text), 60, 0)[0].content == "It was held in Smith v. Jones, 410 U.S. 113."


def test_a_heading_begins_a_chunk_without_overlap() -> None:
    text = "Some words of a paragraph. More words.\n\nARTICLE 2 PRICE\n\nThe price is one. " + "And more. " * 5
    first, second, *_ = cut(pages_of(text), 60, 20)
    assert first.content.endswith("More words.") and second.content.startswith("ARTICLE 2 PRICE")


def test_a_chunk_knows_its_pages() -> None:
    (chunk,) = cut(pages_of("one", "two", "three"), 100, 10)
    assert chunk.content == "one\ftwo\fthree" and (chunk.page_from, chunk.page_to) == (1, 3)


@pytest.mark.parametrize("seed", range(20))
def test_chunks_are_substrings_and_leave_out_only_blanks(seed: int) -> None:
    drawn = random.Random(seed)
    pages = pages_of(*("".join(drawn.choices("ab. \n\u0301\u4e2dZ9(\"", k=drawn.randrange(400))) for _ in range(5)))
    text, covered = pages.text(), 0
    for chunk in cut(pages, drawn.randrange(30, 80), drawn.randrange(10)):
        assert text[chunk.start:chunk.end] == chunk.content and not text[covered:chunk.start].strip()
        covered = max(covered, chunk.end)
    assert not text[covered:].strip()
