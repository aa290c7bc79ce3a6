# SPDX-License-Identifier: MIT
"""Re-exports: `from app.models import Document` goes on working."""

from shared.models import Case, Document, DocumentChunk, DocumentPage

__all__ = ["Case", "Document", "DocumentChunk", "DocumentPage"]
