# SPDX-License-Identifier: MIT
"""What comes in and goes out as JSON, checked by pydantic with the rules of the library and of SQL.

Made by libshared/model/models.py from libshared/model/models.txt: change that, run it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .schema_types import Given, Integer, Schema, Text, Time

__all__ = ["Case", "CaseChange", "CaseCreate", "Document", "DocumentChunk", "DocumentPage", "ErrorBody",
           "ExtractionJob", "ExtractionResult", "LogLine", "Progress"]


class Case(Schema):
    """A matter that documents belong to."""

    id: Annotated[Annotated[str, Text(min_length=1, max_length=255)] | None, Given()] = Field(
        None,
        description="Any text: 'case-123' is valid; a UUIDv7 when absent.")
    title: Annotated[str, Text(min_length=1, max_length=255)] = Field(..., description="Name of the matter.")
    description: Annotated[str, Text(max_length=10000)] | None = Field(None, description="What it is about.")
    created_at: Annotated[Time | None, Given()] = Field(None, description="When the row was first stored.")
    updated_at: Annotated[Time | None, Given()] = Field(None, description="When the row was last changed.")


class CaseCreate(Schema):
    """A case to be made."""

    id: Annotated[Annotated[str, Text(min_length=1, max_length=255)] | None, Given()] = Field(
        None,
        description="Any text: 'case-123' is valid; a UUIDv7 when absent.")
    title: Annotated[str, Text(min_length=1, max_length=255)] = Field(..., description="Name of the matter.")
    description: Annotated[str, Text(max_length=10000)] | None = Field(None, description="What it is about.")


class CaseChange(Schema):
    """What is to change of a case."""

    title: Annotated[Annotated[str, Text(min_length=1, max_length=255)] | None, Given()] = Field(
        None,
        description="Name of the matter.")
    description: Annotated[str, Text(max_length=10000)] | None = Field(None, description="What it is about.")


class Document(Schema):
    """An uploaded file and how far its extraction has come."""

    id: Annotated[Annotated[str, Text(min_length=1, max_length=255)] | None, Given()] = Field(
        None,
        description="Any text: 'doc-123' is valid; a UUIDv7 when absent.")
    case_id: Annotated[str, Text()] | None = Field(None, description="Matter the file belongs to.")
    file_name: Annotated[str, Text(min_length=1, max_length=255)] = Field(
        ...,
        description="Name given by the client, never a path.")
    content_type: Annotated[str, Text(max_length=255)] | None = Field(
        None,
        description="Type given by the client, never trusted.")
    byte_size: Integer | None = Field(None, ge=0, le=9223372036854775807, description="Size of the upload in bytes.")
    sha256: Annotated[str, Text(min_length=64, max_length=64)] | None = Field(
        None,
        description="Digest of the upload, hexadecimal.")
    file_path: Annotated[str, Text(max_length=4096)] | None = Field(
        None,
        description="Where the file is, below UPLOAD_DIR.")
    extraction_status: Literal["pending", "processing", "completed", "failed"] = Field(
        "pending",
        description="Changed by the worker alone.")
    page_count: Integer | None = Field(None, ge=0, le=2147483647, description="Pages read, not pages promised.")
    pages_failed: Integer = Field(0, ge=0, le=2147483647, description="Pages that could not be read.")
    error: Annotated[str, Text(max_length=2000)] | None = Field(
        None,
        description="Why it failed, a sentence for a person.")
    error_class: Literal["permanent", "retryable"] | None = Field(None, description="Whether trying again may help.")
    error_code: Annotated[str, Text(max_length=64)] | None = Field(
        None,
        description="The reason as a stable word: password_required, ...")
    attempt: Integer = Field(0, ge=0, le=2147483647, description="Fence: which run of the extraction may write.")
    created_at: Annotated[Time | None, Given()] = Field(None, description="When the row was first stored.")
    updated_at: Annotated[Time | None, Given()] = Field(None, description="When the row was last changed.")


class DocumentPage(Schema):
    """One page's text: the checkpoint of an extraction."""

    document_id: Annotated[Annotated[str, Text()] | None, Given()] = Field(
        None,
        description="Document the page belongs to.")
    page: Annotated[Integer | None, Given()] = Field(None, ge=1, le=2147483647, description="Page number, from 1.")
    text: Annotated[str, Text()] = Field(..., description="Its text in normal form; empty when failed.")
    source: Literal["text", "ocr", "failed"] = Field(..., description="Where the text came from.")
    error: Annotated[str, Text(max_length=2000)] | None = Field(None, description="Why the page failed, a sentence.")


class DocumentChunk(Schema):
    """A piece of a document's text, fit for search."""

    id: Annotated[Annotated[str, Text(min_length=1, max_length=255)] | None, Given()] = Field(
        None,
        description="A UUIDv7 when absent.")
    document_id: Annotated[str, Text()] = Field(..., description="Document the chunk belongs to.")
    chunk_index: Integer = Field(..., ge=0, le=2147483647, description="Position in the document, from 0.")
    content: Annotated[str, Text(min_length=1)] = Field(..., description="An exact substring of the document's text.")
    page_from: Integer | None = Field(None, ge=1, le=2147483647, description="Page of its first character.")
    page_to: Integer | None = Field(None, ge=1, le=2147483647, description="Page of its last character.")
    char_start: Integer | None = Field(
        None, ge=0, le=9223372036854775807,
        description="First character, in code points of the whole text.")
    char_end: Integer | None = Field(None, ge=0, le=9223372036854775807, description="Behind the last character.")
    created_at: Annotated[Time | None, Given()] = Field(None, description="When the row was stored.")


class Progress(Schema):
    """What a worker says and a listener hears."""

    progress: Integer = Field(..., ge=0, le=100, description="Percent.")
    step: Annotated[str, Text(min_length=1, max_length=64)] = Field(
        ...,
        description="starting, extracting, chunking, storing, completed or failed.")
    message: Annotated[str, Text(max_length=2000)] = Field(..., description="A sentence for a person.")


class ExtractionJob(Schema):
    """Payload of the task extract_text_from_document."""

    document_id: Annotated[str, Text(min_length=1, max_length=255)] = Field(..., description="Document to read.")


class ErrorBody(Schema):
    """Body of an HTTP error."""

    detail: Annotated[str, Text()] = Field(..., description="What went wrong, a sentence.")


class ExtractionResult(Schema):
    """What extract_text_from_document returns."""

    document_id: Annotated[str, Text(min_length=1, max_length=255)] = Field(..., description="Document that was read.")
    extraction_status: Literal["pending", "processing", "completed", "failed"] = Field(..., description="completed.")
    page_count: Integer = Field(..., ge=0, le=2147483647, description="Pages read.")
    pages_failed: Integer = Field(..., ge=0, le=2147483647, description="Pages that could not be read.")
    chunk_count: Integer = Field(..., ge=0, le=2147483647, description="Chunks stored.")


class LogLine(Schema):
    """A captured line of the log; its JSON has the pairs of context too."""

    time: Time = Field(..., description="When it was written.")
    level: Literal["debug", "info", "warning", "error"] = Field(..., description="The word of its level.")
    logger: Annotated[str, Text(max_length=128)] = Field(..., description="Name of the logger.")
    message: Annotated[str, Text(max_length=2048)] = Field(..., description="What it says.")
    lost: Integer | None = Field(None, ge=0, le=9223372036854775807, description="Lines lost before this one.")
