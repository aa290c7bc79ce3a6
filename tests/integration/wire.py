# SPDX-License-Identifier: MIT
"""HTTP as bytes, forms of any shape, and event streams: for tests of what a well-behaved client never sends."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg
import redis

PROBE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
BOUNDARY = "test-boundary"
FORM_TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def connect(url: str, timeout_s: float = 10) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=timeout_s)


def read_all(connection: socket.socket, timeout_s: float = 10) -> bytes:
    """What comes until the other side closes."""
    connection.settimeout(timeout_s)
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    return received


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def read_answers(connection: socket.socket, count: int, timeout_s: float = 10) -> list[Answer]:
    """Up to `count` answers with a Content-Length each; fewer when the other side closes first."""
    connection.settimeout(timeout_s)
    file = connection.makefile("rb")
    answers: list[Answer] = []
    with contextlib.suppress(ConnectionResetError):
        while len(answers) < count and (line := file.readline()):
            headers: dict[str, str] = {}
            while (header := file.readline().strip()):
                name, _, value = header.decode().partition(":")
                headers[name.lower()] = value.strip()
            status = int(line.split()[1])
            size = 0 if status in (100, 204, 304) else int(headers.get("content-length", "0"))
            answers.append(Answer(status, headers, file.read(size)))
    return answers


def exchange(url: str, request: bytes, count: int = 1, timeout_s: float = 10) -> list[Answer]:
    """Sends raw bytes, reads up to `count` answers."""
    with connect(url, timeout_s) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        return read_answers(connection, count, timeout_s)


def part(name: str, content: bytes, file_name: str | bytes | None = None, **headers: str) -> bytes:
    """One part of a form; names go out as they are given."""
    raw = file_name.encode() if isinstance(file_name, str) else file_name
    head = f'Content-Disposition: form-data; name="{name}"'.encode()
    if raw is not None:
        head += b'; filename="' + raw + b'"'
    for key, value in headers.items():
        head += f"\r\n{key.replace('_', '-')}: {value}".encode()
    return f"--{BOUNDARY}\r\n".encode() + head + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


@dataclass
class Event:
    id: str | None
    data: Any


@dataclass
class Stream:
    """An event stream as EventSource reads it: the last id, events, the pause that was asked for."""

    connection: socket.socket
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    last_id: str | None = None
    retry: int | None = None
    comments: list[str] = field(default_factory=list)
    buffer: bytes = b""
    opened_s: float = 0

    def more(self, deadline: float) -> bool:
        """False when the other side closed."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing came; so far {self.buffer!r}")
        self.connection.settimeout(left)
        try:
            received = self.connection.recv(65536)
        except ConnectionResetError:
            received = b""
        self.buffer += received
        return bool(received)

    def open(self, timeout_s: float = 10) -> Stream:
        deadline = time.monotonic() + timeout_s
        while b"\r\n\r\n" not in self.buffer:
            assert self.more(deadline), f"closed within the head: {self.buffer!r}"
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if self.status != 200:
            while self.more(deadline):
                pass
            self.body = self.buffer
        return self

    def event(self, timeout_s: float = 10) -> Event | None:
        """The next event; None at the end of the stream."""
        deadline = time.monotonic() + timeout_s
        while True:
            while b"\n\n" not in self.buffer:
                if not self.more(deadline):
                    return None
            block, _, self.buffer = self.buffer.partition(b"\n\n")
            data = self.take_block(block.decode())
            if data:
                return Event(self.last_id, json.loads("\n".join(data)))

    def take_block(self, block: str) -> list[str]:
        data: list[str] = []
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not name:
                self.comments.append(value)
            elif name == "data":
                data.append(value)
            elif name == "id":
                self.last_id = value
            elif name == "retry":
                self.retry = int(value)
        return data

    def events(self, timeout_s: float = 10) -> list[Event]:
        """All up to the end of the stream."""
        return list(iter(lambda: self.event(timeout_s), None))

    def comment(self, text: str, timeout_s: float = 10) -> None:
        """Reads on until this comment has come."""
        deadline = time.monotonic() + timeout_s
        while text not in self.comments:
            while b"\n\n" not in self.buffer:
                assert self.more(deadline), "closed"
            block, _, self.buffer = self.buffer.partition(b"\n\n")
            self.take_block(block.decode())

    def close(self) -> None:
        self.connection.close()


@contextlib.contextmanager
def stream(url: str, path: str, last_id: str | None = None, timeout_s: float = 10) -> Iterator[Stream]:
    connection = connect(url, timeout_s)
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
        if last_id is not None:
            head += f"Last-Event-ID: {last_id}\r\n"
        connection.sendall(head.encode() + b"\r\n")
        yield Stream(connection, opened_s=time.monotonic()).open(timeout_s)
    finally:
        connection.close()


PUBLISH = """
local message = cjson.decode(ARGV[1])
local id = redis.call('XADD', KEYS[1], '*', 'd', ARGV[1])
local text = string.sub(ARGV[1], 1, -2) .. ',"id":"' .. id .. '"}'
redis.call('PUBLISH', KEYS[2], text)
return id
"""


@dataclass
class Publisher:
    """What a worker says, without a worker: row and message together."""

    pg: psycopg.Connection
    redis: redis.Redis

    def say(self, document_id: str, progress: int, step: str = "extracting", message: str = "") -> str:
        """Into the log and to who listens; a final step changes the row first. Returns the message's id."""
        status = step if step in ("completed", "failed") else "processing"
        self.pg.execute("UPDATE documents SET extraction_status = %s, updated_at = now() WHERE id = %s"
                        " AND extraction_status <> %s", [status, document_id, status])
        body = {"progress": progress, "step": step, "message": message}
        if status != "processing":
            body["final"] = True
        return self.redis.eval(PUBLISH, 2, f"progress-log:{document_id}", f"progress:{document_id}",
                               json.dumps(body, separators=(",", ":")))

    def say_only(self, document_id: str, progress: int, step: str = "extracting", message: str = "") -> None:
        """As Python's publishers do: no log, no id."""
        self.redis.publish(f"progress:{document_id}", json.dumps({"progress": progress, "step": step,
                                                                  "message": message}))
