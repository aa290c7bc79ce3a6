# SPDX-License-Identifier: MIT
"""One whole stack in one folder: PostgreSQL, Redis, the migrated database, backend and worker, and the one list of
settings that they get. `./dev up` keeps one under .state/, each test session makes another in a temporary folder.
Never decides when something is started again: supervisor.py and the tests do."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from .process import DevError, Process, Program, environment_base, run
from .servers import (
    HOST,
    Postgres,
    Redis,
    file_write,
    folder_make,
    port_choose,
    port_free,
    reachable,
    service_user,
)

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD_DIR") or ROOT / "build").absolute()
PROGRAMS = {"lex-intel": "cli", "lex-intel-backend": "backend", "lex-intel-worker": "worker",
            "lex-intel-extract": "extract"}
FREE_BYTES_MIN = 500_000_000
PORTS = ("postgres_port", "redis_port", "backend_port")
SECRETS = ("postgres_password", "postgres_admin_password", "redis_password")
# What a developer may set for the programs from the shell, besides what the stack decides (sanitizers, log level).
PASSED_ON = ("LOG_LEVEL", "LOG_FORMAT", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "TZ")


def free_space_check(folder: Path, needed: int = FREE_BYTES_MIN) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DevError(f"{folder}: {free // 1_000_000} MB free on this disk, at least {needed // 1_000_000} MB needed")


def connected(pid: int, port: int) -> bool:
    """Whether a process holds an established IPv4 connection to a port of this machine."""
    established, peer = "01", f"0100007F:{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{line[9]}]" for line in lines if line[2] == peer and line[3] == established}
    try:
        return any(str(entry.readlink()) in sockets for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


class Stack:
    """A stack in a folder; `extra` are further settings of the programs, as environment variables."""

    def __init__(self, folder: Path, build: Path = BUILD, *, throwaway: bool = False,
                 extra: dict[str, str] | None = None) -> None:
        self.folder = folder.absolute()
        self.build = build
        self.throwaway = throwaway
        self.extra = dict(extra or {})
        self.processes: dict[str, Process] = {}

    # -- the folder ------------------------------------------------------------------------------------------------

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    @property
    def uploads(self) -> Path:
        return self.folder / "uploads"

    @property
    def settings_file(self) -> Path:
        return self.folder / "settings.json"

    @cached_property
    def settings(self) -> dict[str, int | str]:
        """Ports and passwords: drawn once, kept for as long as the data."""
        if self.settings_file.exists():
            return json.loads(self.settings_file.read_text())
        return ({name: port_choose() for name in PORTS} | {name: secrets.token_hex(16) for name in SECRETS})

    def folders_make(self) -> None:
        user = service_user()
        # Others may pass through, to what is theirs, but read nothing: PostgreSQL runs as another user under root.
        folder_make(self.folder, 0o711 if user else 0o700)
        folder_make(self.logs)
        folder_make(self.uploads)
        self.data_folder_make(user)

    def prepare(self) -> None:
        """Makes what is missing in the folder; checks disk and ports before anything is started."""
        self.folders_make()
        free_space_check(self.folder)
        self.ports_check()
        file_write(self.settings_file, json.dumps(self.settings, indent=1) + "\n")
        self.postgres.prepare()
        self.redis.prepare()

    def data_folder_make(self, user: str | None) -> None:
        """data/: the servers' own folders. Where their user cannot reach it (a clone in /root), a link to one."""
        data = self.folder / "data"
        if data.is_symlink() or data.is_dir():
            return
        if reachable(self.folder, user):
            folder_make(data, 0o711 if user else 0o700)
            return
        name = hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]
        elsewhere = folder_make(Path("/var/lib/lex-intel-dev") / name, 0o711)
        elsewhere.parent.chmod(0o711)
        data.symlink_to(elsewhere)

    def ports_check(self) -> None:
        """A port that somebody else took meanwhile is replaced, one that the user asked for is an error."""
        asked = os.environ.get("BACKEND_PORT") if not self.throwaway else None
        if asked:
            if not asked.isdecimal() or not 1 <= int(asked) <= 65535:
                raise DevError(f"BACKEND_PORT: {asked!r} is not a port (1-65535)")
            if not port_free(int(asked)):
                raise DevError(f"BACKEND_PORT: {HOST}:{asked} is taken by another program (or needs root)")
            self.settings["backend_port"] = int(asked)
        for name in PORTS:
            if not port_free(int(self.settings[name])):
                self.settings[name] = port_choose()

    def wipe(self) -> None:
        """Removes the folder and what it links to. The stack must be down."""
        data = self.folder / "data"
        if data.is_symlink():
            shutil.rmtree(data.resolve(), ignore_errors=True)
        if self.folder.exists():
            shutil.rmtree(self.folder)

    # -- its parts -------------------------------------------------------------------------------------------------

    @cached_property
    def postgres(self) -> Postgres:
        return Postgres((self.folder / "data").resolve() / "postgres", self.logs, int(self.settings["postgres_port"]),
                        str(self.settings["postgres_password"]), str(self.settings["postgres_admin_password"]),
                        self.throwaway)

    @cached_property
    def redis(self) -> Redis:
        return Redis((self.folder / "data").resolve() / "redis", self.logs, int(self.settings["redis_port"]),
                     str(self.settings["redis_password"]), self.throwaway)

    @property
    def backend_url(self) -> str:
        return f"http://{HOST}:{self.settings['backend_port']}"

    def program_path(self, name: str) -> Path:
        path = self.build / "apps" / PROGRAMS[name] / name
        if not path.exists():
            raise DevError(f"{path} is not built")
        return path

    def urls(self) -> dict[str, str]:
        """The settings that users and programs share."""
        return {"DATABASE_URL": self.postgres.url,
                "REDIS_URL": self.redis.url,
                "CELERY_BROKER_URL": f"{self.redis.url}/0",
                "CELERY_RESULT_BACKEND": f"{self.redis.url}/1",
                "UPLOAD_DIR": str(self.uploads),
                "LEX_EXTRACT_PROGRAM": str(self.program_path("lex-intel-extract")),
                "LEX_MIGRATIONS_DIR": str(ROOT / "deploy" / "migrations")}

    def environment(self, **more: str) -> dict[str, str]:
        """The whole environment of a program."""
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return (environment_base() | passed | self.urls()
                | {"BACKEND_HOST": HOST, "BACKEND_PORT": str(self.settings["backend_port"])}
                | self.extra | more)

    def app(self, name: str, program: str, ready: Callable[[], str | None], address: str = "-",
            **more: str) -> Program:
        return Program(name=name, argv=[str(self.program_path(program))], env=self.environment(**more),
                       cwd=self.folder, log=self.logs / f"{name}.log", ready=ready, address=address)

    def backend_program(self, **more: str) -> Program:
        address = self.backend_url.removeprefix("http://")
        return self.app("backend", "lex-intel-backend", self.backend_missing, address, **more)

    def worker_program(self, name: str = "worker", **more: str) -> Program:
        return self.app(name, "lex-intel-worker", lambda: self.worker_missing(name), **more)

    def backend_missing(self) -> str | None:
        try:
            with urllib.request.urlopen(f"{self.backend_url}/readyz", timeout=2) as answer:
                return None if answer.status == 200 else f"/readyz says {answer.status}"
        except urllib.error.HTTPError as error:
            return f"/readyz says {error.code}: {error.read(200).decode('utf-8', 'replace').strip()}"
        except OSError as error:
            return f"/readyz: {error}"

    def worker_missing(self, name: str) -> str | None:
        """A worker has no address to ask: it is up once it is connected to Redis, from where its tasks come."""
        pid = self.processes[name].pid
        port = int(self.settings["redis_port"])
        return None if pid and connected(pid, port) else f"has no connection to Redis on port {port}"

    # -- starting and stopping -------------------------------------------------------------------------------------

    def start(self, program: Program) -> Process:
        process = self.processes.setdefault(program.name, Process(program))
        process.program = program
        process.start()
        return process

    def servers_start(self) -> None:
        """Both servers, the database, its tables."""
        for server in (self.postgres, self.redis):
            self.start(server.program())
        for name in ("postgres", "redis"):
            self.processes[name].wait_ready()
        self.postgres.database_make()
        self.migrate()

    def migrate(self) -> None:
        run([self.program_path("lex-intel"), "migrate", "upgrade", "head"], self.logs / "migrate.log",
            "lex-intel migrate upgrade head", env=self.environment(), cwd=self.folder)

    def programs_start(self) -> None:
        """Backend and worker."""
        started = [self.start(self.backend_program()), self.start(self.worker_program())]
        for process in started:
            process.wait_ready()

    def stop(self) -> None:
        """Programs before servers, each pair at once, each with its deadline."""
        servers = [process for name, process in self.processes.items() if name in ("postgres", "redis")]
        programs = [process for process in self.processes.values() if process not in servers]
        for group in (programs, servers):
            for process in group:
                process.stop_ask()
            for process in group:
                process.stop_wait()
