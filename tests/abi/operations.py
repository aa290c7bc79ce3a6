# SPDX-License-Identifier: MIT
"""Every public function that can fail names itself (operation_begin, by itself or by client_check and the like), so
that shared_error_operation is never another function's name. One whose first line fails by itself has nothing to say:
fail() knows the function it stands in. And none is called from inside the library: it would name itself where the
user called another. Argument: the folder of the sources."""

from __future__ import annotations

import re
import sys
from pathlib import Path

BEGINNER = r"#define (\w+)\([^)]*\)\s+\\?\s*\(operation_begin\(\)"
FUNCTION = re.compile(r"\nshared_status (shared_\w+)\([^{;]*\) \{\n(.*?)\n\}\n", re.DOTALL)
ANY_FUNCTION = re.compile(r"\n[a-z_][^\n;{}()]*?\b(\w+)\([^{;]*\) \{\n(.*?)\n\}\n", re.DOTALL)


def main() -> int:
    texts = [path.read_text() for path in sorted(Path(sys.argv[1]).rglob("*.[ch]"))]
    # Macros that begin it: client_check(), and those that a file makes for itself.
    beginners = {"operation_begin", *(name for text in texts
                                      for name in re.findall(BEGINNER, text))}
    begins = re.compile(rf"\b({'|'.join(sorted(beginners))})\(")
    silent = [name for text in texts for name, body in FUNCTION.findall(text)
              if "fail" not in body.split("\n")[0] and not begins.search(body)]
    for name in silent:
        print(f"{name}: does not say operation_begin()")
    public = re.compile(rf"\b({'|'.join(name for text in texts for name, _ in FUNCTION.findall(text))})\(")
    nested = [(name, called) for text in texts for name, body in ANY_FUNCTION.findall(text)
              for called in public.findall(body)]
    for name, called in nested:
        print(f"{name}: calls {called}, whose name would stand in the error")
    return 1 if silent or nested else 0


if __name__ == "__main__":
    sys.exit(main())
