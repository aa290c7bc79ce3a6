# SPDX-License-Identifier: MIT
"""How far a document is: what a worker says and a page hears.

    publisher = ProgressPublisher(redis_client)
    await publisher.publish_progress("doc-123", 45, "extracting", "Extracted text from page 5 of 10")

    StreamingResponse(ProgressStream(redis_client).stream_progress("doc-123"), media_type="text/event-stream")

Both take our :class:`shared.client.Client`, a client of redis-py, a URL, or nothing (the setting REDIS_URL). However
many viewers there are, a process holds one Redis connection for them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from urllib.parse import quote, urlencode

from . import native
from .client import Client, Parts, client_of_loop

__all__ = ["ProgressPublisher", "ProgressStream"]

FINAL = ("completed", "failed")
UNDER_WAY_MAX = 256  # messages of one publisher whose answer nobody has waited for
PING_S = 15.0
WAITING_MAX = 64  # messages that wait for a slow reader, who then gets the newest alone


def redis_url_of(redis: Any) -> str:
    """The URL of a client of redis-py, with what it needs to connect."""
    kwargs = dict(redis.connection_pool.connection_kwargs)
    database = int(kwargs.get("db") or 0)
    user, password = (quote(str(kwargs.get(name) or ""), safe="") for name in ("username", "password"))
    login = f"{user}:{password}@" if user or password else ""
    if kwargs.get("path"):
        return f"unix://{login}{quote(kwargs['path'])}?{urlencode({'db': database})}"
    secure = "SSL" in redis.connection_pool.connection_class.__name__
    host = kwargs.get("host", "localhost")
    shown = f"[{host}]" if ":" in host else host
    ca = kwargs.get("ssl_ca_certs")
    return (f"{'rediss' if secure else 'redis'}://{login}{shown}:{kwargs.get('port', 6379)}/{database}"
            + (f"?{urlencode({'ssl_ca_certs': ca})}" if secure and ca else ""))


def client_for(redis: Any) -> Client:
    """The client that speaks to the same Redis; one a loop and URL."""
    if isinstance(redis, Client):
        return redis
    if redis is None:
        return client_of_loop()
    return client_of_loop(redis if isinstance(redis, str) else redis_url_of(redis))


class ProgressPublisher:
    """Says how far documents are. At most 20 messages a second a document go out, the newest of those that wait."""

    def __init__(self, redis: Any = None) -> None:
        self._redis = redis
        self._failure: BaseException | None = None

    async def publish_progress(self, document_id: str, progress: int, step: str, message: str) -> None:
        """progress: 0 to 100; step: starting, extracting, chunking, storing, completed or failed. Returns when the
        message is on its way, after completed and failed when it has arrived. The first one of an event loop leaves
        when the loop has connected, one that comes too soon after another 50 ms later: both need the loop to turn.
        The end of the loop, of its client and of :func:`shared.celery.run` waits for what is on its way, two seconds
        at most. A failure of an earlier message that nobody waited for is raised by the next call."""
        client = client_for(self._redis)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        handle = client.handle
        if step in FINAL:
            await self.flush()
            await client.request(
                lambda tag: native.progress_publish(handle, document_id, progress, step, message, tag))
            return
        client.start(lambda tag: native.progress_publish(handle, document_id, progress, step, message, tag), self._done)
        if client.unheard >= UNDER_WAY_MAX:
            await asyncio.sleep(0)

    def _done(self, parts: Parts) -> None:
        if parts[5] is not None:
            self._failure = parts[5]

    async def flush(self) -> None:
        """Waits until the messages so far are sent, those that a newer one has replaced aside."""
        await client_for(self._redis).settle(self._done)


class ProgressStream:
    """Hears how far documents are."""

    def __init__(self, redis: Any = None) -> None:
        self._redis = redis

    async def watch(self, document_id: str, last_event_id: str | None = None) -> AsyncIterator[dict[str, Any]]:
        """Each message as a dict with progress, step, message, id: first what came after last_event_id, or the last
        known state. Ends behind the final one. NotFoundError when there is no such document."""
        async for text, event_id in self._events(document_id, last_event_id):
            message: dict[str, Any] = json.loads(text)
            message.setdefault("id", event_id)
            yield message

    async def stream_progress(self, document_id: str,
                              last_event_id: str | None = None) -> AsyncGenerator[str, None]:
        """The same as server-sent events, with a comment each 15 s that keeps the connection alive."""
        events = self._events(document_id, last_event_id).__aiter__()
        waiting: asyncio.Task[tuple[str, str]] | None = None
        try:
            while True:
                waiting = waiting or asyncio.ensure_future(anext(events))
                done, _ = await asyncio.wait((waiting,), timeout=PING_S)
                if not done:
                    yield ": ping\n\n"
                    continue
                try:
                    text, event_id = waiting.result()
                except StopAsyncIteration:
                    return
                waiting = None
                yield (f"id: {event_id}\n" if event_id else "") + f"data: {text}\n\n"
        finally:
            if waiting is not None:
                waiting.cancel()

    async def _events(self, document_id: str, last_event_id: str | None) -> AsyncIterator[tuple[str, str]]:
        client = client_for(self._redis)
        handle = client.handle
        stream = client.stream(
            lambda tag: native.progress_subscribe(handle, document_id, last_event_id or None, tag),
            newest_of=WAITING_MAX)
        try:
            async for parts in stream:
                if parts[2] == native.EVENT_PROGRESS:
                    event_id, text = parts[4]
                    yield text, event_id
        finally:
            stream.close()
