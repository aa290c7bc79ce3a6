#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes every form of the data model from models.txt, its only description: C header, C table, typed getters, expected
schema, OpenAPI components. `models.py` writes the files, `models.py --check` fails when one is stale.
Never talks to a database: migrations are history, models.txt is the present, and a test compares the two.
Those of Python are in models_python.py, those of Node in models_node.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import models_node
import models_python
from models_source import Field, Model, Source, read

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("models.txt")
MADE = "made by libshared/model/models.py from libshared/model/models.txt: change that, run it"
# type of models.txt -> C table, column, form of a JSON value, getter of typed.h and its C type
FORMS = {
    "text": ("FIELD_TEXT", "text", {"type": "string"}, "text", "const char *"),
    "enum": ("FIELD_ENUM", "text", {"type": "string"}, "text", "const char *"),
    "int32": ("FIELD_INT32", "integer", {"type": "integer", "format": "int32"}, "int", "int64_t "),
    "int64": ("FIELD_INT64", "bigint", {"type": "integer", "format": "int64"}, "int", "int64_t "),
    "time": ("FIELD_TIME", "timestamp with time zone", {"type": "string", "format": "date-time"}, "time", "int64_t "),
}


# --- C ----------------------------------------------------------------------------------------------------------------


def c_head(file: str, what: str) -> str:
    return f"/* SPDX-License-Identifier: MIT\n * {file} - {what}\n * {MADE}.\n */\n/* clang-format off */\n"


def c_enum(comment: str, rows: list[tuple[str, str, str]]) -> str:
    lines = "".join(f"    SHARED_{name.upper()} = {value}, /**< {meaning} */\n" for name, value, meaning in rows)
    return f"\n/** {comment} */\nenum {{\n{lines}}};\n"


def make_header(source: Source) -> str:
    """models.h: numbers of models and fields, words of enumerations."""
    out = c_head("models.h", "numbers of models and of their fields, words of enumerations;")
    out += "#ifndef SHARED_MODELS_H\n#define SHARED_MODELS_H\n"
    out += c_enum("Models: rows of a table, and shapes without one.",
                  [(model.name, str(model.number), model.meaning) for model in source.models])
    for model in source.models:
        out += c_enum(f"Fields of {model.name}: model << 8 | position, stable since fields are only appended.",
                      [(f"{model.name}_{entry.name}", hex(model.number << 8 | position), entry.meaning)
                       for position, entry in enumerate(model.fields, 1)])
    for name, words in source.enums.items():
        out += f"\n/* Words of {name}. */\n"
        out += "".join(f"#define SHARED_{name.upper()}_{word.upper()} \"{word}\"\n" for word in words)
    return out + "\n#endif\n"


def make_typed(source: Source) -> str:
    """typed.h: a getter a field, inline, for C users who like names."""
    out = c_head("typed.h", "a getter a field, inline: outside the ABI, include it after <shared.h>;")
    out += "#ifndef SHARED_TYPED_H\n#define SHARED_TYPED_H\n\n#include <shared/record.h>\n"
    for model in source.models:
        out += f"\n/* {model.name}: {model.meaning} */\n"
        for entry in model.fields:
            _, _, _, getter, c_type = FORMS[entry.type]
            name = f"shared_{model.name}_{entry.name}"
            out += f"/** {entry.meaning} */\nstatic inline {c_type}{name}(const shared_record *record) {{\n"
            out += f"    return shared_record_{getter}(record, {name.upper()});\n}}\n"
    return out + "\n#endif\n"


def c_field(entry: Field, source: Source) -> str:
    """One row of the C table; what is not said is zero."""
    said = [f'"{entry.name}"', FORMS[entry.type][0]]
    said += [f".{flag} = true" for flag in ("null", "key", "server", "input", "cascade") if getattr(entry, flag)]
    said += [f".has_{bound} = true, .{bound} = {getattr(entry, bound)}" for bound in ("min", "max")
             if getattr(entry, bound) is not None]
    said += [f'.{name} = "{text}"' for name, text in (("preset", entry.default), ("unique", entry.unique)) if text]
    said += [f".words = words_{entry.enum}"] if entry.enum else []
    said += [f".reference = {source.find(entry.ref).number}"] if entry.ref else []
    meaning = entry.meaning.replace('"', '\\"')
    return "    {" + ", ".join(said) + f',\n     .meaning = "{meaning}"}},\n'


def c_model(model: Model) -> str:
    row = f'    {{.number = {model.number}, .name = "{model.name}", .meaning = "{model.meaning}",\n'
    row += f"     .count = {len(model.fields)}, .fields = fields_{model.name}"
    if model.table:
        columns = ", ".join(entry.name for entry in model.fields)
        where = " AND ".join(f"{entry.name} = ${place}" for place, entry in enumerate(model.keys, 1))
        select = f"SELECT {columns} FROM {model.table}"
        row += f', .key_count = {len(model.keys)}, .table = "{model.table}",\n'
        row += f'     .select = "{select}",\n     .select_by_key = "{select} WHERE {where}"'
    return row + "},\n"


