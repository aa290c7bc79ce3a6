# SPDX-License-Identifier: MIT
"""What the benchmarks share: a private stack, the peer beside it, and rows of ratios. A row's verdict is the bar of
the issue; a benchmark never makes a test fail, since machines differ: it says MISS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from dev.process import Process, Program, environment_base, wait_until
from dev.servers import port_choose
from dev.stack import Stack

FOLDER = Path(__file__).resolve().parent
missed = 0


def row(name: str, ours: float, peer: float, ratio: float, bar: str, good: bool, unit: str = "") -> None:
    """`name  ours  peer  ratio  bar  ok|MISS`"""
    global missed
    missed += not good
    print(f"{name:44} {ours:12.4g} {peer:12.4g} {ratio:9.3g}  {bar:22} {'ok' if good else 'MISS':4} {unit}", flush=True)


def head(title: str) -> None:
    print(f"\n{title}\n{'':44} {'ours':>12} {'peer':>12} {'ratio':>9}  {'bar':22}", flush=True)


def done() -> int:
    return 1 if missed else 0


@contextmanager
def stack_up(programs: bool = True, **extra: str) -> Iterator[Stack]:
    """Our stack in a temporary folder: release-like settings, no debug log."""
    stack = Stack(Path(tempfile.mkdtemp(prefix="lex-bench-")), throwaway=True, extra={"LOG_LEVEL": "warning"} | extra)
    try:
        stack.prepare()
        stack.servers_start()
        if programs:
            stack.programs_start()
        yield stack
    finally:
        stack.stop()
        stack.wipe()


@contextmanager
def peer_up(stack: Stack) -> Iterator[Process]:
    """The peer on the same servers; its address is its URL."""
    port = port_choose()
    url = f"http://127.0.0.1:{port}"

    def missing() -> str | None:
        try:
            httpx.get(f"{url}/docs", timeout=2)
        except httpx.HTTPError as error:
            return str(error)
        return None

    env = environment_base() | stack.urls() | {"PEER_PORT": str(port)}
    process = Process(Program(name="peer", argv=[sys.executable, str(FOLDER / "peer.py")], env=env, cwd=stack.folder,
                              log=stack.logs / "peer.log", ready=missing, address=url))
    process.start()
    try:
        process.wait_ready()
        yield process
    finally:
        process.stop()


def requests_per_second(url: str, seconds: int, connections: int = 64) -> float:
    """wrk, one thread."""
    output = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url], check=True,
                            capture_output=True, text=True).stdout
    if "Non-2xx" in output:
        raise RuntimeError(output)
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert found, output
    return float(found.group(1))


def resident_kb(pid: int) -> int:
    """RSS of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    status = Path(f"/proc/{pid}/status").read_text()
    own = int(re.search(r"VmRSS:\s+(\d+)", status).group(1))  # type: ignore[union-attr]
    return own + sum(resident_kb(int(child)) for child in children)


def own_resident_kb(pid: int) -> int:
    """RSS of a process alone."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))  # type: ignore[union-attr]


def best(measure: Callable[[], float], times: int = 3) -> float:
    """The least of several runs: what the machine can do when nothing else disturbs it."""
    return min(measure() for _ in range(times))


def timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


__all__ = ["best", "done", "head", "os", "own_resident_kb", "peer_up", "requests_per_second", "resident_kb", "row",
           "stack_up", "timed", "wait_until"]
