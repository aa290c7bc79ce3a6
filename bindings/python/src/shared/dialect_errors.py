# SPDX-License-Identifier: MIT
"""DBAPI's exceptions, which SQLAlchemy wraps, made of the library's by SQLSTATE. Never decides what may be tried again:
the library's own, in ``__cause__``, says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from . import errors


class Error(Exception):
    """What the database said. `sqlstate` is "" where it said nothing."""

    sqlstate = ""
    detail = ""
    hint = ""

    @property
    def pgcode(self) -> str:
        """The name of psycopg2's for it."""
        return self.sqlstate


class InterfaceError(Error):
    pass


class DatabaseError(Error):
    pass


class OperationalError(DatabaseError):
    pass


class ProgrammingError(DatabaseError):
    pass


class IntegrityError(DatabaseError):
    pass


class DataError(DatabaseError):
    pass


class InternalError(DatabaseError):
    pass


class NotSupportedError(DatabaseError):
    pass


# The first two characters of a SQLSTATE -> what DBAPI calls it; others are a DatabaseError.
CLASSES: dict[str, type[Error]] = {
    "0A": NotSupportedError, "21": ProgrammingError, "22": DataError, "23": IntegrityError, "28": OperationalError,
    "3D": ProgrammingError, "3F": ProgrammingError, "42": ProgrammingError, "44": IntegrityError,
    "40": OperationalError, "53": OperationalError, "54": OperationalError, "55": OperationalError,
    "57": OperationalError, "58": OperationalError, "08": OperationalError, "XX": InternalError}
LOST = (errors.ClosedError, errors.OutcomeUnknownError, errors.ForkedError)
LOST_STATES = ("57P01", "57P02", "57P03", "08")


def translated(cause: Exception) -> Error:
    state = getattr(cause, "sqlstate", "")
    if state:
        kind = CLASSES.get(state[:2], DatabaseError)
    elif isinstance(cause, errors.SharedError):
        kind = OperationalError if cause.retryable else InterfaceError
    else:
        kind = DataError if isinstance(cause, (TypeError, ValueError, OverflowError)) else InterfaceError
    made = kind("\n".join(filter(None, (str(cause), getattr(cause, "detail", ""), getattr(cause, "hint", "")))))
    made.sqlstate, made.detail, made.hint = state, getattr(cause, "detail", ""), getattr(cause, "hint", "")
    made.__cause__ = cause
    return made


@contextlib.contextmanager
def translating() -> Iterator[None]:
    try:
        yield
    except Error:
        raise
    except Exception as error:
        raise translated(error) from error
