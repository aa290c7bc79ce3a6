#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the source distribution whole: what stands elsewhere in the repository is copied into it."""

import os
import shutil
from pathlib import Path

source = Path(os.environ["MESON_PROJECT_SOURCE_ROOT"])
target = Path(os.environ["MESON_PROJECT_DIST_ROOT"])
root = source.parents[1]
library = target / "subprojects" / "libshared"
library.mkdir(parents=True)
for name in ("LICENSE", "meson.build", "meson_options.txt"):
    shutil.copy(root / name, library / name)
for folder in ("include", "libshared", "pkgconfig", "deploy/migrations"):
    shutil.copytree(root / folder, library / folder, ignore=shutil.ignore_patterns("__pycache__"))
shutil.copy(root / "bindings" / "shared.i", target / "shared.i")
