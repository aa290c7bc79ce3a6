# SPDX-License-Identifier: MIT
"""Files below UPLOAD_DIR, where both kinds of worker look for them: ab/abcdef..., named by their SHA-256, shared by
documents of one content. Never uses a name that a client gave."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import HTTPException, UploadFile

from app.config import settings
from app.database import AsyncSession, text

PIECE_BYTES = 1 << 20
# The locks of lex-intel-backend (keep.c, release.c): who removes a file waits for those who are about to use it.
USE = text("SELECT pg_advisory_xact_lock_shared(hashtextextended(:path, 0))")
REMOVE = text("SELECT pg_advisory_xact_lock(hashtextextended(:path, 0))")
WANTED = text("SELECT EXISTS (SELECT FROM documents WHERE sha256 = :sha256 AND file_path = :path)")


class Upload:
    """A file that has come in whole, under no name yet."""

    def __init__(self, temporary: Path, sha256: str, byte_size: int) -> None:
        self.temporary, self.sha256, self.byte_size = temporary, sha256, byte_size
        self.path = f"{sha256[:2]}/{sha256}"  # below UPLOAD_DIR

    async def keep(self, db: AsyncSession) -> None:
        """Gives it its name, inside the transaction that stores its document."""
        await db.execute(USE, {"path": self.path})
        target = root() / self.path
        target.parent.mkdir(mode=0o700, exist_ok=True)
        self.temporary.rename(target)

    async def release(self, db: AsyncSession) -> None:
        """Removes it unless a document has it: after a commit that failed."""
        names = {"path": self.path, "sha256": self.sha256}
        await db.execute(REMOVE, {"path": self.path})
        if not await db.scalar(WANTED, names):
            (root() / self.path).unlink(missing_ok=True)
        await db.commit()


def root() -> Path:
    return Path(str(settings.UPLOAD_DIR))


@asynccontextmanager
async def received(upload: UploadFile) -> AsyncIterator[Upload]:
    """Copies an upload, hashed on the way and synced; what was not kept is removed."""
    most = int(settings.MAX_UPLOAD_BYTES)
    temporary = root() / "tmp" / secrets.token_hex(16)
    temporary.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    try:
        with open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            while piece := await upload.read(PIECE_BYTES):
                size += len(piece)
                if size > most:
                    raise HTTPException(413, f"The file is larger than {most} bytes (MAX_UPLOAD_BYTES).")
                digest.update(piece)
                file.write(piece)
            file.flush()
            await asyncio.to_thread(os.fdatasync, file.fileno())
        if not size:
            raise HTTPException(422, [{"type": "value_error", "loc": ["body", "file"], "msg": "The file is empty."}])
        yield Upload(temporary, digest.hexdigest(), size)
    finally:
        temporary.unlink(missing_ok=True)
