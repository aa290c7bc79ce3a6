# SPDX-License-Identifier: MIT
"""./dev package: Debian packages of the source tree as it stands, in build-package/. Lays deploy/debian/ out as debian/
of an exported tree, with PDFium and the man pages, and builds there with the system's tools alone. Never installs."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

from . import docs
from .build import build, pdfium_path
from .lint import files
from .process import DevError, log_tail
from .stack import BUILD, ROOT

FOLDER = ROOT / "build-package"
DEBIAN = ROOT / "deploy" / "debian"
NAMES = ("libshared0", "libshared-dev", "lex-intel")
# Nothing of .venv, of the caller's language or of another build.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC",
               "DEB_BUILD_OPTIONS": "parallel=2"}


def describe() -> int:
    """./dev abi: the committed description of the first release, from the library as it is now."""
    folder = build(BUILD)
    return subprocess.run([sys.executable, str(ROOT / "tests/abi/compat.py"), "describe",
                           str(folder / "libshared/libshared.so.0"), "-", str(ROOT)], check=False).returncode


def lay_out(source: Path) -> Path:
    """A source tree as dpkg-buildpackage wants it: what git knows, debian/, and what debian/ brings with it."""
    shutil.rmtree(source, ignore_errors=True)
    for path in files():
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    debian = source / "debian"
    shutil.copytree(source / "deploy" / "debian", debian)
    library = pdfium_path()
    third_party = debian / "pdfium" / "third-party"
    licences = [path for path in importlib.metadata.files("pypdfium2") or () if "BUILD_LICENSES" in path.parts]
    if not licences:
        raise DevError("pypdfium2 brings no licences of what PDFium is made of: they have to be in the package")
    for path in licences:
        target = third_party.joinpath(*path.parts[path.parts.index("BUILD_LICENSES") + 1:])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(path.locate()), target)
    for path in (library, library.with_name("version.json")):
        shutil.copy(path, debian / "pdfium")
    shutil.copytree(docs.MAN, debian / "man")
    return source


def build_debs(source: Path, log: Path, prefix: tuple[str, ...] = (), **env: str) -> dict[str, Path]:
    """name -> package file, beside the source tree."""
    argv = [*prefix, "dpkg-buildpackage", "--build=binary", "--no-sign"]
    print(f"building packages ({log})", flush=True)
    with log.open("wb") as output:
        code = subprocess.run(argv, cwd=source, env=ENVIRONMENT | {"HOME": str(source)} | env, stdout=output,
                              stderr=output, check=False).returncode
    if code:
        raise DevError(f"dpkg-buildpackage ended with {code}; {log} ends with:\n{log_tail(log, 60)}")
    found = {path.name.split("_")[0]: path for path in source.parent.glob("*.deb")}
    missing = [name for name in NAMES if name not in found]
    if missing:
        raise DevError(f"{log}: built, but no package {', '.join(missing)}")
    return found


def prepare() -> Path:
    """The source tree of the packages in an empty build-package/, with man pages as they are now."""
    docs.make()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    return lay_out(FOLDER / "libshared")


def package() -> int:
    for path in sorted(build_debs(prepare(), FOLDER / "dev.log").values()):
        print(path)
    return 0
