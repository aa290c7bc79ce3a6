# SPDX-License-Identifier: MIT
"""A session beside a model of it: two dicts, what is committed and what the transaction sees. Steps are drawn by
chance; whatever the session answers, and what is in the database after a commit, must be the model's. RANDOM_SEED=...
plays one seed again, with RANDOM_COUNT=... so many from there on."""

from __future__ import annotations

import os
import random

import psycopg
import pytest

from shared.database import AsyncSession, async_session, select
from shared.models import Document

FIRST = int(os.environ.get("RANDOM_SEED", 0))
SEEDS = range(FIRST, FIRST + int(os.environ.get("RANDOM_COUNT", 1 if FIRST else 40)))
STEPS, KEYS = 80, 8


class Undone(Exception):
    """Ends a savepoint."""


class Play:
    """Documents by key: their file name."""

    def __init__(self, db: AsyncSession, chance: random.Random) -> None:
        self.db, self.chance = db, chance
        self.committed: dict[str, str] = {}
        self.seen: dict[str, str] = {}
        self.held: dict[str, Document] = {}  # objects that must be the session's own
        self.kept: dict[str, Document] = {}  # those of what is committed
        self.said: list[str] = []

    def word(self) -> str:
        return f"{self.chance.randrange(10**6)}.pdf"

    async def one(self) -> Document | None:
        """Any of those that are there."""
        if not self.seen:
            return None
        key = self.chance.choice(sorted(self.seen))
        return self.held.get(key) or await self.get(key)

    async def get(self, key: str) -> Document | None:
        found = await self.db.get(Document, key)
        assert (found and found.file_name) == self.seen.get(key), key
        if found is not None:
            assert self.held.setdefault(key, found) is found, key
        return found

    async def add(self) -> None:
        key = f"doc-{self.chance.randrange(KEYS)}"
        if key not in self.seen:
            self.held[key] = Document(id=key, file_name=self.word())
            self.db.add(self.held[key])
            self.seen[key] = self.held[key].file_name

    async def change(self) -> None:
        document = await self.one()
        if document is not None:
            document.file_name = self.seen[document.id] = self.word()

    async def delete(self) -> None:
        document = await self.one()
        if document is not None:
            await self.db.delete(document)
            del self.seen[document.id], self.held[document.id]
            if self.chance.random() < 0.5:
                await self.db.flush()

    async def look(self) -> None:
        await self.get(f"doc-{self.chance.randrange(KEYS)}")

    async def select(self) -> None:
        found = (await self.db.scalars(select(Document))).all()
        assert {document.id: document.file_name for document in found} == self.seen
        for document in found:
            assert self.held.setdefault(document.id, document) is document, document.id

    async def many(self) -> None:
        keys = [f"doc-{number}" for number in range(KEYS)]
        found = await self.db.get_many(Document, keys)
        assert [(document.id, document.file_name) for document in found] == [
            (key, self.seen[key]) for key in keys if key in self.seen]

    async def refresh(self) -> None:
        document = await self.one()
        if document is not None:
            await self.db.flush()
            document.file_name = "forgotten.pdf"
            await self.db.refresh(document)
            assert document.file_name == self.seen[document.id]

    async def flush(self) -> None:
        await self.db.flush()

    async def commit(self) -> None:
        await self.db.commit()
        self.committed, self.kept = dict(self.seen), dict(self.held)

    async def rollback(self) -> None:
        await self.db.rollback()
        self.undone(self.committed, self.kept)

    def undone(self, seen: dict[str, str], held: dict[str, Document]) -> None:
        """Objects are the session's, as they were, without being asked for."""
        self.seen, self.held = dict(seen), dict(held)
        for key, document in held.items():
            assert document in self.db and document.file_name == seen[key], key
        assert self.db.new == self.db.dirty == self.db.deleted == []

    async def nested(self) -> None:
        before, held = dict(self.seen), dict(self.held)
        try:
            async with self.db.begin_nested():
                for _ in range(self.chance.randrange(5)):
                    await self.step(INSIDE)
                if self.chance.random() < 0.5:
                    raise Undone
        except Undone:
            self.undone(before, held)

    async def step(self, names: tuple[str, ...]) -> None:
        name = self.chance.choice(names)
        self.said.append(name)
        await getattr(self, name)()


INSIDE = ("add", "add", "change", "change", "delete", "look", "select", "many", "refresh", "flush")
ALL = (*INSIDE, "commit", "rollback", "nested", "nested")


@pytest.mark.parametrize("seed", SEEDS)
async def test_it_does_as_its_model(seed: int, pg: psycopg.Connection) -> None:
    async with async_session() as db:
        play = Play(db, random.Random(seed))
        try:
            for _ in range(STEPS):
                await play.step(ALL)
            await play.commit()
        except BaseException as error:
            error.add_note(f"RANDOM_SEED={seed}: {' '.join(play.said)}")
            raise
        assert db.new == db.dirty == db.deleted == []
        assert dict(pg.execute("SELECT id, file_name FROM documents").fetchall()) == play.committed
