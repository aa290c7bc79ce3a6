# SPDX-License-Identifier: MIT
"""Values between SQLAlchemy and PostgreSQL's texts, by the number of their type: what :mod:`shared.dialect` binds and
what it makes of an answer. Numbers, booleans, texts, bytea, numeric and uuid come from the library as they are. Never
asks the server."""

from __future__ import annotations

import datetime
import decimal
import ipaddress
import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy.dialects.postgresql.ranges import MultiRange, Range

Decode = Callable[[str], Any]

# --- binds ------------------------------------------------------------------------------------------------------------


def encode(value: Any) -> Any:
    """None, bytes, or a text that PostgreSQL reads as the type that its place asks for."""
    if value is None or type(value) in (str, bytes):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (list, tuple, MultiRange)):
        if isinstance(value, MultiRange) or (value and all(isinstance(one, Range) for one in value)):
            return "{" + ",".join(map(range_text, value)) + "}"
        return array_text(value)
    return text_of(value)


def text_of(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
    if isinstance(value, Range):
        return range_text(value)
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, (str, int, float, decimal.Decimal, uuid.UUID)) or hasattr(value, "__str__"):
        return str(value)
    raise TypeError(f"{type(value).__name__}: no type of PostgreSQL is known for it")


def range_text(value: Range[Any]) -> str:
    if value.empty:
        return "empty"
    low, high = ("" if end is None else quoted(text_of(end)) for end in (value.lower, value.upper))
    return f"{value.bounds[0]}{low},{high}{value.bounds[1]}"


def array_text(values: Any) -> str:
    """{1,2,NULL,"a \\" b"}, nested where the values are."""
    return "{" + ",".join(
        "NULL" if value is None else
        array_text(value) if isinstance(value, (list, tuple)) else
        quoted(text_of(value)) for value in values) + "}"


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# --- answers ----------------------------------------------------------------------------------------------------------

INTERVAL = re.compile(
    r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d+))?S)?)?")
ARRAY_TOKEN = re.compile(r'\s*(?:([{},])|"((?:[^"\\]|\\.)*)"|([^{},"]+))')


def interval(text: str) -> Any:
    """Of IntervalStyle iso_8601, which the library asks for. As asyncpg: a year is 365 days, a month 30."""
    match = INTERVAL.fullmatch(text)
    if not match:
        return text
    *whole, sign, seconds, fraction = match.groups()
    years, months, weeks, days, hours, minutes = (int(number or 0) for number in whole)
    moments = datetime.timedelta(seconds=int(seconds or 0), microseconds=int((fraction or "").ljust(6, "0")[:6]))
    return datetime.timedelta(days=years * 365 + months * 30 + weeks * 7 + days, hours=hours, minutes=minutes) + (
        -moments if sign else moments)


def moment(text: str) -> Any:
    return _time(datetime.datetime, text)


def moment_zoned(text: str) -> Any:
    made = _time(datetime.datetime, text)
    if isinstance(made, datetime.datetime) and made.tzinfo is None:
        return made.replace(tzinfo=datetime.UTC)  # an infinity
    return made


def day(text: str) -> Any:
    return _time(datetime.date, text)


def _time(kind: Any, text: str) -> Any:
    """A year that Python has not stays a text."""
    if text in ("infinity", "-infinity"):
        return kind.max if text == "infinity" else kind.min
    try:
        return kind.fromisoformat(text)
    except ValueError:
        return text


