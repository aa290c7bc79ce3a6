# SPDX-License-Identifier: MIT
"""Fixtures of the worker's tests. They run against the servers that DATABASE_URL and REDIS_URL name, and call the task
themselves: no worker needs to run."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import src.celery_app  # noqa: F401  sets the path of lib and workers
from shared.config import settings
from shared.database import async_session
from shared.models import Document


@pytest.fixture
def stored() -> Callable[[bytes], Awaitable[Document]]:
    """Puts a file and its row where the worker finds them."""
    async def store(data: bytes) -> Document:
        name = f"test-{secrets.token_hex(8)}"
        (Path(str(settings.UPLOAD_DIR)) / name).write_bytes(data)
        async with async_session() as db:
            document = Document(id=name, file_name=f"{name}.txt", file_path=name, byte_size=len(data))
            db.add(document)
            await db.commit()
        return document
    return store
