# SPDX-License-Identifier: MIT
"""What went wrong, and whether trying again may help.

Raise :class:`PermanentError` when it will not, :class:`RetryableError` when it may: a worker then retries after 60,
120, 240 and 480 seconds. The library raises subclasses of the same two; each carries what PostgreSQL, Redis or the
system said. All of them can be pickled, as Celery does.
"""

from __future__ import annotations

import socket
from typing import Any

__all__ = ["BusyError", "ClosedError", "ConflictError", "ForkedError", "InvalidError", "NotFoundError",
           "OutcomeUnknownError", "PermanentError", "RequestCancelledError", "RequestTimeoutError", "RetryableError",
           "SchemaError", "SharedError", "VersionError", "classify"]

DOMAINS = {1: "caller", 2: "system", 3: "postgres", 4: "redis", 5: "schema", 6: "task"}


class SharedError(Exception):
    """A failure. `message` is a sentence; the other attributes are "" where nothing is known."""

    retryable = False
    code = "error"
    domain = ""
    sqlstate = ""
    detail = ""
    hint = ""
    operation = ""

    @property
    def message(self) -> str:
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, dict(self.__dict__)


class PermanentError(SharedError):
    """It will fail again until somebody changes something: a document that is not there, a rule that is broken."""

    code = "permanent"


class RetryableError(SharedError):
    """The same call may succeed later, unchanged: a server went away, a deadlock, a full disk."""

    retryable = True
    code = "retryable"


class InvalidError(PermanentError, ValueError):
    """An argument is not acceptable; the message names it, the value and the limit."""

    code = "invalid"


class NotFoundError(PermanentError, LookupError):
    """No such row, document or task."""

    code = "not_found"


class ConflictError(PermanentError):
    """Unique, foreign key or fence: somebody else was first."""

    code = "conflict"


class SchemaError(PermanentError, ValueError):
    """A record breaks rules of its model. `failures` has pydantic's list: type, loc, msg, input, ctx."""

    code = "schema"
    failures: list[dict[str, Any]] = []  # noqa: RUF012  set on the instance


class ForkedError(PermanentError):
    """The client belongs to the parent process; open one of your own."""

    code = "forked"


class VersionError(PermanentError, ImportError):
    """The library that was loaded is older than the one these bindings were made for."""

    code = "version"


class BusyError(RetryableError):
    """A bound is reached (requests in flight, connections); nothing was accepted."""

    code = "busy"


class ClosedError(RetryableError, ConnectionError):
    """The connection ended before the answer; nothing was done."""

    code = "closed"


class RequestTimeoutError(RetryableError, TimeoutError):
    """The deadline passed."""

    code = "timeout"


class RequestCancelledError(RetryableError):
    """The request was cancelled, or its session closed; a statement may have run."""

    code = "cancelled"


class OutcomeUnknownError(RetryableError):
    """The answer to a COMMIT was lost: read again to learn the outcome."""

    code = "unknown"


# SHARED_E... -> its class. EREMOTE (-9) is what the server said: permanent or retryable by its own class.
CLASSES: dict[int, type[SharedError]] = {
    -1: InvalidError, -2: NotFoundError, -3: ConflictError, -4: BusyError, -5: ClosedError, -6: RequestTimeoutError,
    -8: SchemaError, -10: ForkedError, -11: RequestCancelledError, -12: OutcomeUnknownError}
MEMORY = -7


# Classes of others, by name since none of them need be installed -> whether trying again may help. A class that is not
# here is what the nearest of its bases is.
OTHERS: dict[str, bool] = {
    "asyncio.exceptions.IncompleteReadError": True,
    "redis.exceptions.AuthenticationError": False,
    "redis.exceptions.AuthorizationError": False,
    "redis.exceptions.ClusterDownError": True,
    "redis.exceptions.ConnectionError": True,
    "redis.exceptions.OutOfMemoryError": True,
    "redis.exceptions.ReadOnlyError": True,
    "redis.exceptions.TimeoutError": True,
    "redis.exceptions.TryAgainError": True,
    "sqlalchemy.exc.TimeoutError": True}
CAUSES_MAX = 16


def classify(error: BaseException) -> str:
    """ "retryable" or "permanent", for any exception: ours, the system's, redis-py's, one with a SQLSTATE (asyncpg,
    psycopg), or one that was raised from such a one, as SQLAlchemy's are."""
    cause: BaseException | None = error
    for _ in range(CAUSES_MAX):
        if cause is None:
            break
        retryable = _is_retryable(cause)
        if retryable is not None:
            return "retryable" if retryable else "permanent"
        wrapped = getattr(cause, "orig", None)
        cause = wrapped if isinstance(wrapped, BaseException) else cause.__cause__
    return "permanent"


def _is_retryable(error: BaseException) -> bool | None:
    """None: it does not say so itself."""
    from . import native
    if isinstance(error, SharedError):
        return error.retryable
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str) and state:
        return native.classify_sqlstate(state) == native.RETRYABLE
    if isinstance(error, (TimeoutError, ConnectionError, MemoryError)):
        return True
    if isinstance(error, socket.gaierror):  # its numbers are of a kind of their own
        return error.errno == socket.EAI_AGAIN
    if isinstance(error, OSError) and error.errno:
        return native.classify_errno(error.errno) == native.RETRYABLE
    names = (f"{each.__module__}.{each.__qualname__}" for each in type(error).__mro__)
    return next((OTHERS[name] for name in names if name in OTHERS), None)


def make(kind: int, domain: int, code: int, sqlstate: str, message: str, detail: str, hint: str,
         operation: str) -> BaseException:
    """The exception for an error of the library; called by rows.c."""
    if code == MEMORY:
        return MemoryError(message)
    error = CLASSES.get(code, RetryableError if kind == 2 else PermanentError)(message)
    if error.retryable != (kind == 2):  # the table of the library decides, whatever its code
        error.retryable = kind == 2
    error.domain, error.sqlstate, error.detail = DOMAINS.get(domain, ""), sqlstate, detail
    error.hint, error.operation = hint, operation
    if isinstance(error, SchemaError):
        import json

        from . import native
        error.failures = json.loads(native.record_failures())
    return error
