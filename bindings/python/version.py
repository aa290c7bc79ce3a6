#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The version of the library, which is ours: from its meson.build, the only place where it stands."""

import re
from pathlib import Path

text = (Path(__file__).parent / "subprojects" / "libshared" / "meson.build").read_text()
print(re.search(r"version: '([\d.]+)'", text).group(1))
