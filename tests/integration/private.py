# SPDX-License-Identifier: MIT
"""Servers of one test's own: a Redis with the options that it wants, a server that answers what it is told, an
authority and certificates. Everything is on 127.0.0.1 and in a temporary folder, and gone after the test."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from dev.process import wait_until
from dev.servers import HOST, port_choose, service_user


class PrivateRedis:
    """redis-server with options; without a password unless they say so."""

    def __init__(self, *options: str, folder: Path | None = None, port: int = 0) -> None:
        self.port = port or port_choose()
        self.folder = folder or Path(tempfile.mkdtemp(prefix="lex-redis-"))
        self.process = subprocess.Popen(
            ["redis-server", "--bind", HOST, "--port", str(self.port), "--save", "", "--dir", str(self.folder),
             "--logfile", str(self.folder / "log"), "--enable-debug-command", "yes", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.answers, 30, "redis-server")

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}"

    def connect(self) -> redis.Redis:
        return redis.Redis(host=HOST, port=self.port, decode_responses=True)

    def answers(self) -> bool:
        """Whatever it says."""
        try:
            with socket.create_connection((HOST, self.port), 1) as connection:
                connection.settimeout(1)
                connection.sendall(b"PING\r\n")
                return bool(connection.recv(64))
        except OSError:
            return False

    def close(self) -> None:
        self.process.kill()
        self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def redis_with(*options: str) -> Iterator[PrivateRedis]:
    server = PrivateRedis(*options)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def server_that(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Each connection is given to `serve`, in a thread of its own; the port."""
    listener = socket.create_server((HOST, 0))
    connections: list[socket.socket] = []

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            serve(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threading.Thread(target=one, args=[connection], daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            connection.close()
        thread.join(10)


class Authority:
    """A certificate authority, and what it signs; made with openssl."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "authority.pem"
        self.run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test authority",
                 "-keyout", "authority.key", "-out", "authority.pem")

    def run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)

    def sign(self, name: str, *subjects: str) -> tuple[Path, Path]:
        """Certificate and key for the subjects, as "DNS:localhost"; readable by PostgreSQL's user."""
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={','.join(subjects)}\n")
        self.run("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                 "-out", f"{name}.csr")
        self.run("x509", "-req", "-in", f"{name}.csr", "-CA", "authority.pem", "-CAkey", "authority.key",
                 "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        key.chmod(0o600)
        if user := service_user():
            os.chown(key, pwd.getpwnam(user).pw_uid, -1)
        return certificate, key
