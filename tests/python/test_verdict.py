# SPDX-License-Identifier: MIT
"""One verdict on JSON, whoever is asked: what pydantic takes by shared.schemas the library takes, and with the same
rules failing. Rows near every limit are drawn; the seed is printed, and VERDICT_SEED repeats a run. That PostgreSQL
says the same of such rows is tests/integration/test_verdict.py."""

from __future__ import annotations

import collections
import json
import os
import random

import pydantic
import pytest

from shared import schemas
from verdict import INT64, SCHEMA, Library, Value, value_of

ROWS = 2000  # a table
CLASSES = {"cases": schemas.Case, "documents": schemas.Document, "document_pages": schemas.DocumentPage,
           "document_chunks": schemas.DocumentChunk}
ROW_GOOD: dict[str, dict[str, Value]] = {
    "cases": {"id": b"new", "title": b"t"},
    "documents": {"id": b"new", "file_name": b"f"},
    "document_pages": {"document_id": b"there", "page": 1, "text": b"t", "source": b"text"},
    "document_chunks": {"id": b"new", "document_id": b"there", "chunk_index": 0, "content": b"c"},
}
ODD = [True, 1.0, 1.5, [], {}, "1", 2**53 + 1, "2026-11-24", 1e3]
# pydantic's words for the same rule.
SAME = {"literal_error": "enum", "int_from_float": "int_type", "int_parsing": "int_type"}


def rules_of(schema: type[pydantic.BaseModel], row: dict[str, object], text: str) -> set[str]:
    """The rules that fail, from JSON and from what FastAPI makes of it, which must be the same."""
    told = []
    for ask in (lambda: schema.model_validate_json(text), lambda: schema.model_validate(row)):
        try:
            ask()
            told.append(set())
        except pydantic.ValidationError as error:
            told.append({SAME.get(entry["type"], entry["type"]) for entry in error.errors()})
    assert told[0] == told[1], row
    return told[0]


@pytest.mark.parametrize("table", CLASSES)
def test_pydantic_and_the_library_agree_on_every_row(table: str) -> None:
    seed = int(os.environ.get("VERDICT_SEED") or random.SystemRandom().randint(1, 10**6))
    print(f"VERDICT_SEED={seed}")
    draw, library = random.Random(seed), Library()
    columns = SCHEMA[table]["columns"]
    counts: collections.Counter[bool] = collections.Counter()
    for number in range(ROWS):
        row: dict[str, object] = dict(ROW_GOOD[table])
        for name in draw.sample(list(columns), draw.choice([1, 1, 2, 3])):
            row[name] = draw.choice(ODD) if draw.random() < 0.1 else value_of(draw, columns[name])
        try:
            told = {name: value.decode() if isinstance(value, bytes) else value for name, value in row.items()}
        except UnicodeDecodeError:
            continue
        if any(isinstance(value, int) and value not in INT64 for value in told.values()):
            continue
        ours = {SAME.get(rule, rule) for rule in library.json_rules(table, told)}
        theirs = rules_of(CLASSES[table], told, json.dumps(told))
        assert theirs == ours, f"row {number} of VERDICT_SEED={seed}: {told}"
        counts[bool(ours)] += 1
    assert counts[True] > ROWS // 5 and counts[False] > ROWS // 5, counts


@pytest.mark.parametrize(("schema", "row"), [
    (schemas.CaseChange, {"title": None}),
    (schemas.CaseCreate, {"id": None, "title": "t"}),
    (schemas.CaseCreate, {"title": "t", "owner": "x"}),
    (schemas.CaseCreate, {}),
    (schemas.ExtractionJob, {"document_id": ""}),
])
def test_what_comes_in_is_refused(schema: type[pydantic.BaseModel], row: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        schema.model_validate(row)
    with pytest.raises(pydantic.ValidationError):
        schema.model_validate_json(json.dumps(row))


def test_what_is_absent_is_none() -> None:
    assert schemas.CaseChange.model_validate({}).title is None
    assert schemas.CaseCreate(title="t").id is None
