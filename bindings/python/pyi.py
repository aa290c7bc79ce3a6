#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes SWIG's stub true: pyi.py IN OUT. SWIG says that a function with an out parameter gives a list of its status and
what it made; python.i gives what was made alone. It says nothing of what a handle's class has."""

import re
import sys
from pathlib import Path

MADE = {"config_from_env": "config", "client_new": "client", "client_wait": "event", "record_new": "record",
        "record_from_json": "record", "query_new": "query", "session_new": "session", "message_new": "message"}
BORROWED = ("event", "error")  # handles that nobody frees
HANDLE = """    thisown: bool
    def __init__(self, *args: typing.Any, **kwargs: typing.Any) -> None: ...
"""
FREED = "    __swig_destroy__: typing.ClassVar[typing.Callable[[typing.Any], None]]\n"


def handle_class(match: re.Match[str]) -> str:
    return match[1] + HANDLE + ("" if match[2] in BORROWED else FREED)


stub = Path(sys.argv[1]).read_text()
stub, classes = re.subn(r"(class (\w+)(?:\(object\))?:\n) +\.\.\.\n", handle_class, stub)
if classes != stub.count("\nclass "):
    sys.exit(f"{sys.argv[1]}: a class that is not as SWIG wrote it")
for name, made in MADE.items():
    stub, count = re.subn(rf'(def {name}\(.*\) -> )"typing\.List\[.*\]"', rf'\1"{made}"', stub)
    if count != 1:
        sys.exit(f"{sys.argv[1]}: {name} is not there, or not as SWIG wrote it")
if "typing.List[" in stub:
    sys.exit(f"{sys.argv[1]}: a function with an out parameter that pyi.py does not know")
Path(sys.argv[2]).write_text(stub)
