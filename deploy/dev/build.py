# SPDX-License-Identifier: MIT
"""Configures and compiles a build folder with the tools of .venv. Never installs anything."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from .process import DevError, log_tail
from .servers import folder_make
from .stack import ROOT

VENV = Path(sys.prefix)


def pdfium_path() -> Path:
    """PDFium as the pypdfium2 wheel ships it."""
    path = Path(sysconfig.get_path("platlib")) / "pypdfium2_raw" / "libpdfium.so"
    if not path.exists():
        raise DevError(f"{path} is missing; remove {VENV} and run ./dev up again")
    return path


def tool_environment(**more: str) -> dict[str, str]:
    """The caller's environment with .venv's programs first and nothing of another clone's `./dev env`."""
    dropped = ("PYTHONPATH", "LD_LIBRARY_PATH", "PKG_CONFIG_PATH")
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    return env | {"PATH": f"{VENV / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}", "VIRTUAL_ENV": str(VENV)} | more


def build(folder: Path, options: tuple[str, ...] = (), **env: str) -> Path:
    """Brings a build folder up to date. What it prints goes to the folder's dev.log, its end into a failure."""
    arguments = [f"-Dpdfium={pdfium_path()}", *options]
    folder_make(folder, 0o755)
    log = folder / "dev.log"
    log.write_text("")
    stamp = folder / "dev.arguments"
    wanted = "\n".join([str(ROOT), *arguments, *(f"{name}={value}" for name, value in sorted(env.items()))])
    if not (folder / "build.ninja").exists():
        step("meson setup", ["meson", "setup", str(folder), str(ROOT), *arguments], log, env)
    elif not stamp.exists() or stamp.read_text() != wanted:
        step("meson setup", ["meson", "setup", "--reconfigure", str(folder), str(ROOT), *arguments], log, env)
    stamp.write_text(wanted)
    step("compiling", ["ninja", "-C", str(folder)], log, env)
    return folder


def step(what: str, argv: list[str], log: Path, env: dict[str, str]) -> None:
    print(f"{what} ({log})", flush=True)
    with log.open("ab") as output:
        code = subprocess.run(argv, cwd=ROOT, env=tool_environment(**env), stdout=output, stderr=output,
                              check=False).returncode
    if code:
        raise DevError(f"{what} failed; {log} ends with:\n{log_tail(log, 40)}")
