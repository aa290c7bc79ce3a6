# SPDX-License-Identifier: MIT
"""The programs of examples/python-services as programs of a stack, started as the guide starts them."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from pathlib import Path

from dev.process import Process, Program
from dev.servers import port_choose
from dev.stack import ROOT
from stack import LabStack

SERVICES = ROOT / "examples" / "python-services"
BACKEND, WORKERS = SERVICES / "apps" / "backend", SERVICES / "apps" / "workers"
TOOLS = Path(sys.executable).parent


def environment(stack: LabStack) -> dict[str, str]:
    env = stack.environment(PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1")
    return env | {"PATH": f"{TOOLS}:{env['PATH']}"}


def fastapi_up(stack: LabStack) -> str:
    """The FastAPI backend of this stack; its URL."""
    process = stack.processes.get("fastapi")
    if process and process.alive:
        return f"http://{process.program.address}"
    port = port_choose()
    url = f"http://127.0.0.1:{port}"

    def missing() -> str | None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
                return None if answer.status == 200 else f"/readyz says {answer.status}"
        except OSError as error:
            return f"/readyz: {error}"
    stack.up(Program(
        name="fastapi", argv=[sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)],
        env=environment(stack), cwd=BACKEND, log=stack.logs / "fastapi.log", ready=missing,
        address=f"127.0.0.1:{port}"))
    return url


def celery_up(stack: LabStack, concurrency: int = 1) -> Process:
    """The Celery worker: prefork, as Celery has it."""
    log = stack.logs / "celery.log"
    process = stack.processes.get("celery")
    if process and process.alive:
        return process
    log.unlink(missing_ok=True)
    return stack.up(Program(
        name="celery",
        argv=[sys.executable, "-m", "celery", "-A", "src.celery_app", "worker", "-c", str(concurrency), "-l", "info"],
        env=environment(stack), cwd=WORKERS, log=log,
        ready=lambda: None if " ready." in log.read_text() else "has not said that it is ready"))


def only_up(stack: LabStack, *names: str) -> None:
    """Of the workers, none but these go on."""
    for name in ("worker", "celery"):
        process = stack.processes.get(name)
        if name not in names and process and process.alive:
            process.stop()
