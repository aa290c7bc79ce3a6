# SPDX-License-Identifier: MIT
"""Builds bindings/python in the place of this folder: meson-python takes the folder that is the present one."""

import os
from pathlib import Path

from mesonpy import (  # noqa: F401  pip calls them
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)

os.chdir(Path(__file__).resolve().parents[4] / "bindings" / "python")
