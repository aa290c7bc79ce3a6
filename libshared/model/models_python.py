# SPDX-License-Identifier: MIT
"""The forms of the data model in Python, for models.py: the classes of shared.models, and their pydantic schemas."""

from __future__ import annotations

import textwrap

from models_source import Field, Model, Source

TYPES = {"text": "str", "enum": "str", "int32": "int", "int64": "int", "time": "datetime.datetime"}
SCHEMA_TYPES = {"int32": "Integer", "int64": "Integer", "time": "Time"}
KINDS = {"text": "text", "enum": "text", "int32": "int", "int64": "int", "time": "time"}


def head(what: str, made: str, imports: str) -> str:
    return f'# SPDX-License-Identifier: MIT\n"""{what}\n\n{made[0].upper()}{made[1:]}.\n"""\n\n' \
           f"from __future__ import annotations\n\n{imports}\n"


def python_type(entry: Field, source: Source) -> str:
    if entry.enum:
        words = ", ".join(f'"{word}"' for word in source.enums[entry.enum])
        form = f"Literal[{words}]"
    else:
        form = TYPES[entry.type]
    return f"{form} | None" if entry.null else form


def model_class(model: Model, source: Source) -> str:
    out = f'\n\nclass {model.words}(Model):\n    """{model.meaning}"""\n\n'
    out += f'    __tablename__ = "{model.table}"\n    _number = {model.number}\n\n'
    for index, entry in enumerate(model.fields):
        key = "True" if entry.key else "False"
        kind = python_type(entry, source)
        made = f'Column("{entry.name}", "{KINDS[entry.type]}", {key}, {index})'
        line = f"    {entry.name}: Column[{kind}] = {made}\n"
        if len(line) > 121:
            line = f"    {entry.name}: Column[\n        {kind}] = {made}\n"
        out += line + f'    """{entry.meaning}"""\n'
    out += "\n    if TYPE_CHECKING:\n\n        def __init__(\n            self, *,\n"
    for entry in model.fields:
        out += f"            {entry.name}: {python_type(entry, source)} = ...,\n"
    return out + "        ) -> None: ...\n"


def make_models(source: Source, made: str) -> str:
    names = [model.words for model in source.models if model.table]
    listed = ", ".join(f'"{name}"' for name in sorted(names))
    out = head("The rows that services share: cases, documents, their pages and chunks.", made,
               "import datetime\nfrom typing import TYPE_CHECKING, Literal\n\nfrom .model import Model\n"
               f"from .query import Column\n\n__all__ = [{listed}]")
    return out + "".join(model_class(model, source) for model in source.models if model.table)


# --- pydantic ---------------------------------------------------------------------------------------------------------


def schema_type(entry: Field, source: Source) -> str:
    if entry.type == "text":
        limits = {"min_length": entry.min, "max_length": entry.max}
        rules = ", ".join(f"{name}={value}" for name, value in limits.items() if value is not None)
        form = f"Annotated[str, Text({rules})]"
    else:
        form = SCHEMA_TYPES.get(entry.type) or python_type(entry, source).removesuffix(" | None")
    return f"{form} | None" if entry.null else form


def bounds(entry: Field) -> str:
    if not entry.type.startswith("int"):
        return ""
    limit = 2 ** (int(entry.type.removeprefix("int")) - 1)
    return f", ge={-limit if entry.min is None else entry.min}, le={limit - 1 if entry.max is None else entry.max}"


def schema_field(entry: Field, source: Source, needed: bool) -> str:
    form = schema_type(entry, source)
    if entry.default is not None:
        preset = f'"{entry.default}"' if entry.type in ("text", "enum") else entry.default
    elif needed:
        preset = "..."
    else:
        preset = "None"
        form = form if entry.null else f"Annotated[{form} | None, Given()]"
    meaning = entry.meaning.replace('"', "'")
    line = f'    {entry.name}: {form} = Field({preset}{bounds(entry)}, description="{meaning}")\n'
    if len(line) <= 121:
        return line
    return f'    {entry.name}: {form} = Field(\n        {preset}{bounds(entry)},\n        description="{meaning}")\n'


def schema_class(name: str, meaning: str, fields: list[Field], source: Source, all_needed: bool, change: bool) -> str:
    out = f'\n\nclass {name}(Schema):\n    """{meaning}"""\n\n'
    for entry in fields:
        needed = not change and (all_needed or not (entry.null or entry.key or entry.server))
        out += schema_field(entry, source, needed)
    return out


def make_schemas(source: Source, made: str) -> str:
    classes, out = [], ""
    for model in source.models:
        classes.append(model.words)
        out += schema_class(model.words, model.meaning, model.fields, source, False, False)
        given = [entry for entry in model.fields if entry.input]
        if given:
            classes += [f"{model.words}Create", f"{model.words}Change"]
            out += schema_class(f"{model.words}Create", f"A {model.name} to be made.", given, source, False, False)
            rest = [entry for entry in given if not entry.key]
            meaning = f"What is to change of a {model.name}."
            out += schema_class(f"{model.words}Change", meaning, rest, source, False, True)
    listed = ", ".join(f'"{name}"' for name in sorted(classes))
    listed = textwrap.fill(listed, 108, subsequent_indent=" " * 11)
    start = head("What comes in and goes out as JSON, checked by pydantic with the rules of the library and of SQL.",
                 made, "from typing import Annotated, Literal\n\nfrom pydantic import Field\n\n"
                 f"from .schema_types import Given, Integer, Schema, Text, Time\n\n__all__ = [{listed}]")
    return start + out
