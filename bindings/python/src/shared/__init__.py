# SPDX-License-Identifier: MIT
"""lex-intel's shared core: models, database session, progress, task queue and error classes, for asyncio."""

from __future__ import annotations

import json

from . import errors, model, native

__version__ = native.version_text()


def build_info() -> dict[str, str]:
    """The versions of the libraries in this process, for a report of a fault."""
    return dict(json.loads(native.build_info()))


def _check(loaded: int, wanted: int) -> None:
    """An older library lacks what is called here; one of another major version has changed it."""
    if loaded < wanted or loaded >> 16 != wanted >> 16:
        shown = [f"{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in (wanted, loaded)]
        raise errors.VersionError(f"libshared: these bindings were made for {shown[0]}, {shown[1]} was loaded")


_check(native.version(), native.VERSION)
native.setup(errors.make, model.adapt, model.UNSET)

__all__ = ["__version__", "build_info"]
