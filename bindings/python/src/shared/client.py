# SPDX-License-Identifier: MIT
"""One connection to everything, for one event loop: requests go out with a tag, and each is a future that its last
event completes. People rarely need it: :func:`shared.database.async_session` and the others use the loop's own
client."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import warnings
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from . import native
from .errors import NotFoundError, RequestCancelledError

__all__ = ["Client", "client_of_loop"]

DESCRIBED_TAGS = 1 << 62  # rows.h
SETTLE_S = 2.0  # what nobody waits for may take so long to leave before its client ends
Parts = tuple[int, int, int, int, Any, BaseException | None]  # of rows.c: tag, more, kind, count, payload, error


class Client:
    """Belongs to the event loop that runs when it is made. ``async with Client() as client: ...`` closes it."""

    def __init__(self, settings: Mapping[str, object] | None = None, *, _of_loop: bool = False) -> None:
        config = native.config_from_env()
        for name, value in (settings or {}).items():
            native.config_set(config, name, str(value))
        self.stream_rows_max = int(native.config_get(config, "STREAM_ROWS_MAX"))
        self._loop = asyncio.get_running_loop()
        self._pid = os.getpid()
        self._tags = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Parts] | Stream | Callable[[Parts], None]] = {}
        self._turns: list[asyncio.Future[None]] = []
        self._native: native.client | None = native.client_new(config)
        self._fd = native.client_fd(self._native)
        me = weakref.ref(self)  # or the loop would keep it alive for ever
        self._loop.add_reader(self._fd, _ready, me)
        self._finalizer = weakref.finalize(self, _forgotten, self._loop, self._fd, self._pid, not _of_loop)

    @property
    def handle(self) -> native.client:
        if self._native is None:
            raise RuntimeError("the client is closed")
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("the client belongs to another event loop; make one for this loop")
        return self._native

    async def request(self, start: Callable[[int], object], *, described: bool = False) -> Parts:
        """Starts a request with a tag and waits for its last event; a cancelled wait cancels the request. described:
        rows come with names and types, as rows.h says."""
        self.handle  # noqa: B018  raises when it cannot be used here
        tag = next(self._tags) + described * DESCRIBED_TAGS
        start(tag)
        future: asyncio.Future[Parts] = self._loop.create_future()
        waiting = self._waiting
        waiting[tag] = future
        if len(waiting) == 1:  # alone it leaves at once; others that come meanwhile leave together in the loop's turn
            self._dispatch()
        try:
            parts = await future
        except asyncio.CancelledError:
            self.cancel(tag)
            raise
        if parts[5] is not None:
            raise parts[5]
        return parts

    def stream(self, start: Callable[[int], object], *, newest_of: int = 0) -> Stream:
        """Starts a request of several events; iterate over them. newest_of: when so many wait, the next one replaces
        them all; 0: none may be left out, and the request bounds them."""
        self.handle  # noqa: B018
        tag = next(self._tags)
        start(tag)
        stream = Stream(self, tag, newest_of)
        self._waiting[tag] = stream
        return stream

    def start(self, start: Callable[[int], object], done: Callable[[Parts], None]) -> None:
        """Starts a request that nobody waits for; done is called with its last event. It leaves at once: who does not
        wait may well keep the loop from turning."""
        tag = next(self._tags)
        start(tag)
        self._waiting[tag] = done
        self._dispatch()

    @property
    def unheard(self) -> int:
        """Requests under way."""
        return len(self._waiting)

    async def settle(self, done: Callable[[Parts], None]) -> None:
        """Waits until no request of this callback is under way."""
        while any(waiting == done for waiting in self._waiting.values()):
            await self._turned()

    async def _settle_all(self) -> None:
        """The same for all that :meth:`start` has started."""
        while any(callable(waiting) for waiting in self._waiting.values()):
            await self._turned()

    async def _turned(self) -> None:
        """Until the next events have come."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._turns.append(future)
        await future

    def cancel(self, tag: int) -> None:
        if self._native is not None:
            with contextlib.suppress(NotFoundError):
                native.client_cancel(self._native, tag)

    def _dispatch(self) -> None:
        if self._native is None:
            return
        for parts in native.drain(self._native):
            tag, more = parts[0], parts[1]
            waiting = self._waiting.get(tag) if more else self._waiting.pop(tag, None)
            if isinstance(waiting, Stream):
                waiting.put(parts)
            elif isinstance(waiting, asyncio.Future):
                if not waiting.done():
                    waiting.set_result(parts)
            elif waiting is not None:
                waiting(parts)
        for future in self._turns:
            if not future.done():
                future.set_result(None)
        self._turns.clear()

    @property
    def closed(self) -> bool:
        return self._native is None

    async def ping(self) -> None:
        """Both servers answer, or the exception names the one that does not."""
        for domain in (native.POSTGRES, native.REDIS):
            await self.request(lambda tag, domain=domain: native.client_ping(self.handle, domain, tag))  # type: ignore[misc]

    async def close(self) -> None:
        """Ends what is open: requests under way raise, transactions roll back. What nobody waits for, such as progress,
        is sent before."""
        try:
            await _settled([self])
        finally:
            self._end()

    def _end(self) -> None:
        handle, self._native = self._native, None
        if handle is None:
            return
        self._finalizer.detach()
        if os.getpid() == self._pid and not self._loop.is_closed():
            self._loop.remove_reader(self._fd)
        native.handle_close(handle)
        error = RuntimeError("the client was closed")
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            if isinstance(one, Stream):
                one.put((0, 0, 0, 0, None, error))
            elif isinstance(one, asyncio.Future):
                if not one.done() and not self._loop.is_closed():
                    one.set_result((0, 0, 0, 0, None, error))
            else:
                one((0, 0, 0, 0, None, error))
        for future in self._turns:
            if not future.done() and not self._loop.is_closed():
                future.set_result(None)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.close()


