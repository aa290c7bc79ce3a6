# SPDX-License-Identifier: MIT
"""What comes in and goes out as JSON, checked by pydantic with the rules of the library and of SQL.

Made by libshared/model/models.py from libshared/model/models.txt: change that, run it.
"""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Case", "CaseChange", "CaseCreate", "Document", "DocumentChunk", "DocumentPage", "ErrorBody",
           "ExtractionJob", "ExtractionResult", "LogLine", "Progress"]


class Schema(BaseModel):
    """Unknown names are refused, objects of shared.models are read."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class Case(Schema):
    """A matter that documents belong to."""

    id: str | None = Field(
        None, min_length=1, max_length=255,
        description="Any text: 'case-123' is valid; a UUIDv7 when absent.")
    title: str = Field(..., min_length=1, max_length=255, description="Name of the matter.")
    description: str | None = Field(None, max_length=10000, description="What it is about.")
    created_at: datetime.datetime | None = Field(None, description="When the row was first stored.")
    updated_at: datetime.datetime | None = Field(None, description="When the row was last changed.")


class CaseCreate(Schema):
    """A case to be made."""

    id: str | None = Field(
        None, min_length=1, max_length=255,
        description="Any text: 'case-123' is valid; a UUIDv7 when absent.")
    title: str = Field(..., min_length=1, max_length=255, description="Name of the matter.")
    description: str | None = Field(None, max_length=10000, description="What it is about.")


class CaseChange(Schema):
    """What is to change of a case."""

    title: str | None = Field(None, min_length=1, max_length=255, description="Name of the matter.")
    description: str | None = Field(None, max_length=10000, description="What it is about.")


class Document(Schema):
    """An uploaded file and how far its extraction has come."""

    id: str | None = Field(
        None, min_length=1, max_length=255,
        description="Any text: 'doc-123' is valid; a UUIDv7 when absent.")
    case_id: str | None = Field(None, description="Matter the file belongs to.")
    file_name: str = Field(..., min_length=1, max_length=255, description="Name given by the client, never a path.")
    content_type: str | None = Field(None, max_length=255, description="Type given by the client, never trusted.")
    byte_size: int | None = Field(None, ge=0, description="Size of the upload in bytes.")
    sha256: str | None = Field(None, min_length=64, max_length=64, description="Digest of the upload, hexadecimal.")
    file_path: str | None = Field(None, max_length=4096, description="Where the file is, below UPLOAD_DIR.")
    extraction_status: Literal["pending", "processing", "completed", "failed"] = Field(
        "pending",
        description="Changed by the worker alone.")
    page_count: int | None = Field(None, ge=0, description="Pages read, not pages promised.")
    pages_failed: int = Field(0, ge=0, description="Pages that could not be read.")
    error: str | None = Field(None, max_length=2000, description="Why it failed, a sentence for a person.")
    error_class: Literal["permanent", "retryable"] | None = Field(None, description="Whether trying again may help.")
    error_code: str | None = Field(
        None, max_length=64,
        description="The reason as a stable word: password_required, ...")
    attempt: int = Field(0, ge=0, description="Fence: which run of the extraction may write.")
    created_at: datetime.datetime | None = Field(None, description="When the row was first stored.")
    updated_at: datetime.datetime | None = Field(None, description="When the row was last changed.")


class DocumentPage(Schema):
    """One page's text: the checkpoint of an extraction."""

    document_id: str | None = Field(None, description="Document the page belongs to.")
    page: int | None = Field(None, ge=1, description="Page number, from 1.")
    text: str = Field(..., description="Its text in normal form; empty when failed.")
    source: Literal["text", "ocr", "failed"] = Field(..., description="Where the text came from.")
    error: str | None = Field(None, max_length=2000, description="Why the page failed, a sentence.")


class DocumentChunk(Schema):
    """A piece of a document's text, fit for search."""

    id: str | None = Field(None, min_length=1, max_length=255, description="A UUIDv7 when absent.")
    document_id: str = Field(..., description="Document the chunk belongs to.")
    chunk_index: int = Field(..., ge=0, description="Position in the document, from 0.")
    content: str = Field(..., min_length=1, description="An exact substring of the document's text.")
    page_from: int | None = Field(None, ge=1, description="Page of its first character.")
    page_to: int | None = Field(None, ge=1, description="Page of its last character.")
    char_start: int | None = Field(None, ge=0, description="First character, in code points of the whole text.")
    char_end: int | None = Field(None, ge=0, description="Behind the last character.")
    created_at: datetime.datetime | None = Field(None, description="When the row was stored.")


class Progress(Schema):
    """What a worker says and a listener hears."""

    progress: int = Field(..., ge=0, le=100, description="Percent.")
    step: str = Field(
        ..., min_length=1, max_length=64,
        description="starting, extracting, chunking, storing, completed or failed.")
    message: str = Field(..., max_length=2000, description="A sentence for a person.")


class ExtractionJob(Schema):
    """Payload of the task extract_text_from_document."""

    document_id: str = Field(..., min_length=1, max_length=255, description="Document to read.")


class ErrorBody(Schema):
    """Body of an HTTP error."""

    detail: str = Field(..., description="What went wrong, a sentence.")


class ExtractionResult(Schema):
    """What extract_text_from_document returns."""

    document_id: str = Field(..., min_length=1, max_length=255, description="Document that was read.")
    extraction_status: Literal["pending", "processing", "completed", "failed"] = Field(..., description="completed.")
    page_count: int = Field(..., ge=0, description="Pages read.")
    pages_failed: int = Field(..., ge=0, description="Pages that could not be read.")
    chunk_count: int = Field(..., ge=0, description="Chunks stored.")


class LogLine(Schema):
    """A captured line of the log; its JSON has the pairs of context too."""

    time: datetime.datetime = Field(..., description="When it was written.")
    level: Literal["debug", "info", "warning", "error"] = Field(..., description="The word of its level.")
    logger: str = Field(..., max_length=128, description="Name of the logger.")
    message: str = Field(..., max_length=2048, description="What it says.")
    lost: int | None = Field(None, ge=0, description="Lines lost before this one.")
