# SPDX-License-Identifier: MIT
"""Pages of a file, read by lex-intel-extract in its sandbox: the program, the protocol (apps/extract/frame.h) and so
the text are those of lex-intel-worker. Parses no document itself; a child outside its sandbox gets no bytes."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from shared.config import settings
from workers.failures import DocumentError, ReaderError

CONTROL = struct.Struct("<IIIIQiiQIIQ")  # type version sandboxed landlock serial pid status memory cpu_s cpu_ms rss
HEADER = struct.Struct("<IHHI")  # payload size, type, zero, page
START = struct.Struct("<IIIIQQ")
READY, NEW, BORN = 1, 2, 3
HELLO, START_TYPE, INFO, PAGE, PAGE_FAILED, END, ERROR = range(1, 8)
VERSION, PAYLOAD_BYTES_MAX = 1, 64 << 20
CODES = ("", "password_required", "file_damaged", "type_unsupported", "too_large", "too_many_pages", "page_timeout",
         "total_timeout", "extractor_killed", "file_missing")
DEATHS_MAX, READY_S, PIECE_BYTES = 3, 30, 1 << 18


@dataclass(frozen=True)
class Page:
    number: int
    text: str
    error: str | None
    count: int  # pages of the document


class Death(Exception):
    """The child ended, or said nothing for too long, before its last frame."""


async def read_pages(path: Path, first_page: int) -> AsyncIterator[Page]:
    """Each page in order. A page whose reader dies is tried once more, then counted as failed; three deaths end it."""
    next_page, count, deaths, died_on = first_page, 0, 0, 0
    while True:
        try:
            async for page in Child(path, next_page).pages():
                next_page, count = page.number + 1, page.count
                yield page
            return
        except Death as death:
            deaths += 1
            if deaths >= DEATHS_MAX or not count:
                raise DocumentError("extractor_killed") from death
            if died_on == next_page:
                yield Page(next_page, "", "The page could not be read.", count)
                next_page += 1
            died_on = next_page


class Child:
    """One lex-intel-extract and one child of it, for one document."""

    def __init__(self, path: Path, first_page: int) -> None:
        self._path, self._first, self._patience_s = path, first_page, 2 * int(settings.PAGE_TIMEOUT_S) + 5
        self._boxed = settings.LEX_SANDBOX != "off"

    async def pages(self) -> AsyncIterator[Page]:
        with ExitStack() as stack:
            pid, data = await self._born(stack)
            reader, writer = await asyncio.open_connection(sock=data, limit=PIECE_BYTES)
            stack.callback(writer.close)
            kind, _, payload = await self._frame(reader)
            if kind == ERROR:
                raise refusal(payload)
            if self._boxed and not is_boxed(pid):
                raise ReaderError("a helper is not in its sandbox: it gets no document")
            sending = asyncio.create_task(self._send(writer))
            stack.callback(sending.cancel)
            count = 0
            while kind != END:
                kind, number, payload = await self._frame(reader)
                if kind == ERROR:
                    raise refusal(payload)
                if kind == INFO:
                    count = struct.unpack("<II", payload)[1]
                elif kind == PAGE:
                    yield Page(number, payload[4:].decode(), None, count)
                elif kind == PAGE_FAILED:
                    yield Page(number, "", payload[4:].decode(), count)

    async def _born(self, stack: ExitStack) -> tuple[int, socket.socket]:
        """The child's process, and our end of the socket to it."""
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stack.enter_context(control)
        words = [str(settings.LEX_EXTRACT_PROGRAM), *(() if self._boxed else ("--without-sandbox",))]
        with theirs:
            try:
                process = subprocess.Popen(words, stdin=theirs, env={}, stderr=subprocess.DEVNULL)
            except OSError as error:
                raise ReaderError(f"LEX_EXTRACT_PROGRAM {words[0]}: {error.strerror}") from error
        stack.callback(process.wait)
        stack.callback(process.kill)
        control.setblocking(False)
        ready = await self._control(control)
        if ready[0] != READY or ready[1] != VERSION or (self._boxed and not ready[2]):
            raise ReaderError("lex-intel-extract has no sandbox on this machine, or is of another version")
        data, its = socket.socketpair()
        with its:
            new = CONTROL.pack(NEW, 0, 0, 0, 1, 0, 0, int(settings.EXTRACT_MEMORY_BYTES),
                               int(settings.TASK_TIME_LIMIT), 0, 0)
            socket.send_fds(control, [new], [its.fileno()])
        data.setblocking(False)
        born = await self._control(control)
        if born[0] != BORN:
            data.close()
            raise ReaderError(f"lex-intel-extract made no child: {os.strerror(born[6])}")
        return born[5], data

    async def _control(self, control: socket.socket) -> tuple[int, ...]:
        try:
            async with asyncio.timeout(READY_S):
                message = await asyncio.get_running_loop().sock_recv(control, CONTROL.size)
        except TimeoutError:
            message = b""
        if len(message) != CONTROL.size:
            raise ReaderError("lex-intel-extract does not answer")
        return CONTROL.unpack(message)

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        """START, then the file as it is."""
        size = self._path.stat().st_size
        writer.write(HEADER.pack(START.size, START_TYPE, 0, 0) + START.pack(
            self._first, min(int(settings.PAGES_MAX), 100_000),
            min(int(settings.PAGE_TEXT_BYTES_MAX), PAYLOAD_BYTES_MAX), int(settings.PAGE_TIMEOUT_S) * 1000,
            int(settings.DOCUMENT_TEXT_BYTES_MAX), size))
        with self._path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                writer.write(piece)
                await writer.drain()

    async def _frame(self, reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
        try:
            async with asyncio.timeout(self._patience_s):
                size, kind, _, page = HEADER.unpack(await reader.readexactly(HEADER.size))
                if size > PAYLOAD_BYTES_MAX + 4:
                    raise Death(f"a frame of {size} bytes")
                return kind, page, await reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError) as error:
            raise Death(str(error)) from error


def is_boxed(pid: int) -> bool:
    """Whether the kernel says that the child cannot leave its sandbox."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return "Seccomp:\t2" in lines and "NoNewPrivs:\t1" in lines


def refusal(payload: bytes) -> Exception:
    (number,), sentence = struct.unpack("<I", payload[:4]), payload[4:].decode()
    if 0 < number < len(CODES):
        return DocumentError(CODES[number], sentence)
    return ReaderError(sentence or "The document could not be read because of a fault on our side.")
