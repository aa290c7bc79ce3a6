# SPDX-License-Identifier: MIT
"""libshared's verdict on the values of a row, through its C interface alone, and values near every limit to ask it
about. Knows no rule itself: limits come from expected_schema.json, which is made from models.txt."""

from __future__ import annotations

import ctypes
import json
import os
import random
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads(Path(__file__).with_name("expected_schema.json").read_text())
MODELS = {table: number for number, table in enumerate(SCHEMA, 1)}  # tables stand first in models.txt

Value = bytes | int | None  # text as its bytes, which may be no UTF-8
INT64 = range(-2**63, 2**63)
# Of one to four bytes; some combine with the letter before them, or are shown as nothing.
LETTERS = [b"a", b" ", b"\n", b"\x01", b"\\", b"'", b'"', "ä".encode(), "e\u0301".encode(), "\u200d".encode(),
           "€".encode(), "😀".encode(), "\U0010ffff".encode(), "\u0085".encode()]
# NUL, a lone byte, cut short, overlong, a surrogate, beyond U+10FFFF.
POISON = [b"\x00", b"\xff", b"\x80", b"\xe2\x82", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]
TIMES = [b"2026-11-24T10:00:00Z", b"2026-11-24 10:00:00.123456+00", b"2026-11-24T10:00:00.1234567Z",
         b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59.999999Z", b"10000-01-01T00:00:00Z", b"0000-12-31T00:00:00Z",
         b"0044-03-15 00:00:00+00 BC", b"infinity", b"now", b"", b"2026-13-01T00:00:00Z", b"2026-02-29T00:00:00Z",
         b"2028-02-29T00:00:00Z", b"2026-11-24T24:00:00Z", b"2026-11-24T23:59:60Z", b"2026-11-24T25:00:00Z",
         b"2026-11-24T10:00:00+15:59", b"2026-11-24T10:00:00+16:00", b"2026-11-24T10:00:00-0330", b"2026-11-24",
         b"0001-01-01T00:00:00+01:00", b"9999-12-31T23:59:59-01:00", b"2026-11-24T10:00:00\xff", b"20261124T100000Z",
         b"24.11.2026 10:00", b"2026-11-24T10:00:00.Z", b"2026-11-24T10:60:00Z", b" 2026-11-24T10:00:00Z"]
NUMBERS = [b" 1", b"+1", b"1.0", b"1e3", b"0x10", b"1_000", b"", b"-", b"--1", b"one"]


class Library:
    """The shared library of a build."""

    def __init__(self) -> None:
        build = Path(os.environ.get("BUILD_DIR") or ROOT / "build")
        self.c = ctypes.CDLL(str(build / "libshared" / "libshared.so"))
        record, number, size = ctypes.c_void_p, ctypes.c_int32, ctypes.c_size_t
        for name, result, arguments in (
            ("shared_record_new", number, (number, ctypes.POINTER(record))),
            ("shared_record_unref", None, (record,)),
            ("shared_record_set_text", number, (record, number, ctypes.c_char_p, size)),
            ("shared_record_set_int", number, (record, number, ctypes.c_int64)),
            ("shared_record_check", number, (record,)),
            ("shared_record_time", ctypes.c_int64, (record, number)),
            ("shared_record_text", ctypes.c_char_p, (record, number)),
            ("shared_record_from_json", number, (number, ctypes.c_char_p, size, ctypes.POINTER(record))),
            ("shared_failure_count", number, ()),
            ("shared_failure_rule", ctypes.c_char_p, (number,)),
        ):
            function = getattr(self.c, name)
            function.restype, function.argtypes = result, arguments

    def rules(self, status: int) -> set[str]:
        """The rules that the last call named."""
        if status >= 0:
            return set()
        return {self.c.shared_failure_rule(i).decode() for i in range(self.c.shared_failure_count())} or {str(status)}

    def by_setters(self, table: str, row: dict[str, Value]) -> tuple[set[str], dict[str, Value], dict[str, int]]:
        """Rules that fail; the row as a session would send it, with its times in UTC; and these times."""
        record = ctypes.c_void_p()
        assert self.c.shared_record_new(MODELS[table], ctypes.byref(record)) == 0
        refused: set[str] = set()
        sent, times = dict(row), {}
        for position, (name, column) in enumerate(SCHEMA[table]["columns"].items(), 1):
            field, value = MODELS[table] << 8 | position, row.get(name)
            if isinstance(value, int):
                refused |= self.rules(self.c.shared_record_set_int(record, field, value))
            elif value is not None:
                failing = self.rules(self.c.shared_record_set_text(record, field, value, len(value)))
                refused |= failing
                if column["type"].startswith("timestamp") and not failing:
                    sent[name] = self.c.shared_record_text(record, field)
                    times[name] = self.c.shared_record_time(record, field)
        failing = self.rules(self.c.shared_record_check(record))
        self.c.shared_record_unref(record)
        # What a setter refused is not there, which says nothing more.
        return refused | (failing - {"missing"} if refused else failing), sent, times

    def by_json(self, table: str, row: dict[str, Value]) -> set[str] | None:
        """The same from JSON; None: JSON cannot say such a row."""
        try:
            told = {name: value.decode() if isinstance(value, bytes) else value for name, value in row.items()}
        except UnicodeDecodeError:
            return None
        return self.json_rules(table, told)

    def json_rules(self, table: str, row: dict[str, object]) -> set[str]:
        """Rules that a row of JSON's values fails."""
        text = json.dumps(row).encode()
        record = ctypes.c_void_p()
        status = self.c.shared_record_from_json(MODELS[table], text, len(text), ctypes.byref(record))
        failing = self.rules(status)
        self.c.shared_record_unref(record)
        return failing


def text_of(draw: random.Random, length: int) -> bytes:
    """A text of so many characters, where a combining one counts like any other."""
    letters = [draw.choice(LETTERS)] if draw.random() < 0.5 else LETTERS
    text = "".join(letter.decode() for letter in draw.choices(letters, k=length))
    return text[:length].encode()


def near(draw: random.Random, low: int | None, high: int | None, least: int, most: int) -> int:
    """A number at a limit, one beside it, or any between them."""
    low, high = (least if low is None else low), (most if high is None else high)
    return draw.choice([low - 1, low, low + 1, high - 1, high, high + 1, draw.randint(low, high)])


def value_of(draw: random.Random, column: dict) -> Value:
    kind = column["type"]
    if draw.random() < 0.08:
        return None
    if kind.startswith("timestamp"):
        return draw.choice(TIMES)
    if kind in ("integer", "bigint"):
        bits = 31 if kind == "integer" else 63
        number = near(draw, column["min"], column["max"], -2**bits, 2**bits - 1)
        if draw.random() < 0.1:
            return draw.choice(NUMBERS)
        return number if number in INT64 else str(number).encode()
    if column["words"]:
        word = draw.choice(column["words"])
        text = draw.choice([word, word, word.upper(), word + " ", word[:-1], word + "\0", ""]).encode()
    else:
        text = text_of(draw, max(near(draw, column["min"], column["max"], 0, 300), 0))
    if draw.random() < 0.06:
        place = draw.randint(0, len(text))
        text = text[:place] + draw.choice(POISON) + text[place:]
    return text
