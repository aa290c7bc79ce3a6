# SPDX-License-Identifier: MIT
"""A stack for tests: what ./dev runs (deploy/dev/stack.py), in a temporary folder, without a supervisor, so that a
test decides what is killed and when it comes back. Never shares a server with `./dev up` or another session."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import httpx
import psycopg
import redis

from dev.process import DevError, Process, Program, log_tail, wait_until
from dev.stack import Stack

__all__ = ["LabStack", "servers_of_process", "wait_until"]

# What a sanitizer writes into a program's log when it finds something.
SANITIZER = re.compile(r"ERROR: (Address|Leak|Thread|Memory)Sanitizer|runtime error: |WARNING: ThreadSanitizer")
# Small enough that tests of limits are quick; a test sets others with backend_with() and worker_with().
SETTINGS: dict[str, str] = {"LOG_LEVEL": "debug"}


class LabStack(Stack):
    """Servers and programs by name ("postgres", "redis", "backend", "worker", "worker-2", ...)."""

    def __init__(self, **extra: str) -> None:
        folder = Path(tempfile.mkdtemp(prefix="lex-test-"))
        super().__init__(folder, throwaway=True, extra=SETTINGS | extra)

    @cached_property
    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.backend_url, timeout=30)

    # -- programs --------------------------------------------------------------------------------------------------

    def backend_up(self, **env: str) -> Process:
        """The backend with these settings besides the usual ones; left as it is if it runs with just them."""
        return self.up(self.backend_program(**env))

    def worker_up(self, name: str = "worker", **env: str) -> Process:
        """A worker of that name, likewise."""
        return self.up(self.worker_program(name, **env))

    def up(self, program: Program) -> Process:
        process = self.processes.get(program.name)
        if process and process.alive:
            if process.program.env == program.env:
                return process
            process.stop()
        process = self.start(program)
        process.wait_ready()
        return process

    def workers_stop(self, but: str = "") -> None:
        """No worker runs but that one: it would take the tasks, and mend the rows, of a test that wants none."""
        for name, process in self.processes.items():
            if name.startswith("worker") and name != but and process.alive:
                os.kill(self.pid(name), signal.SIGCONT)  # a paused one could not hear that it shall stop
                process.stop()

    @contextmanager
    def backend_with(self, **env: str) -> Iterator[Process]:
        """The backend with other settings, for as long as the block; then again as before."""
        yield self.backend_up(**env)
        self.processes["backend"].stop()
        self.backend_up()

    @contextmanager
    def worker_with(self, **env: str) -> Iterator[Process]:
        """The worker with other settings, for as long as the block; then again as before."""
        yield self.worker_up(**env)
        self.processes["worker"].stop()
        self.worker_up()

    def pid(self, name: str) -> int:
        pid = self.processes[name].pid
        assert pid is not None, f"{name} was never started"
        return pid

    def kill(self, name: str) -> None:
        """kill -9."""
        self.processes[name].kill()

    def stop_one(self, name: str) -> int:
        """Asks it to end (SIGTERM; SIGINT to PostgreSQL). Returns its exit code."""
        return self.processes[name].stop()

    def start_again(self, name: str, ready: bool = True) -> Process:
        """Starts what was killed or stopped, with the settings that it had."""
        process = self.processes[name]
        assert not process.alive, f"{name} still runs"
        process.start()
        if ready:
            process.wait_ready()
        return process

    def restart(self, name: str) -> Process:
        self.processes[name].stop()
        return self.start_again(name)

    def pause(self, name: str) -> None:
        """SIGSTOP: alive, but silent."""
        os.kill(self.pid(name), signal.SIGSTOP)

    def resume(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGCONT)

    def log(self, name: str) -> str:
        file = self.logs / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    # -- the state between tests -----------------------------------------------------------------------------------

    def pg_connect(self) -> psycopg.Connection:
        return psycopg.connect(self.postgres.url, autocommit=True)

    def redis_connect(self, database: int = 0) -> redis.Redis:
        return redis.Redis.from_url(f"{self.redis.url}/{database}", decode_responses=True)

    def heal(self) -> None:
        """Both servers up again, whatever the last test did to them."""
        for name in ("postgres", "redis"):
            if not self.processes[name].alive:
                self.start_again(name)

    def empty(self) -> None:
        """No cases, documents or tasks. Stop the worker first where a task may be running."""
        with self.pg_connect() as connection:
            tables = connection.execute(
                "SELECT string_agg(format('%I', tablename), ', ') FROM pg_tables "
                "WHERE schemaname = 'public' AND tablename <> 'alembic_version'").fetchone()
            if tables and tables[0]:
                connection.execute(f"TRUNCATE {tables[0]} CASCADE")
        self.redis_connect().flushall()

    # -- the end ---------------------------------------------------------------------------------------------------

    def complaints(self) -> list[str]:
        """What sanitizers found in any program of this stack."""
        found = []
        for log in sorted(self.logs.glob("*.log*")):
            text = log.read_text(errors="replace")
            if match := SANITIZER.search(text):
                found.append(f"{log.name}: {text[match.start():match.start() + 3000]}")
        return found

    def tails(self) -> list[tuple[str, str]]:
        return [(log.name, log_tail(log, 15)) for log in sorted(self.logs.glob("*.log"))]

    def close(self) -> None:
        """Stops everything and removes the folder, unless sanitizers complain."""
        self.client.close()
        self.stop()
        complaints = self.complaints()
        if complaints:
            raise DevError(f"sanitizer findings (logs kept in {self.logs}):\n" + "\n".join(complaints))
        self.wipe()


@contextmanager
def servers_of_process() -> Iterator[LabStack]:
    """PostgreSQL, migrated, and Redis, whose settings are this process's own environment too."""
    lab = LabStack()
    try:
        lab.prepare()
        lab.servers_start()
        os.environ.update(lab.urls() | {"LOG_LEVEL": "warning"})
        yield lab
    finally:
        lab.close()
