# SPDX-License-Identifier: MIT
"""shared.errors.classify(): whether trying again may help, for exceptions of anybody."""

from __future__ import annotations

import asyncio
import errno
import socket
import subprocess
import sys

import psycopg
import pytest
import redis
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from shared.errors import PermanentError, RetryableError, classify


class OfMyOwn(redis.exceptions.BusyLoadingError):
    pass


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def in_a_circle() -> BaseException:
    error = ValueError("x")
    return caused(error, caused(ValueError("y"), error))


@pytest.mark.parametrize("error", [
    RetryableError("x"), TimeoutError(), ConnectionResetError(), MemoryError(), OSError(errno.ENOSPC, "full"),
    psycopg.errors.DeadlockDetected("x"), asyncio.IncompleteReadError(b"", 4),
    socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
    redis.exceptions.ConnectionError("x"), redis.exceptions.TimeoutError("x"), OfMyOwn("x"),
    redis.exceptions.MasterDownError("x"), redis.exceptions.ReadOnlyError("x"), sa.exc.TimeoutError("pool"),
    sa.exc.OperationalError("SELECT 1", {}, psycopg.errors.DeadlockDetected("x")),
    caused(LookupError("x"), caused(ValueError("y"), TimeoutError())),
], ids=repr)
def test_retryable(error: BaseException) -> None:
    assert classify(error) == "retryable"


@pytest.mark.parametrize("error", [
    PermanentError("x"), ValueError("x"), OSError(errno.EISDIR, "x"), OSError("x"),
    psycopg.errors.UniqueViolation("x"), psycopg.OperationalError("no SQLSTATE"),
    socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
    redis.exceptions.AuthenticationError("x"), redis.exceptions.ResponseError("x"), redis.exceptions.WatchError("x"),
    sa.exc.IntegrityError("SELECT 1", {}, psycopg.errors.UniqueViolation("x")),
    caused(PermanentError("x"), TimeoutError()), in_a_circle(),
], ids=repr)
def test_permanent(error: BaseException) -> None:
    assert classify(error) == "permanent"


def test_nobody_else_is_imported() -> None:
    code = ("import sys; from shared.errors import classify; print(classify(ValueError()));"
            "print({'redis', 'sqlalchemy', 'asyncio'} & set(sys.modules))")
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "permanent\nset()\n"


async def test_a_deadlock_of_an_engine(pg: psycopg.Connection) -> None:
    pg.execute("INSERT INTO cases (id, title) VALUES ('a', 'x'), ('b', 'x')")
    engine = create_async_engine("postgresql+shared://")

    async def lock(connection: AsyncConnection, key: str) -> None:
        await connection.execute(sa.text("SELECT FROM cases WHERE id = :key FOR UPDATE"), {"key": key})
    async with engine.connect() as first, engine.connect() as second:
        await asyncio.gather(lock(first, "a"), lock(second, "b"))
        ends = await asyncio.gather(lock(first, "b"), lock(second, "a"), return_exceptions=True)
    (failure,) = (end for end in ends if end is not None)
    assert isinstance(failure, sa.exc.OperationalError) and classify(failure) == "retryable"
    await engine.dispose()


async def test_a_terminated_connection_of_an_engine(pg: psycopg.Connection) -> None:
    engine = create_async_engine("postgresql+shared://")
    async with engine.connect() as connection:
        pid = await connection.scalar(sa.text("SELECT pg_backend_pid()"))
        pg.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        with pytest.raises(sa.exc.DBAPIError) as raised:
            await connection.execute(sa.text("SELECT 1"))
    assert classify(raised.value) == "retryable"
    await engine.dispose()
