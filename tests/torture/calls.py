#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes calls.c from libshared/shared.map: one step in front of each exported function that counts its calls, for the
linker's --wrap. So scarce.h knows which functions ran while an allocation could fail. Changes nothing else."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HEAD = """/* Made by tests/torture/calls.py. */
int scarce_calls[{count}];
const char *const scarce_names[] = {{{names}}};
const int scarce_name_count = {count};
#if defined(__x86_64__)
#define STEP(name, at) \\
    __asm__(".text\\n.globl __wrap_" name "\\n.type __wrap_" name ",@function\\n__wrap_" name ":\\n" \\
            "incl scarce_calls+" at "(%rip)\\njmp __real_" name "\\n");
#elif defined(__aarch64__)
#define STEP(name, at) \\
    __asm__(".text\\n.globl __wrap_" name "\\n.type __wrap_" name ",%function\\n__wrap_" name ":\\n" \\
            "adrp x16, scarce_calls+" at "\\nadd x16, x16, :lo12:scarce_calls+" at "\\n" \\
            "ldr w17, [x16]\\nadd w17, w17, #1\\nstr w17, [x16]\\nb __real_" name "\\n");
#else
#error "calls.py: teach it this processor's way to count and jump"
#endif
"""


def main(map_file: str, output: str) -> None:
    names = re.findall(r"^\s+(shared_\w+);", Path(map_file).read_text(), re.MULTILINE)
    text = HEAD.format(count=len(names), names=", ".join(f'"{name}"' for name in names))
    text += "".join(f'STEP("{name}", "{4 * index}")\n' for index, name in enumerate(names))
    Path(output).write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
