# SPDX-License-Identifier: MIT
"""The recipes of docs/PYTHON.md, as they stand there."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from shared.database import async_session
from shared.models import Document

PAGE = Path(__file__).resolve().parents[2] / "docs" / "PYTHON.md"
SECTION = PAGE.read_text().split("\n## Ten recipes\n")[1].split("\n## ")[0]
RECIPES = re.findall(r"^\d+\. ([^\n]+)\n```python\n(.*?)```", SECTION, re.DOTALL | re.MULTILINE)


def test_there_are_ten() -> None:
    assert len(RECIPES) == 10


@pytest.mark.parametrize(("title", "code"), RECIPES, ids=[title for title, _ in RECIPES])
async def test_a_recipe_runs(title: str, code: str) -> None:
    async with async_session() as db:
        db.add(Document(id="doc-123", file_name="will.pdf"))
        await db.commit()
    names: dict[str, Any] = {}
    exec("async def recipe():\n" + textwrap.indent(code, "    "), names)
    await names["recipe"]()