class Stream:
    """Events of one request, in order."""

    def __init__(self, client: Client, tag: int, newest_of: int) -> None:
        self._client, self._tag, self._newest_of = client, tag, newest_of
        self._queue: asyncio.Queue[Parts] = asyncio.Queue()
        self._ended = self._stopped = False

    def put(self, parts: Parts) -> None:
        if parts[1] and self._newest_of and self._queue.qsize() >= self._newest_of:
            while not self._queue.empty():
                self._queue.get_nowait()
        self._queue.put_nowait(parts)

    async def __aiter__(self) -> AsyncIterator[Parts]:
        try:
            while not self._ended:
                parts = await self._queue.get()
                self._ended = not parts[1]
                if isinstance(parts[5], RequestCancelledError) and self._stopped:
                    return
                if parts[5] is not None:
                    raise parts[5]
                yield parts
        finally:
            self.close()

    def stop(self) -> None:
        """Asks for its end; events that are on their way still come."""
        if not self._ended:
            self._stopped = True
            self._client.cancel(self._tag)

    def close(self) -> None:
        """Stops it, when it has not ended."""
        if not self._ended:
            self._ended = True
            self._client.cancel(self._tag)


def _ready(reference: weakref.ref[Client]) -> None:
    client = reference()
    if client is not None:
        client._dispatch()


def _forgotten(loop: asyncio.AbstractEventLoop, fd: int, pid: int, warn: bool) -> None:
    if os.getpid() == pid and not loop.is_closed():
        loop.remove_reader(fd)
    if warn:
        warnings.warn("a shared.client.Client was not closed", ResourceWarning, stacklevel=2)


# --- the clients of each loop -----------------------------------------------------------------------------------------

_clients: dict[asyncio.AbstractEventLoop, dict[str, Client]] = {}
_ends: dict[asyncio.AbstractEventLoop, AsyncGenerator[None, None]] = {}
_is_forked = False  # this is a child, and what stands above is its parent's


def _forked() -> None:
    global _is_forked
    _is_forked = True


os.register_at_fork(after_in_child=_forked)


def client_of_loop(redis_url: str = "") -> Client:
    """The running loop's own client, made when first asked for; with a URL the one that speaks to that Redis. It ends
    with its loop. In a child of fork a new one is made, and nothing is sent on the parent's sockets."""
    if _is_forked:
        _forget_parent()
    loop = asyncio.get_running_loop()
    clients = _clients.get(loop)
    if clients is None:
        for other in [other for other in list(_clients) if other.is_closed()]:
            _end_of_loop(other)
        clients = _clients[loop] = {}
        _ends[loop] = _until_loop_ends(loop)
        with contextlib.suppress(StopIteration):  # runs to its yield: the loop knows it from now on
            _ends[loop].__anext__().__await__().__next__()
    client = clients.get(redis_url)
    if client is None or client._native is None:
        client = clients[redis_url] = Client({"REDIS_URL": redis_url} if redis_url else None, _of_loop=True)
    return client


async def settle_loop() -> None:
    """Waits until what the running loop's clients have started for nobody is done, two seconds at most."""
    await _settled(_clients.get(asyncio.get_running_loop(), {}).values())


async def _settled(clients: Iterable[Client]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_S):
            for client in list(clients):
                await client._settle_all()


async def _until_loop_ends(loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
    """asyncio.run() closes the asynchronous generators of its loop at the end: the one hook that all loops have."""
    try:
        yield
    finally:
        try:
            await settle_loop()
        finally:
            _end_of_loop(loop)


def _end_of_loop(loop: asyncio.AbstractEventLoop) -> None:
    _ends.pop(loop, None)
    for client in _clients.pop(loop, {}).values():
        client._end()


def _forget_parent() -> None:
    """Its descriptors are closed here. Its loop is left as it is: what would wake it is shared with the parent."""
    global _is_forked
    _is_forked = False
    for clients in list(_clients.values()):
        for client in clients.values():
            client._end()
    _clients.clear()
