# SPDX-License-Identifier: MIT
"""Reads models.txt, whose format stands in its own head, and refuses what it cannot understand with the line's number.
Writes nothing: models.py does."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

FIELDS_MAX = 32  # MODEL_FIELDS_MAX of model.h
TYPES = ("text", "enum", "int32", "int64", "time")


class SourceError(Exception):
    """A line of models.txt that cannot be understood."""


@dataclass
class Field:
    name: str
    type: str
    null: bool
    meaning: str
    key: bool = False
    server: bool = False
    input: bool = False
    cascade: bool = False
    min: int | None = None
    max: int | None = None
    default: str | None = None
    enum: str | None = None
    ref: str | None = None
    unique: str | None = None


@dataclass
class Model:
    number: int
    name: str
    table: str | None
    meaning: str
    fields: list[Field] = field(default_factory=list)

    @property
    def words(self) -> str:
        """document_page -> DocumentPage."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def keys(self) -> list[Field]:
        return [entry for entry in self.fields if entry.key]


@dataclass
class Source:
    models: list[Model] = field(default_factory=list)
    enums: dict[str, list[str]] = field(default_factory=dict)

    def find(self, name: str) -> Model:
        for model in self.models:
            if model.name == name:
                return model
        raise SourceError(f"there is no model {name!r}")


def read_rule(entry: Field, rule: str, source: Source) -> None:
    """One rule of a field: the table of what may stand in the third column."""
    word, _, rest = rule.partition(" ")
    if rule in ("key", "server", "input"):
        setattr(entry, rule, True)
    elif word in ("min", "max") and re.fullmatch(r"\d+", rest):
        setattr(entry, word, int(rest))
    elif word in ("default", "unique") and re.fullmatch(r"\w+", rest):
        setattr(entry, word, rest)
    elif word == "ref":
        target, _, cascade = rest.partition(" ")
        if cascade not in ("", "cascade"):
            raise SourceError(f"rule {rule!r}: ref MODEL [cascade]")
        entry.ref, entry.cascade = source.find(target).name, bool(cascade)
    elif entry.type == "enum" and rule in source.enums:
        entry.enum = rule
    else:
        raise SourceError(f"there is no rule {rule!r}")


def read_field(columns: list[str], source: Source) -> Field:
    if len(columns) not in (3, 4):
        raise SourceError("a field has a name, a type, rules where there are any, and a meaning")
    name, kind, rules, meaning = columns if len(columns) == 4 else [*columns[:2], "", columns[2]]
    if kind.removesuffix("?") not in TYPES or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise SourceError(f"{name} {kind}: a lower-case name and one of the types {', '.join(TYPES)}")
    entry = Field(name, kind.removesuffix("?"), kind.endswith("?"), meaning)
    for rule in filter(None, rules.split(", ")):
        read_rule(entry, rule.strip(), source)
    if (entry.type == "enum") != (entry.enum is not None):
        raise SourceError(f"{name}: an enum names its words in its rules")
    if entry.key and entry.null:
        raise SourceError(f"{name}: a key is never null")
    return entry


def read_line(line: str, source: Source) -> None:
    columns = re.split(r"\s{2,}", line.strip())
    head, _, name = columns[0].partition(" ")
    if line[0].isspace():
        entry = read_field(columns, source)
        fields = source.models[-1].fields
        if entry.name in [other.name for other in fields] or len(fields) == FIELDS_MAX:
            raise SourceError(f"{entry.name}: each name once, at most {FIELDS_MAX} fields")
        fields.append(entry)
    elif head == "enum" and len(columns) == 2:
        source.enums[name] = columns[1].split()
    elif head == "model" and len(columns) == 3:
        source.models.append(Model(len(source.models) + 1, name, columns[1], columns[2]))
    elif head == "shape" and len(columns) == 2:
        source.models.append(Model(len(source.models) + 1, name, None, columns[1]))
    else:
        raise SourceError("neither enum, model, shape nor a field of one")


def read(path: Path) -> Source:
    source = Source()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            if line.strip() and not line.startswith("#"):
                read_line(line, source)
        except SourceError as error:
            sys.exit(f"{path}:{number}: {error}")
    names = [f"{model.name}_{entry.name}" for model in source.models for entry in model.fields]
    names += [model.name for model in source.models]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        sys.exit(f"{path}: two things would be called {', '.join(sorted(twice))}")
    return source
