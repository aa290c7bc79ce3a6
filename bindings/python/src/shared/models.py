# SPDX-License-Identifier: MIT
"""The rows that services share: cases, documents, their pages and chunks.

Made by libshared/model/models.py from libshared/model/models.txt: change that, run it.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Literal

from .model import Model
from .query import Column

__all__ = ["Case", "Document", "DocumentChunk", "DocumentPage"]


class Case(Model):
    """A matter that documents belong to."""

    __tablename__ = "cases"
    _number = 1

    id: Column[str] = Column("id", "text", True, 0)
    """Any text: "case-123" is valid; a UUIDv7 when absent."""
    title: Column[str] = Column("title", "text", False, 1)
    """Name of the matter."""
    description: Column[str | None] = Column("description", "text", False, 2)
    """What it is about."""
    created_at: Column[datetime.datetime] = Column("created_at", "time", False, 3)
    """When the row was first stored."""
    updated_at: Column[datetime.datetime] = Column("updated_at", "time", False, 4)
    """When the row was last changed."""

    if TYPE_CHECKING:

        def __init__(
            self, *,
            id: str = ...,
            title: str = ...,
            description: str | None = ...,
            created_at: datetime.datetime = ...,
            updated_at: datetime.datetime = ...,
        ) -> None: ...


class Document(Model):
    """An uploaded file and how far its extraction has come."""

    __tablename__ = "documents"
    _number = 2

    id: Column[str] = Column("id", "text", True, 0)
    """Any text: "doc-123" is valid; a UUIDv7 when absent."""
    case_id: Column[str | None] = Column("case_id", "text", False, 1)
    """Matter the file belongs to."""
    file_name: Column[str] = Column("file_name", "text", False, 2)
    """Name given by the client, never a path."""
    content_type: Column[str | None] = Column("content_type", "text", False, 3)
    """Type given by the client, never trusted."""
    byte_size: Column[int | None] = Column("byte_size", "int", False, 4)
    """Size of the upload in bytes."""
    sha256: Column[str | None] = Column("sha256", "text", False, 5)
    """Digest of the upload, hexadecimal."""
    file_path: Column[str | None] = Column("file_path", "text", False, 6)
    """Where the file is, below UPLOAD_DIR."""
    extraction_status: Column[
        Literal["pending", "processing", "completed", "failed"]] = Column("extraction_status", "text", False, 7)
    """Changed by the worker alone."""
    page_count: Column[int | None] = Column("page_count", "int", False, 8)
    """Pages read, not pages promised."""
    pages_failed: Column[int] = Column("pages_failed", "int", False, 9)
    """Pages that could not be read."""
    error: Column[str | None] = Column("error", "text", False, 10)
    """Why it failed, a sentence for a person."""
    error_class: Column[Literal["permanent", "retryable"] | None] = Column("error_class", "text", False, 11)
    """Whether trying again may help."""
    error_code: Column[str | None] = Column("error_code", "text", False, 12)
    """The reason as a stable word: password_required, ..."""
    attempt: Column[int] = Column("attempt", "int", False, 13)
    """Fence: which run of the extraction may write."""
    created_at: Column[datetime.datetime] = Column("created_at", "time", False, 14)
    """When the row was first stored."""
    updated_at: Column[datetime.datetime] = Column("updated_at", "time", False, 15)
    """When the row was last changed."""

    if TYPE_CHECKING:

        def __init__(
            self, *,
            id: str = ...,
            case_id: str | None = ...,
            file_name: str = ...,
            content_type: str | None = ...,
            byte_size: int | None = ...,
            sha256: str | None = ...,
            file_path: str | None = ...,
            extraction_status: Literal["pending", "processing", "completed", "failed"] = ...,
            page_count: int | None = ...,
            pages_failed: int = ...,
            error: str | None = ...,
            error_class: Literal["permanent", "retryable"] | None = ...,
            error_code: str | None = ...,
            attempt: int = ...,
            created_at: datetime.datetime = ...,
            updated_at: datetime.datetime = ...,
        ) -> None: ...


class DocumentPage(Model):
    """One page's text: the checkpoint of an extraction."""

    __tablename__ = "document_pages"
    _number = 3

    document_id: Column[str] = Column("document_id", "text", True, 0)
    """Document the page belongs to."""
    page: Column[int] = Column("page", "int", True, 1)
    """Page number, from 1."""
    text: Column[str] = Column("text", "text", False, 2)
    """Its text in normal form; empty when failed."""
    source: Column[Literal["text", "ocr", "failed"]] = Column("source", "text", False, 3)
    """Where the text came from."""
    error: Column[str | None] = Column("error", "text", False, 4)
    """Why the page failed, a sentence."""

    if TYPE_CHECKING:

        def __init__(
            self, *,
            document_id: str = ...,
            page: int = ...,
            text: str = ...,
            source: Literal["text", "ocr", "failed"] = ...,
            error: str | None = ...,
        ) -> None: ...


class DocumentChunk(Model):
    """A piece of a document's text, fit for search."""

    __tablename__ = "document_chunks"
    _number = 4

    id: Column[str] = Column("id", "text", True, 0)
    """A UUIDv7 when absent."""
    document_id: Column[str] = Column("document_id", "text", False, 1)
    """Document the chunk belongs to."""
    chunk_index: Column[int] = Column("chunk_index", "int", False, 2)
    """Position in the document, from 0."""
    content: Column[str] = Column("content", "text", False, 3)
    """An exact substring of the document's text."""
    page_from: Column[int | None] = Column("page_from", "int", False, 4)
    """Page of its first character."""
    page_to: Column[int | None] = Column("page_to", "int", False, 5)
    """Page of its last character."""
    char_start: Column[int | None] = Column("char_start", "int", False, 6)
    """First character, in code points of the whole text."""
    char_end: Column[int | None] = Column("char_end", "int", False, 7)
    """Behind the last character."""
    created_at: Column[datetime.datetime] = Column("created_at", "time", False, 8)
    """When the row was stored."""

    if TYPE_CHECKING:

        def __init__(
            self, *,
            id: str = ...,
            document_id: str = ...,
            chunk_index: int = ...,
            content: str = ...,
            page_from: int | None = ...,
            page_to: int | None = ...,
            char_start: int | None = ...,
            char_end: int | None = ...,
            created_at: datetime.datetime = ...,
        ) -> None: ...
