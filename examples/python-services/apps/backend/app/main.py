# SPDX-License-Identifier: MIT
"""The application: `uvicorn app.main:app`. Every path is at / and at /api, errors are `{"detail": ...}`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from app.api import cases, documents
from shared import native
from shared.client import client_of_loop
from shared.errors import RetryableError, SharedError
from shared.utils import get_logger

logger = get_logger("backend")


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """While the server runs, tasks that committed sessions have enqueued are sent."""
    client = client_of_loop()
    relay = client.stream(lambda tag: native.queue_relay(client.handle, tag))
    logger.info("ready")
    yield
    relay.close()
    await client.close()


app = FastAPI(title="lex-intel", lifespan=lifespan)
for router in (cases.router, documents.router):
    app.include_router(router)
    app.include_router(router, prefix="/api", include_in_schema=False)


@app.exception_handler(SharedError)
async def refuse(_request: Request, error: SharedError) -> JSONResponse:
    """A server that is away is not the client's fault."""
    logger.warning(error.message)
    if isinstance(error, RetryableError) or error.retryable:
        return JSONResponse({"detail": error.message}, 503, {"Retry-After": "5"})
    return JSONResponse({"detail": error.message}, 422 if isinstance(error, ValueError) else 500)


@app.get("/readyz", include_in_schema=False)
async def readyz() -> dict[str, str]:
    """Both servers answer."""
    await client_of_loop().ping()
    return {"status": "ready"}
