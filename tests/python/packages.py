# SPDX-License-Identifier: MIT
"""What pip makes of bindings/python, and empty environments to install it into. Nothing here runs in the repository."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

BINDING = Path(__file__).resolve().parents[2] / "bindings" / "python"
TOOLS = Path(sys.executable).parent


def run(*argv: object, **env: str) -> str:
    """What it prints; in a folder of its own would it find nothing of ours."""
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False, cwd="/",
                          env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
                          | {"PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"} | env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def source_make(folder: Path) -> Path:
    """The source distribution. meson packs what is committed."""
    code = "import mesonpy, os, sys; os.chdir(sys.argv[1]); print(mesonpy.build_sdist(sys.argv[2]))"
    run(sys.executable, "-c", code, BINDING, folder)
    (made,) = folder.glob("*.tar.gz")
    return made


def wheel_make(source: Path, folder: Path, *options: str, **env: str) -> Path:
    """A wheel, of a source distribution or a folder."""
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", *options, "-w", folder, source,
        **env)
    (made,) = folder.glob("*.whl")
    return made


def python_make(folder: Path) -> Path:
    """The interpreter of an environment with nothing but pip."""
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


def wheel_install(python: Path, wheel: Path) -> None:
    run(python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel)
