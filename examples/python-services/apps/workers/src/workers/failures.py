# SPDX-License-Identifier: MIT
"""Why a document could not be read: a word for programs, a sentence for a person, as lex-intel-worker has them."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import PermanentError, RetryableError, SharedError, classify

SENTENCES = {
    "password_required": "This file is protected by a password. Upload a copy that opens without one.",
    "file_damaged": "This file is damaged and cannot be read.",
    "type_unsupported": "Files of this type cannot be read.",
    "too_large": "This document holds more text than is allowed.",
    "too_many_pages": "This document has more pages than are allowed.",
    "page_timeout": "Reading a page of this document took longer than is allowed.",
    "total_timeout": "Reading this document took longer than is allowed.",
    "extractor_killed": "Reading this document ended the reader three times; it may be damaged or made to do harm.",
    "file_missing": "The file of this document is no longer stored.",
    "internal": "The document could not be read because of a fault on our side.",
}


class DocumentError(PermanentError):
    """The document's own fault; `code` is a key of SENTENCES."""

    def __init__(self, code: str, sentence: str = "") -> None:
        super().__init__(sentence or SENTENCES[code])
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.code, self.message)


class ReaderError(RetryableError):
    """The fault is ours: the program that reads documents is absent, or has no sandbox."""


@dataclass(frozen=True)
class Failure:
    error: str
    error_class: str
    error_code: str


def sentence_of(error: Exception) -> str:
    """For whoever watches. What a program's fault says is for the log."""
    return str(error) if isinstance(error, SharedError) else SENTENCES["internal"]


def failure_of(error: Exception) -> Failure:
    """As it stands in the row."""
    code = error.code if isinstance(error, DocumentError) else "internal"
    return Failure(sentence_of(error)[:2000], classify(error), code)
