# SPDX-License-Identifier: MIT
"""One program that runs: started with a clean environment, its output in a log file, stopped with a deadline.
Never restarts anything by itself (supervisor.py does) and knows no program by name (servers.py, stack.py do)."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

POLL_S = 0.03
LOG_SIZE_MAX = 10_000_000  # a larger log is set aside as NAME.log.old when its program starts
Result = TypeVar("Result")


class DevError(Exception):
    """A failure that the message explains; shown without a traceback."""


def wait_until(condition: Callable[[], Result], timeout_s: float, what: str) -> Result:
    """Polls until the condition is true and returns its value; else TimeoutError names what was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:g} s for {what}; last seen: {value!r}")
        time.sleep(POLL_S)


def process_alive(pid: int) -> bool:
    """Whether a process exists and is more than an entry that nobody has fetched yet (a zombie)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def log_tail(log: Path, line_count: int = 20) -> str:
    """The last lines of a log, indented, for an error message."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 64 * 1024))
        lines = file.read().decode("utf-8", "replace").splitlines()[-line_count:]
    return "".join(f"    {line}\n" for line in lines)


def environment_base(user: str | None = None) -> dict[str, str]:
    """What a program gets besides its settings: nothing of the caller's shell can change what it does."""
    home = pwd.getpwnam(user).pw_dir if user else os.environ.get("HOME", "/")
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": home, "LANG": "C.UTF-8"}


def user_prefix(user: str | None) -> list[str]:
    """The words before a command that make it run as another user (as root only)."""
    return ["setpriv", f"--reuid={user}", f"--regid={user_group(user)}", "--init-groups"] if user else []


def user_group(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


def run(argv: Sequence[str | Path], log: Path, what: str, *, env: dict[str, str] | None = None,
        cwd: Path | None = None, user: str | None = None, timeout_s: float = 120,
        stdin: str | None = None) -> None:
    """Runs a command to its end, its output into the log; a failure shows the log's tail."""
    with log.open("ab") as output:
        try:
            done = subprocess.run([*user_prefix(user), *argv], env=env, cwd=cwd, stdout=output,
                                  stderr=output, timeout=timeout_s, check=False,
                                  input=(stdin or "").encode())
        except subprocess.TimeoutExpired:
            raise DevError(f"{what} took more than {timeout_s:g} s; {log}:\n{log_tail(log)}") from None
        except OSError as error:
            raise DevError(f"{what}: {error}") from None
    if done.returncode:
        raise DevError(f"{what} failed ({exit_text(done.returncode)}); {log} ends with:\n{log_tail(log)}")


def run_bounded(argv: Sequence[str | Path], timeout_s: float, *, cwd: Path, env: dict[str, str],
                end_s: float = 30) -> int:
    """Runs a command that shows its own output; its exit code. One that hangs is asked to end, then killed with its
    whole process group, and DevError says so; so is one that runs when we are interrupted."""
    # A shell's background job has INT and QUIT ignored, and all that it starts has; but here they must end things.
    listening = ["env", "--default-signal=INT,QUIT", "setpriv", "--pdeathsig=INT", "--"]
    child = subprocess.Popen([*listening, *argv], cwd=cwd, env=env, start_new_session=True)
    try:
        return child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise DevError(f"{argv[0]} did not end within {timeout_s:g} s and was stopped") from None
    finally:
        if child.poll() is None:
            group_end(child, end_s)


def group_end(child: subprocess.Popen[bytes], end_s: float) -> None:
    """SIGINT, which lets a test runner tidy up; what is left of the group after end_s is killed."""
    os.killpg(child.pid, signal.SIGINT)
    try:
        child.wait(end_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def exit_text(code: int) -> str:
    """How a program ended, for people."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


@dataclass(frozen=True)
class Program:
    """What is needed to start a program, and how to tell that it works."""

    name: str
    argv: list[str]
    env: dict[str, str]
    cwd: Path
    log: Path
    ready: Callable[[], str | None]  # None when it works, else what is missing
    address: str = "-"
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 30
    ready_timeout_s: float = 60


@dataclass
class Process:
    """A program and the process that runs it now."""

    program: Program
    child: subprocess.Popen[bytes] | None = field(default=None)
    start_count: int = 0

    @property
    def pid(self) -> int | None:
        return self.child.pid if self.child else None

    @property
    def alive(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def start(self) -> None:
        program = self.program
        if program.log.exists() and program.log.stat().st_size > LOG_SIZE_MAX:
            program.log.replace(program.log.with_suffix(".log.old"))
        # setpriv becomes the program (same pid); the kernel ends it should we die without a word.
        death = f"--pdeathsig={program.stop_signal.name.removeprefix('SIG')}"
        argv = [*(user_prefix(program.user) or ["setpriv"]), death, "--", *program.argv]
        with program.log.open("ab") as output:
            self.child = subprocess.Popen(argv, env=program.env, cwd=program.cwd, stdout=output,
                                          stderr=output, stdin=subprocess.DEVNULL,
                                          start_new_session=True)
        self.start_count += 1

    def wait_ready(self) -> None:
        """Returns when the program works; DevError with its log's tail when it dies or takes too long."""
        program = self.program
        deadline = time.monotonic() + program.ready_timeout_s
        while (missing := program.ready()) is not None or not self.alive:
            if not self.alive:
                code = self.child.returncode if self.child else 0
                raise DevError(f"{program.name} ended while starting ({exit_text(code)}); "
                               f"{program.log} ends with:\n{log_tail(program.log)}")
            if time.monotonic() > deadline:
                raise DevError(f"{program.name} is not ready after {program.ready_timeout_s:g} s "
                               f"({missing}); {program.log} ends with:\n{log_tail(program.log)}")
            time.sleep(POLL_S)

    def signal(self, number: signal.Signals) -> None:
        if self.child and self.alive:
            self.child.send_signal(number)

    def kill(self) -> None:
        """kill -9, and waits until it is gone."""
        if self.child:
            self.signal(signal.SIGKILL)
            self.child.wait(30)

    def stop(self) -> int:
        """Asks it to end, waits its deadline, then kills it. Returns the exit code (negative: the signal)."""
        self.stop_ask()
        return self.stop_wait()

    def stop_ask(self) -> None:
        self.signal(self.program.stop_signal)

    def stop_wait(self) -> int:
        if not self.child:
            return 0
        try:
            return self.child.wait(self.program.stop_timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.child.returncode


def program_find(name: str, folders: Sequence[Path] = ()) -> str:
    """The path of a program, from the folders first, then from PATH."""
    found = shutil.which(name, path=os.pathsep.join(map(str, folders))) or shutil.which(name)
    if not found:
        raise DevError(f"{name} is not installed; ./dev up installs it, or see the packages in ./dev")
    return found