def binary(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def vector(text: str) -> list[int]:
    return [int(word) for word in text.split()]


def array(text: str, decode: Decode | None) -> list[Any]:
    """A list, of lists where it has several dimensions."""
    tokens = ARRAY_TOKEN.finditer(text, text.find("{"))  # behind bounds, as in [0:1]={1,2}
    next(tokens)
    return _entries(tokens, decode)


def _entries(tokens: Iterator[re.Match[str]], decode: Decode | None) -> list[Any]:
    entries: list[Any] = []
    for token in tokens:
        mark, inside, bare = token.groups()
        if mark == "{":
            entries.append(_entries(tokens, decode))
        elif mark == "}":
            break
        elif inside is not None:
            plain = re.sub(r"\\(.)", r"\1", inside, flags=re.DOTALL)
            entries.append(decode(plain) if decode else plain)
        elif bare is not None:
            entries.append(None if bare.upper() == "NULL" else decode(bare) if decode else bare)
    return entries


RANGE = re.compile(r'([\[(])(?:"((?:[^"\\]|\\.|"")*)"|([^",)\]]*)),(?:"((?:[^"\\]|\\.|"")*)"|([^",)\]]*))([\])])')


def one_range(decode: Decode) -> Decode:
    def made(text: str) -> Any:
        match = RANGE.fullmatch(text)
        return _range(match, decode) if match else Range(empty=True)
    return made


def many_ranges(decode: Decode) -> Decode:
    def made(text: str) -> Any:
        return MultiRange(_range(match, decode) for match in RANGE.finditer(text))
    return made


def _range(match: re.Match[str], decode: Decode) -> Range[Any]:
    opens, quoted_low, low, quoted_high, high, closes = match.groups()
    ends = [None if end == "" and inside is None else
            decode(re.sub(r'\\(.)|""', lambda found: found[1] or '"', inside) if inside is not None else end)
            for inside, end in ((quoted_low, low), (quoted_high, high))]
    return Range(ends[0], ends[1], bounds=f"{opens}{closes}")  # type: ignore[arg-type]


# pg_type.oid -> how its text is read, for what the library gives as a text
SCALARS: dict[int, Decode] = {
    22: vector, 30: vector, 1082: day, 1083: datetime.time.fromisoformat, 1114: moment, 1184: moment_zoned,
    1186: interval, 1266: datetime.time.fromisoformat, 2278: lambda text: None,
    3904: one_range(int), 3926: one_range(int), 3906: one_range(decimal.Decimal), 3908: one_range(moment),
    3910: one_range(moment_zoned), 3912: one_range(day),
    4451: many_ranges(int), 4536: many_ranges(int), 4532: many_ranges(decimal.Decimal), 4533: many_ranges(moment),
    4534: many_ranges(moment_zoned), 4535: many_ranges(day)}
INET: dict[int, Decode] = {
    869: lambda text: ipaddress.ip_interface(text) if "/" in text else ipaddress.ip_address(text),
    650: ipaddress.ip_network}
JSON = (114, 3802)
# and for entries of arrays, where all are texts
PLAIN: dict[int, Decode] = {
    16: lambda text: text == "t", 17: binary, 20: int, 21: int, 23: int, 26: int, 700: float, 701: float,
    1700: decimal.Decimal, 2950: uuid.UUID}
ARRAYS = {
    1000: 16, 1001: 17, 1002: 18, 1003: 19, 1005: 21, 1006: 22, 1007: 23, 1009: 25, 1013: 30, 1014: 1042, 1015: 1043,
    1016: 20, 1021: 700, 1022: 701, 1028: 26, 1041: 869, 651: 650, 1115: 1114, 1182: 1082, 1183: 1083, 1185: 1184,
    1187: 1186, 1231: 1700, 1270: 1266, 199: 114, 2951: 2950, 3807: 3802, 3905: 3904, 3907: 3906, 3909: 3908,
    3911: 3910, 3913: 3912, 3927: 3926, 2210: 2205, 4090: 4089, 1034: 1033, 629: 628, 1561: 1560, 1563: 1562,
    3643: 3614, 3645: 3615, 143: 142, 791: 790, 775: 774, 1040: 829}
FIRST_OF_USERS = 16384


class Decoders:
    """Those of one engine: how it reads JSON, whether addresses are objects, and the arrays it has met."""

    def __init__(self, loads: Callable[[str], Any], native_inet: bool) -> None:
        self._scalars = {**SCALARS, **dict.fromkeys(JSON, loads), **(INET if native_inet else {})}
        self._arrays = dict(ARRAYS)
        self._known: set[int] = set()

    def unknown(self, types: list[int]) -> list[int]:
        """Types that users made, of which it must be learnt whether they are arrays."""
        return [kind for kind in types if kind >= FIRST_OF_USERS and kind not in self._known]

    def learn(self, kind: int, element: int) -> None:
        """element: the type of the entries, 0 when it is no array."""
        self._known.add(kind)
        if element:
            self._arrays[kind] = element

    def of(self, kind: int) -> Decode | None:
        element = self._arrays.get(kind)
        if element is None:
            return self._scalars.get(kind)
        entry = self._scalars.get(element) or PLAIN.get(element)
        return lambda text: array(text, entry)

    def rows(self, types: list[int], rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows with what was a text as the values that they are."""
        decoded = [(index, decode) for index, kind in enumerate(types) if (decode := self.of(kind))]
        if not decoded or not rows:
            return rows
        columns: list[Any] = list(zip(*rows, strict=True))
        for index, decode in decoded:
            columns[index] = [None if text is None else decode(text) for text in columns[index]]
        return list(zip(*columns, strict=True))
