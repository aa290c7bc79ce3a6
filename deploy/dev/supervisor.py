# SPDX-License-Identifier: MIT
"""Keeps a stack running as a cluster would: what dies is started again after a second. One supervisor a folder, held
by a file lock; it writes what runs into status.json, which ./dev ps reads. Never builds or installs."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType

from .process import DevError, Process, exit_text, log_tail, process_alive, wait_until
from .stack import Stack

RESTART_DELAY_S = 1.0
STOP_TIMEOUT_S = 90.0  # longer than the programs' own deadlines together
START_TIMEOUT_S = 240.0


@dataclass
class Row:
    """One line of ./dev ps."""

    name: str
    pid: int | None
    address: str
    log: str
    start_count: int = 1


@dataclass
class Status:
    """status.json: what the supervisor says about itself."""

    pid: int
    state: str  # starting, ready, stopping, failed
    url: str = ""
    reason: str = ""
    rows: list[Row] = field(default_factory=list)


def lock_file(stack: Stack) -> Path:
    return stack.folder / "lock"


def status_file(stack: Stack) -> Path:
    return stack.folder / "status.json"


@contextmanager
def lock(stack: Stack, kind: int, patience_s: float = 0) -> Iterator[bool]:
    """Yields whether the lock could be had: exclusive to run the stack, shared to see whether somebody does."""
    descriptor = os.open(lock_file(stack), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield lock_take(descriptor, kind, patience_s)
    finally:
        os.close(descriptor)


def lock_take(descriptor: int, kind: int, patience_s: float) -> bool:
    def taken() -> bool:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        return wait_until(taken, patience_s, "the lock")
    except TimeoutError:
        return False


def running(stack: Stack) -> Status | None:
    """The status of the stack's supervisor, None when there is none."""
    if not lock_file(stack).exists():
        return None
    with lock(stack, fcntl.LOCK_SH) as free:
        if free:
            return None
    return wait_until(lambda: status_read(stack), 10, f"the supervisor to write {status_file(stack)}")


def status_read(stack: Stack) -> Status | None:
    try:
        data = json.loads(status_file(stack).read_text())
    except FileNotFoundError:
        return None
    return Status(**data | {"rows": [Row(**row) for row in data["rows"]]})


