#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The version of the library, which is ours: from its meson.build, the only place where it stands. In the repository
it also links subprojects/libshared, where meson wants the library, to the repository itself: made here and not
committed, since not every copy of a tree keeps links."""

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
library = HERE / "subprojects" / "libshared"
if not library.exists():  # an sdist has a folder of that name
    library.parent.mkdir(exist_ok=True)
    library.symlink_to(Path("..", "..", ".."))
print(re.search(r"version: '([\d.]+)'", (library / "meson.build").read_text()).group(1))