def make_table(source: Source) -> str:
    """models.c: the table that record.c, json.c, check.c and statement.c walk."""
    out = c_head("models.c", "the table of models, which everything generic walks;")
    out += '#include "model/model.h"\n\n'
    for name, words in source.enums.items():
        listed = ", ".join(f'"{word}"' for word in words)
        out += f"static const char *const words_{name}[] = {{{listed}, NULL}};\n"
    for model in source.models:
        rows = "".join(c_field(entry, source) for entry in model.fields)
        out += f"\nstatic const struct field fields_{model.name}[] = {{\n{rows}}};\n"
    rows = "".join(c_model(model) for model in source.models)
    return out + f"\nconst struct model models[] = {{\n{rows}}};\nconst int32_t models_count = {len(source.models)};\n"


# --- other languages --------------------------------------------------------------------------------------------------


def make_schema(source: Source) -> str:
    """The tables as information_schema must show them once all migrations are applied."""
    tables = {}
    for model in filter(lambda model: model.table, source.models):
        unique: dict[str, list[str]] = {}
        for entry in model.fields:
            if entry.unique:
                unique.setdefault(entry.unique, []).append(entry.name)
        tables[model.table] = {
            "columns": {entry.name: {"type": FORMS[entry.type][1], "null": entry.null,
                                     "default": "now()" if entry.server else entry.default,
                                     "min": entry.min, "max": entry.max,
                                     "words": source.enums[entry.enum] if entry.enum else None}
                        for entry in model.fields},
            "primary_key": [entry.name for entry in model.keys],
            "unique": unique,
            "foreign_keys": {entry.name: {"table": source.find(entry.ref).table, "cascade": entry.cascade}
                             for entry in model.fields if entry.ref},
        }
    return json.dumps(tables, indent=1) + "\n"


def json_field(entry: Field, source: Source) -> dict[str, object]:
    form = dict(FORMS[entry.type][2])
    names = ("minLength", "maxLength") if entry.type == "text" else ("minimum", "maximum")
    form |= {name: value for name, value in zip(names, (entry.min, entry.max), strict=True) if value is not None}
    if entry.enum:
        form["enum"] = [*source.enums[entry.enum], *([None] if entry.null else [])]
    if entry.null:
        form["type"] = [form["type"], "null"]
    if entry.default is not None:
        form["default"] = int(entry.default) if entry.type.startswith("int") else entry.default
    return form | {"description": entry.meaning}


def json_object(meaning: str, fields: list[Field], required: list[str], source: Source) -> dict[str, object]:
    return {"type": "object", "description": meaning, "required": required,
            "properties": {entry.name: json_field(entry, source) for entry in fields}}


def json_schemas(source: Source) -> Iterator[tuple[str, dict[str, object]]]:
    for model in source.models:
        yield model.words, json_object(model.meaning, model.fields, [entry.name for entry in model.fields], source)
        given = [entry for entry in model.fields if entry.input]
        if given:
            needed = [entry.name for entry in given if not entry.null and not entry.key and entry.default is None]
            yield f"{model.words}Create", json_object(f"A {model.name} to be made.", given, needed, source)
            rest = [entry for entry in given if not entry.key]
            yield f"{model.words}Change", json_object(f"What is to change of a {model.name}.", rest, [], source)
        if model.table:
            yield f"{model.words}List", {
                "type": "object", "required": ["items", "next"], "properties": {
                    "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{model.words}"}},
                    "next": {"type": ["string", "null"], "description": "Value of `after` for what follows."}}}


def make_openapi(source: Source) -> str:
    """Components of the OpenAPI 3.1 description; the backend adds its routes."""
    return json.dumps({"schemas": dict(json_schemas(source))}, indent=1) + "\n"


FILES: dict[str, Callable[[Source], str]] = {
    "include/shared/models.h": make_header,
    "include/shared/typed.h": make_typed,
    "libshared/model/models.c": make_table,
    "libshared/model/openapi.json": make_openapi,
    "tests/integration/expected_schema.json": make_schema,
    "bindings/node/src/models.js": lambda source: models_node.make_models(source, MADE),
    "bindings/node/models.d.ts": lambda source: models_node.make_types(source, MADE),
    "bindings/python/src/shared/models.py": lambda source: models_python.make_models(source, MADE),
    "bindings/python/src/shared/schemas.py": lambda source: models_python.make_schemas(source, MADE),
}


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        sys.exit("usage: models.py [--check]")
    source = read(SOURCE)
    stale = [name for name, make in FILES.items()
             if not (ROOT / name).exists() or (ROOT / name).read_text() != make(source)]
    for name in stale:
        print(f"{name} is stale: run libshared/model/models.py" if arguments else f"{name} written")
        if not arguments:
            (ROOT / name).write_text(FILES[name](source))
    return 1 if arguments and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