class Supervisor:
    """The loop of `./dev up`."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.state = "starting"
        self.reason = ""
        self.stopping = False
        self.restart_at: dict[str, float] = {}
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> int:
        """Starts all, keeps all, until SIGTERM or SIGINT. The exit code."""
        os.umask(0o077)  # logs and uploads are nobody else's; the programs inherit it
        self.signals_take()
        self.stack.folders_make()
        with lock(self.stack, fcntl.LOCK_EX, patience_s=1) as free:  # ./dev ps may look at this moment
            if not free:
                raise DevError("already up (./dev ps)")
            try:
                self.status_write()
                self.start()
                if not self.stopping:
                    self.say(f"up: {self.stack.backend_url}")
                self.keep()
            except (DevError, OSError) as error:
                self.state, self.reason = "failed", str(error)
                self.say(f"failed: {error}")
            return self.finish()

    def start(self) -> None:
        self.stack.prepare()
        self.stack.servers_start()
        self.stack.programs_start()
        self.state = "ready"
        self.status_write()

    def keep(self) -> None:
        while not self.stopping:
            self.sleep(min([at - time.monotonic() for at in self.restart_at.values()], default=60.0))
            for name, process in self.stack.processes.items():
                self.look_after(name, process)

    def look_after(self, name: str, process: Process) -> None:
        """Notes a death, and starts again what died a second ago."""
        if process.alive or self.stopping:
            return
        now = time.monotonic()
        if name not in self.restart_at:
            code = process.child.returncode if process.child else 0
            self.say(f"{name} ended ({exit_text(code)}), starts again in {RESTART_DELAY_S:g} s")
            self.restart_at[name] = now + RESTART_DELAY_S
        elif now >= self.restart_at[name]:
            del self.restart_at[name]
            process.start()
        self.status_write()

    def finish(self) -> int:
        failed = self.state == "failed"
        if not failed:
            self.state = "stopping"
        self.status_write()
        self.stack.stop()
        for process in self.stack.processes.values():
            process.child = None
        self.status_write()
        self.say("down")
        return 1 if failed else 0

    # -- signals and words -----------------------------------------------------------------------------------------

    def signals_take(self) -> None:
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.on_stop)

    def on_stop(self, number: int, frame: FrameType | None) -> None:
        """The first ends the loop; during the start it breaks off whatever is waited for."""
        first, self.stopping = not self.stopping, True
        if first and self.state == "starting":
            raise DevError("stopped while starting")

    def sleep(self, seconds: float) -> None:
        """Until a child dies, a signal comes, or the time is over."""
        select.select([self.wake_read], [], [], max(0.0, seconds))
        try:
            while os.read(self.wake_read, 512):
                pass
        except BlockingIOError:
            pass

    def say(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def status_write(self) -> None:
        rows = [Row("supervisor", os.getpid(), "-", str(self.stack.logs / "supervisor.log"))]
        rows += [Row(name, process.pid if process.alive else None, process.program.address, str(process.program.log),
                     process.start_count) for name, process in self.stack.processes.items()]
        status = Status(os.getpid(), self.state, self.stack.backend_url, self.reason, rows)
        new = status_file(self.stack).with_suffix(".new")
        new.write_text(json.dumps(asdict(status)))
        new.replace(status_file(self.stack))


# -- the commands, seen from outside -------------------------------------------------------------------------------


def up_foreground(stack: Stack) -> int:
    return Supervisor(stack).run()


def up_background(stack: Stack) -> int:
    """Starts a supervisor of its own session; returns when it is ready, or with its reason."""
    os.umask(0o077)
    log = stack.logs / "supervisor.log"
    status_file(stack).unlink(missing_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen([sys.executable, "-m", "dev", "supervise"], stdin=subprocess.DEVNULL, stdout=output,
                                 stderr=output, start_new_session=True)
    try:
        status = wait_until(lambda: background_settled(stack, child), START_TIMEOUT_S, "the stack to be ready")
    except BaseException:  # also Ctrl-C: half a stack is worse than none
        child.terminate()
        child.wait(STOP_TIMEOUT_S)
        raise
    if isinstance(status, Status) and status.state == "ready":
        print(f"up: {status.url}")
        return 0
    child.wait(STOP_TIMEOUT_S)
    reason = status.reason if isinstance(status, Status) else f"the supervisor ended; {log}:\n{log_tail(log)}"
    raise DevError(reason)


def background_settled(stack: Stack, child: subprocess.Popen[bytes]) -> Status | bool:
    status = status_read(stack)
    if status and status.pid == child.pid and status.state in ("ready", "failed"):
        return status
    return child.poll() is not None


def ps(stack: Stack) -> int:
    status = running(stack)
    if not status:
        print("down")
        return 1
    lines = [("NAME", "PID", "ADDRESS", "STARTS", "LOG")]
    lines += [(row.name, str(row.pid or "-"), row.address, str(row.start_count), path_short(row.log))
              for row in status.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    for line in lines:
        print("  ".join([*(word.ljust(width) for word, width in zip(line, widths, strict=False)), line[4]]))
    return 0


def path_short(path: str) -> str:
    """As seen from the current folder, where that is shorter."""
    return min(path, os.path.relpath(path), key=len) if path.startswith("/") else path


def down(stack: Stack, wipe: bool) -> int:
    """Asks the supervisor to stop all; if it does not, the kernel ends its children with it."""
    status = running(stack)
    if status:
        os.kill(status.pid, signal.SIGTERM)
        try:
            # Its lock is free a moment before it is gone.
            wait_until(lambda: running(stack) is None and not process_alive(status.pid), STOP_TIMEOUT_S,
                       "the supervisor to stop")
        except TimeoutError:
            os.kill(status.pid, signal.SIGKILL)
    if wipe:
        stack.wipe()
    print("down, data removed" if wipe else "down" if status else "was not up")
    return 0
