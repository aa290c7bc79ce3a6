# SPDX-License-Identifier: MIT
"""A private PostgreSQL and a private Redis: their folders, configuration, start command and readiness.
They listen on 127.0.0.1 with a password and have no unix socket, so a project's path may be of any length.
Never touches a server that it did not make, and puts no password on a command line."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .process import DevError, Program, environment_base, program_find, run, user_group, user_prefix

HOST = "127.0.0.1"
POSTGRES_VERSION_MIN = 15
ROLE = "lex_intel"  # owns the database; no superuser, as with a managed PostgreSQL
DATABASE = "lex_intel"
ADMIN = "postgres"


def port_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def port_choose() -> int:
    """A free port below the kernel's range for outgoing connections: a client that reconnects to a server which is
    away could else be given the server's port as its own, connect to itself, and keep the server from coming back."""
    range_file = Path("/proc/sys/net/ipv4/ip_local_port_range")
    below = int(range_file.read_text().split()[0]) if range_file.exists() else 32_768
    low, high = (10_000, below - 1) if below > 12_000 else (20_000, 60_000)
    for _ in range(200):
        port = random.SystemRandom().randint(low, high)
        if port_free(port):
            return port
    raise DevError(f"no free port found on {HOST} between {low} and {high}")


@cache
def service_user() -> str | None:
    """Whom the servers run as: ourselves, or as root an unprivileged user, since PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise DevError("started by root, and neither a user postgres nor nobody exists to run PostgreSQL as")


def folder_make(folder: Path, mode: int = 0o700, user: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, user_group(user))
    folder.chmod(mode)
    return folder


def file_write(file: Path, text: str, user: str | None = None) -> Path:
    """Writes a file that only its owner can read, at no moment anyone else."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(text)
    if user:
        os.chown(file, pwd.getpwnam(user).pw_uid, user_group(user))
    return file


def owner_check(folder: Path) -> None:
    """A folder that another user made is not ours to use: half of what is in it could not be read or replaced."""
    if folder.exists() and folder.stat().st_uid != os.geteuid():
        owner = pwd.getpwuid(folder.stat().st_uid).pw_name
        raise DevError(f"{folder} belongs to {owner}; run ./dev as {owner}, or as yourself in a clone of your own")


def reachable(folder: Path, user: str | None) -> bool:
    """Whether the user can enter the folder (root's home, for one, is closed to others)."""
    command = [*user_prefix(user), "test", "-x", str(folder)]
    return subprocess.run(command, cwd="/", check=False, stderr=subprocess.DEVNULL).returncode == 0


@dataclass(frozen=True)
class Postgres:
    """PostgreSQL of one stack."""

    folder: Path
    logs: Path
    port: int
    password: str
    admin_password: str
    throwaway: bool = False  # for tests: survives kill -9, need not survive a power cut

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}:{self.password}@{HOST}:{self.port}/{DATABASE}"

    @property
    def bin(self) -> Path:
        """The folder of the server's programs: the version that made the data, else the newest."""
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True,
                         key=lambda folder: float(folder.parent.name))
        made_by = self.folder / "PG_VERSION"
        for folder in folders:
            version = folder.parent.name
            usable = (folder / "postgres").exists() and float(version) >= POSTGRES_VERSION_MIN
            if usable and (not made_by.exists() or made_by.read_text().strip() == version):
                return folder
        if made_by.exists() and folders:
            raise DevError(f"{self.folder} was made by PostgreSQL {made_by.read_text().strip()}, which is not "
                           "installed; install it, or ./dev down --wipe")
        return Path(program_find("postgres")).parent

    def prepare(self) -> None:
        """initdb, once."""
        if (self.folder / "PG_VERSION").exists():
            return
        user = service_user()
        shutil.rmtree(self.folder, ignore_errors=True)  # what an interrupted initdb may have left
        folder_make(self.folder, user=user)
        secret = file_write(self.folder.with_suffix(".secret"), self.admin_password, user)
        try:
            run([self.bin / "initdb", "-D", self.folder, "-U", ADMIN, f"--pwfile={secret}", "-A", "scram-sha-256",
                 "-E", "UTF8", "--locale=C.UTF-8", *(["--no-sync"] if self.throwaway else [])],
                self.logs / "initdb.log", "initdb", env=environment_base(user), cwd=self.folder, user=user)
        except DevError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        finally:
            secret.unlink()

    def program(self) -> Program:
        settings = {"listen_addresses": HOST, "port": str(self.port), "unix_socket_directories": "",
                    "log_line_prefix": "%m [%p] ", "max_connections": "200"}
        if self.throwaway:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        user = service_user()
        return Program(
            name="postgres", address=f"{HOST}:{self.port}", user=user, cwd=self.folder,
            argv=[str(self.bin / "postgres"), "-D", str(self.folder),
                  *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))],
            env=environment_base(user), log=self.logs / "postgres.log", ready=self.missing,
            stop_signal=signal.SIGINT)  # a fast shutdown: does not wait for clients to leave

    def missing(self) -> str | None:
        command = [self.bin / "pg_isready", "-q", "-h", HOST, "-p", str(self.port), "-t", "2"]
        code = subprocess.run(command, env=environment_base(), check=False).returncode
        return None if code == 0 else f"pg_isready says {code} on port {self.port}"

    def database_make(self) -> None:
        """The role and its database, once."""
        self.admin_run(f"""
            SELECT $$CREATE ROLE {ROLE} LOGIN$$ WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}')\\gexec
            ALTER ROLE {ROLE} PASSWORD '{self.password}';
            SELECT $$CREATE DATABASE {DATABASE} OWNER {ROLE}$$
             WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}')\\gexec
            """)

    def admin_run(self, sql: str) -> None:
        env = environment_base() | {"PGPASSWORD": self.admin_password}
        run([self.bin / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", HOST, "-p", str(self.port), "-U", ADMIN,
             "-d", "postgres", "-f", "-"], self.logs / "initdb.log", "psql", env=env, stdin=sql)


@dataclass(frozen=True)
class Redis:
    """Redis of one stack."""

    folder: Path
    logs: Path
    port: int
    password: str
    throwaway: bool = False

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}"

    def prepare(self) -> None:
        user = service_user()
        folder_make(self.folder, user=user)
        sync = "no" if self.throwaway else "everysec"
        file_write(self.folder / "redis.conf", user=user, text=(
            f"bind {HOST}\nport {self.port}\nrequirepass {self.password}\n"
            f"appendonly yes\nappendfsync {sync}\ndir .\nlogfile \"\"\ndaemonize no\n"))

    def program(self) -> Program:
        user = service_user()
        return Program(
            name="redis", address=f"{HOST}:{self.port}", user=user, cwd=self.folder,
            argv=[program_find("redis-server", [Path("/usr/bin")]), "redis.conf"],
            env=environment_base(user), log=self.logs / "redis.log", ready=self.missing)

    def missing(self) -> str | None:
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (part := connection.recv(4096)):
                    answer += part
        except OSError as error:
            return str(error)
        return None if answer.endswith(b"+PONG\r\n") else answer.decode("utf-8", "replace").strip()
