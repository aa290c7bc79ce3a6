# SPDX-License-Identifier: MIT
"""A made page is what its program prints now. Arguments: the program, the page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    program, page = sys.argv[1:]
    made = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    if Path(page).exists() and Path(page).read_text() == made:
        return 0
    print(f"{page} is stale: {program} > {page}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
