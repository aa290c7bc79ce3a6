# SPDX-License-Identifier: MIT
"""Fixtures of the backend's tests. They run against the servers that DATABASE_URL and REDIS_URL name."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from app.database import async_session
from app.main import app
from app.models import Document


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """The application itself, without a socket; tasks of its commits are sent."""
    transport = httpx.ASGITransport(app)
    async with (app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://test") as client):
        yield client


@pytest.fixture
async def test_document() -> AsyncIterator[Document]:
    """Create test document"""
    async with async_session() as db:
        doc = Document(file_name="fixture.txt")
        db.add(doc)
        await db.commit()
        yield doc
        await db.delete(doc)
        await db.commit()
