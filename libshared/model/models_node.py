# SPDX-License-Identifier: MIT
"""The forms of the data model for Node, for models.py: what the binding walks, and TypeScript's types."""

from __future__ import annotations

from models_source import Field, Model, Source

TYPES = {"text": "string", "enum": "string", "int32": "number", "int64": "bigint", "time": "Timestamp"}
WIDTH = 120


def head(file: str, what: str, made: str) -> str:
    return f"// SPDX-License-Identifier: MIT\n// {file} - {what};\n// {made}.\n"


def camel(name: str) -> str:
    """document_page -> documentPage."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def rows(source: Source) -> list[Model]:
    return [model for model in source.models if model.table]


def read_out(entry: Field, place: int) -> str:
    cell = f"v.at(i + {place})" if place else "v.at(i)"
    return f"{camel(entry.name)}: " + (f"timeOut({cell})" if entry.type == "time" else cell)


def read_in(entry: Field) -> str:
    cell = f"o.{camel(entry.name)}"
    return f"timeIn({cell})" if entry.type == "time" else cell


def listed(before: str, words: list[str], after: str, indent: str) -> str:
    """Words in lines that are not too long."""
    lines, line = [], indent + "  "
    for word in words:
        if len(line) + len(word) + 1 > WIDTH:
            lines.append(line.rstrip())
            line = indent + "  "
        line += f"{word}, "
    return f"{before}\n" + "\n".join([*lines, line.rstrip()]) + f"\n{indent}{after}"


def model_entry(model: Model) -> str:
    bigs = sum(1 << place for place, entry in enumerate(model.fields) if entry.type == "int64")
    keys = ", ".join(f"'{camel(entry.name)}'" for entry in model.keys)
    out = f"  {camel(model.name)}: {{\n    number: {model.number},\n    table: '{model.table}',\n    keys: [{keys}],\n"
    out += f"    bigs: {bigs},\n"
    out += listed("    columns: [", [f"'{entry.name}'" for entry in model.fields], "],\n", "    ")
    out += listed("    fields: [", [f"'{camel(entry.name)}'" for entry in model.fields], "],\n", "    ")
    out += listed("    make: (v, i) => ({", [read_out(entry, place) for place, entry in enumerate(model.fields)],
                  "}),\n", "    ")
    out += listed("    put: (list, o) => list.push(", [read_in(entry) for entry in model.fields], "),\n", "    ")
    return out + "  },\n"


def make_models(source: Source, made: str) -> str:
    out = head("models.js", "of each model its number, its fields, and how an object is made of a row", made)
    out += "import { timeIn, timeOut } from './values.js';\n\nexport const MODELS = {\n"
    return out + "".join(model_entry(model) for model in rows(source)) + "};\n"


# --- types ------------------------------------------------------------------------------------------------------------


def typescript(entry: Field, source: Source) -> str:
    form = " | ".join(f"'{word}'" for word in source.enums[entry.enum]) if entry.enum else TYPES[entry.type]
    return f"{form} | null" if entry.null else form


def comment(entry: Field, indent: str) -> str:
    return f"{indent}/** {entry.meaning} */\n"


def model_types(model: Model, source: Source) -> str:
    out = f"\n/** {model.meaning} */\nexport interface {model.words} {{\n"
    for entry in model.fields:
        out += comment(entry, "  ") + f"  {camel(entry.name)}: {typescript(entry, source)};\n"
    out += f"}}\n\n/** What `add` takes; what may be absent is filled in by library or database. {model.meaning} */\n"
    out += f"export interface New{model.words} {{\n"
    for entry in model.fields:
        given = entry.null or entry.server or entry.default is not None or (entry.key and len(model.keys) == 1)
        form = typescript(entry, source)
        form = form.replace("Timestamp", "Date | string").replace("bigint", "bigint | number")
        mark, absent = ("?", " | undefined") if given else ("", "")
        out += comment(entry, "  ") + f"  {camel(entry.name)}{mark}: {form}{absent};\n"
    return out + "}\n"


def key_type(model: Model) -> str:
    if len(model.keys) == 1:
        return "string"
    return "{ " + "; ".join(f"{camel(entry.name)}: {TYPES[entry.type]}" for entry in model.keys) + " }"


def make_types(source: Source, made: str) -> str:
    out = head("models.d.ts", "the rows that services share, as TypeScript sees them", made)
    out += "import type { Timestamp } from './index.js';\n"
    out += "".join(model_types(model, source) for model in rows(source))
    for name, what, form in (("Models", "Models by their name.", "{0}"),
                             ("NewModels", "What `add` takes, by the model's name.", "New{0}")):
        out += f"\n/** {what} */\nexport interface {name} {{\n"
        out += "".join(f"  {camel(model.name)}: {form.format(model.words)};\n" for model in rows(source)) + "}\n"
    out += "\n/** The key of a row, by the model's name. */\nexport interface Keys {\n"
    return out + "".join(f"  {camel(model.name)}: {key_type(model)};\n" for model in rows(source)) + "}\n"
