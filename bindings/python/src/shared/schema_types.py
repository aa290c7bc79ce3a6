# SPDX-License-Identifier: MIT
"""What the fields of shared.schemas are made of: the library's rules, where pydantic's own are wider. A text has no
NUL, a number is no text, a time is RFC 3339, and null is no way to leave a field out."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, Strict
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = ["Given", "Integer", "Schema", "Text", "Time"]

# As libshared/base/time.c reads it: no zone is UTC, digits beyond microseconds are cut, second 60 is the next one.
TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-5][0-9]|60)(?:\.([0-9]{0,9}))?"
                  r"(?:[Zz]|([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?(?:(?<=:[0-9]{2}):([0-5][0-9]))?)?")


class Schema(BaseModel):
    """Unknown names are refused, objects of shared.models are read."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


@dataclass(frozen=True)
class Text:
    """A text of so many characters, without NUL."""

    min_length: int | None = None
    max_length: int | None = None

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        form = core_schema.str_schema(strict=True, min_length=self.min_length, max_length=self.max_length)
        return core_schema.no_info_before_validator_function(_without_nul, form)


def _without_nul(text: object) -> object:
    if isinstance(text, str) and "\0" in text:
        raise PydanticCustomError("string_nul", "String should not contain NUL")
    return text


def _as_time(value: object) -> object:
    if isinstance(value, datetime.datetime):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("datetime_type", "Input should be a valid datetime")
    try:
        return _time_of(value)
    except (ValueError, OverflowError) as error:
        raise PydanticCustomError("datetime_parsing", "Input should be a valid datetime, as RFC 3339 has them, of the "
                                  "years 1 to 9999") from error


def _time_of(text: str) -> datetime.datetime:
    found = TIME.fullmatch(text)
    if not found:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction, sign, zone_hours, zone_minutes, zone_seconds = found.groups()[6:]
    zone = datetime.timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0),
                              seconds=int(zone_seconds or 0))
    local = datetime.datetime(year, month, day, hour, minute, min(second, 59), int((fraction or "").ljust(6, "0")[:6]),
                              datetime.UTC)
    return local + datetime.timedelta(seconds=second // 60) - (-zone if sign == "-" else zone)


class Given:
    """For a field that may be absent, and then is None, though null is no value of it."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        form = handler(source)
        return form["schema"] if form["type"] == "nullable" else form


Integer = Annotated[int, Strict()]
Time = Annotated[datetime.datetime, BeforeValidator(_as_time)]
