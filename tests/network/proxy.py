# SPDX-License-Identifier: MIT
"""A bad network: a proxy before one server that delays, splits into single bytes, cuts three ways, falls silent and
answers garbage, when it is told to. One thread; never understands what it carries."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field

RST, FIN, HOLE, GARBAGE = "rst", "fin", "hole", "garbage"
UP, DOWN = 0, 1  # from the client, from the server
LINGER_NONE = b"\1\0\0\0\0\0\0\0"
BLOCK = 65536


@dataclass
class Cut:
    """What happens once `left` more bytes have passed in a direction, on whatever connection."""

    way: str
    direction: int
    left: int


@dataclass(eq=False)
class Line:
    """One connection: its two ends, and whether it swallows everything by now."""

    ends: list[socket.socket]
    silent: bool = False
    closed: bool = False
    due_s: list[float] = field(default_factory=lambda: [0.0, 0.0])  # when the last block of a direction leaves


class Proxy:
    """Set its fields at any time; they hold for what comes from then on."""

    def __init__(self, port: int) -> None:
        self.server = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.selector = selectors.DefaultSelector()
        self.lines: set[Line] = set()
        self.later: list[tuple[float, int, Line, int, bytes]] = []
        self.order = itertools.count()
        self.cut: Cut | None = None
        self.garbage = b"\xff\x00not what you expected\r\n" * 3
        self.delay_s = 0.0
        self.split = False
        self.dead = False  # whoever comes is accepted, and hears nothing
        self.passed = [0, 0]
        self.cuts = 0
        self.over = False
        self.waker, self.woken = socket.socketpair()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.woken, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    # -- for tests -------------------------------------------------------------------------------------------------

    def arm(self, way: str, direction: int, left: int) -> None:
        """The next cut, once."""
        with self.lock:
            self.cut = Cut(way, direction, left)

    def behave(self) -> None:
        """From now on a good network; what is silent already is reset, as a router that came back would."""
        with self.lock:
            self.cut, self.delay_s, self.split, self.dead = None, 0.0, False, False
            for line in [line for line in self.lines if line.silent]:
                self.close(line, reset=True)

    def drop_all(self) -> None:
        """Resets every connection."""
        with self.lock:
            for line in list(self.lines):
                self.close(line, reset=True)

    def stop(self) -> None:
        self.over = True
        self.waker.send(b"x")
        self.thread.join(10)
        self.drop_all()
        for one in (self.listener, self.waker, self.woken):
            one.close()
        self.selector.close()

    # -- its thread ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        while not self.over:
            with self.lock:
                wait_s = max(0.0, self.later[0][0] - time.monotonic()) if self.later else 1.0
            events = self.selector.select(wait_s)
            with self.lock:
                for key, _ in events:
                    self.ready(key)
                while self.later and self.later[0][0] <= time.monotonic():
                    _, _, line, direction, block = heapq.heappop(self.later)
                    self.give(line, direction, block)

    def ready(self, key: selectors.SelectorKey) -> None:
        if key.fileobj is self.listener:
            self.accept()
        elif key.data:
            line, direction = key.data
            if not line.closed:
                self.take(line, direction)

    def accept(self) -> None:
        client, _ = self.listener.accept()
        if self.dead:
            self.lines.add(Line([client], silent=True))
            return
        try:
            server = socket.create_connection(self.server, 5)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
            client.close()
            return
        line = Line([client, server])
        self.lines.add(line)
        for direction, end in enumerate(line.ends):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(end, selectors.EVENT_READ, (line, direction))

    def take(self, line: Line, direction: int) -> None:
        try:
            block = line.ends[direction].recv(BLOCK)
        except OSError:
            block = b""
        if not block and not line.silent:
            self.close(line)
        elif not block:
            self.selector.unregister(line.ends[direction])
        else:
            self.carry(line, direction, block)

    def carry(self, line: Line, direction: int, block: bytes) -> None:
        """Now or later, but never before what came earlier: this network is bad, and still TCP."""
        now_s = time.monotonic()
        due_s = max(now_s + self.delay_s, line.due_s[direction])
        waits = any(entry[2] is line and entry[3] == direction for entry in self.later)
        if due_s <= now_s and not waits:
            self.give(line, direction, block)
            return
        line.due_s[direction] = due_s
        heapq.heappush(self.later, (due_s, next(self.order), line, direction, block))

    def give(self, line: Line, direction: int, block: bytes) -> None:
        if line.closed or line.silent:
            return
        cut = self.cut if self.cut and self.cut.direction == direction else None
        if cut and len(block) < cut.left:
            cut.left -= len(block)
            cut = None
        rest = block[:cut.left] if cut else block
        self.passed[direction] += len(rest)  # before anybody can have seen them
        if self.split:
            for index in range(len(rest)):
                self.send(line, 1 - direction, rest[index:index + 1])
        else:
            self.send(line, 1 - direction, rest)
        if cut:
            self.cut = None
            self.cuts += 1
            self.act(line, cut)

    def act(self, line: Line, cut: Cut) -> None:
        if cut.way == HOLE:
            line.silent = True
        elif cut.way == GARBAGE:
            self.send(line, 1 - cut.direction, self.garbage)
            self.close(line)
        else:
            self.close(line, reset=cut.way == RST)

    def send(self, line: Line, to: int, block: bytes) -> None:
        if line.closed or not block:
            return
        try:
            line.ends[to].sendall(block)
        except OSError:
            self.close(line)

    def close(self, line: Line, reset: bool = False) -> None:
        if line.closed:
            return
        line.closed = True
        self.lines.discard(line)
        for end in line.ends:
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(end)
            if reset:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
            end.close()
