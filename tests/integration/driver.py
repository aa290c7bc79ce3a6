# SPDX-License-Identifier: MIT
"""libshared, driven from Python by its public functions (tests/network/driver.c): one call a line, one answer an event.
Never hides an event: what nobody waited for is kept in `answers`."""

from __future__ import annotations

import itertools
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD_DIR") or ROOT / "build")
PROGRAM = BUILD / "tests" / "network" / "driver"

PERMANENT, RETRYABLE = 1, 2
CALLER, SYSTEM, POSTGRES, REDIS, SCHEMA, TASK = range(1, 7)
EINVALID, ENOTFOUND, ECONFLICT, EBUSY, ECLOSED, ETIMEOUT, ENOMEM, ESCHEMA, EREMOTE, EFORKED, ECANCELLED, EUNKNOWN = (
    range(-1, -13, -1))
REFUSED, DONE, ROWS, PROGRESS, TASK_EVENT = 0, 1, 2, 3, 4  # kinds; -1: the driver itself has done it


class Answer(NamedTuple):
    """One event, or a call that was refused."""

    tag: int
    kind: int
    more: int
    count: int
    code: int
    class_: int
    domain: int
    sqlstate: str
    operation: str
    message: str
    detail: str
    hint: str
    id: str
    text: str


def parse(line: str) -> Answer:
    words = line.split("\t")
    return Answer(*map(int, words[:7]), *words[7:])  # type: ignore[arg-type]


class Driver:
    """The program, with one client at a time."""

    def __init__(self, log: Path, **env: str) -> None:
        self.tags = itertools.count(1)
        self.answers: list[Answer] = []
        self.rest = b""
        passed = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS") or name == "PATH"}
        with log.open("ab") as output:
            self.process = subprocess.Popen([str(PROGRAM)], env=passed | env, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=output)

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        code = self.process.wait(60)
        self.process.stdout.close()
        assert code == 0, f"driver ended with {code}"

    def pause(self) -> None:
        """SIGSTOP: alive, but it does not look."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def begin(self, verb: str, *words: object) -> int:
        """Asks, and does not wait. The tag."""
        tag = next(self.tags)
        assert self.process.stdin
        self.process.stdin.write("\t".join(map(str, (tag, verb, *words))).encode() + b"\n")
        self.process.stdin.flush()
        return tag

    def read(self, timeout_s: float) -> bool:
        """Takes in what was said. False: nothing within the time."""
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, timeout_s))
        if not ready:
            return False
        block = os.read(self.process.stdout.fileno(), 1 << 20)
        assert block, f"driver ended with {self.process.wait(10)}"
        *lines, self.rest = (self.rest + block).split(b"\n")
        self.answers += [parse(line.decode()) for line in lines]
        return True

    def take(self, tag: int, timeout_s: float) -> Answer | None:
        """The next answer of a tag; None: none within the time."""
        deadline = time.monotonic() + timeout_s
        while True:
            for index, answer in enumerate(self.answers):
                if answer.tag == tag:
                    return self.answers.pop(index)
            if not self.read(deadline - time.monotonic()) and time.monotonic() >= deadline:
                return None

    def wait(self, tag: int, timeout_s: float = 30) -> Answer:
        answer = self.take(tag, timeout_s)
        assert answer is not None, f"tag {tag}: no event within {timeout_s} s"
        return answer

    def do(self, verb: str, *words: object, timeout_s: float = 30) -> Answer:
        """Asks, and waits for the answer."""
        return self.wait(self.begin(verb, *words), timeout_s)

    def good(self, verb: str, *words: object, timeout_s: float = 30) -> Answer:
        answer = self.do(verb, *words, timeout_s=timeout_s)
        assert answer.code == 0, answer
        return answer

    def client(self, **settings: str) -> None:
        """A new client, with these settings besides those of the environment."""
        self.good("client", *(f"{name}={value}" for name, value in settings.items()))

    def sql(self, text: str, session: int = 0, read_only: bool = False) -> Answer:
        return self.do("query", session, int(read_only), text)
