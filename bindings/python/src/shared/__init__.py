# SPDX-License-Identifier: MIT
"""lex-intel's shared core: models, database session, progress, task queue and error classes, for asyncio."""

from __future__ import annotations

import json
import os
from pathlib import Path

from . import errors

try:
    from . import model, native
except ImportError as _failure:
    if "shared_" not in str(_failure) and "libshared" not in str(_failure).lower():
        raise
    raise errors.VersionError(f"libshared: none was found that has what these bindings call ({_failure}); install one "
                              "that is as new as they are, or bindings with the library inside") from _failure

__version__ = native.version_text()


def build_info() -> dict[str, str]:
    """The versions of the libraries in this process, for a report of a fault; impl: "bundled" when libshared is inside
    of these bindings, "system" when it is a library of its own."""
    return dict(json.loads(native.build_info())) | {"impl": native.implementation()}


def _check(loaded: int, wanted: int) -> None:
    """An older library lacks what is called here; one of another major version has changed it."""
    if loaded < wanted or loaded >> 16 != wanted >> 16:
        shown = [f"{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in (wanted, loaded)]
        raise errors.VersionError(
            f"libshared: these bindings were made for {shown[0]}, {shown[1]} was loaded{_place()}")


def _place() -> str:
    """Where a libshared that is a file of its own was loaded from."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    return "".join(sorted({f", from {line.split(maxsplit=5)[5]}" for line in maps if "/libshared.so" in line}))


def _check_implementation(wanted: str) -> None:
    """Whoever says which kind he wants gets that, or an error."""
    if wanted not in ("", "bundled", "system"):
        raise errors.VersionError(f'SHARED_IMPL: "{wanted}", it may be "bundled" or "system"')
    if wanted not in ("", native.implementation()):
        option = f"--config-settings=setup-args=-Dsystem={str(wanted == 'system').lower()}"
        raise errors.VersionError(f'SHARED_IMPL: "{wanted}" is wanted, these bindings are "{native.implementation()}"; '
                                  f"install them with {option}")


_check(native.version(), native.VERSION)
_check_implementation(os.environ.get("SHARED_IMPL", ""))
native.setup(errors.make, model.adapt, model.UNSET)

__all__ = ["__version__", "build_info"]
