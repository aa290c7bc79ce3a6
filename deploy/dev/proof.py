# SPDX-License-Identifier: MIT
"""What ./dev test shows beyond the tests' own verdicts: how much of libshared was tortured and covered, and that what
gcc's analyzer says is explained. Each function answers with complaints; none of them runs a test."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

TORTURE_POINTS_MIN = 3000


def torture_complaints(log: Path, map_file: Path) -> list[str]:
    """From the log of the torture tests: too few points, or an exported function that ran in no scenario."""
    text = log.read_text(errors="replace")
    points = sum(map(int, re.findall(r"^torture: (\d+) points", text, re.MULTILINE)))
    names = re.findall(r"^\s+(shared_\w+);", map_file.read_text(), re.MULTILINE)
    reached = set(re.findall(r"^tortured: (\w+)", text, re.MULTILINE))
    print(f"{points} points of failure; {len(reached & set(names))} of {len(names)} exported functions ran among them")
    complaints = [f"{name}: runs in no scenario of tests/unit/scarce.h" for name in names if name not in reached]
    if points < TORTURE_POINTS_MIN:
        complaints.append(f"only {points} points, {TORTURE_POINTS_MIN} are wanted")
    return complaints


COVERAGE_MIN = {"line": 92.0, "branch": 85.0}
# Left out: the side of an invariant on which the process aborts, and what stands on lines without code.
COVERAGE_OPTIONS = ("--exclude-branches-by-pattern", r".*SHARED_CHECK\(.*", "--exclude-unreachable-branches")


def coverage_complaints(summary: Path) -> list[str]:
    """From gcovr's JSON summary: the whole, and the files that are lowest."""
    text = json.loads(summary.read_text())
    print(f"lines {text['line_percent']} % of {text['line_total']}, "
          f"branches {text['branch_percent']} % of {text['branch_total']}")
    for kind in COVERAGE_MIN:
        lowest = sorted((entry for entry in text["files"] if entry[f"{kind}_total"]),
                        key=lambda entry: entry[f"{kind}_percent"])[:8]
        print(f"lowest {kind}s: " + ", ".join(f"{entry['filename'].removeprefix('libshared/')} "
                                              f"{entry[f'{kind}_percent']:.0f}" for entry in lowest))
    return [f"{kind}s: {text[f'{kind}_percent']} %, {least} % are wanted"
            for kind, least in COVERAGE_MIN.items() if text[f"{kind}_percent"] < least]


# What gcc 12's analyzer says and is wrong about: file, function, flag, and why. It follows no ownership into what is
# kept in a struct. An entry that it no longer says is a complaint too.
ANALYZER_EXPLAINED: dict[tuple[str, str, str], str] = {
    ("net/postgres_result.c", "rows_from_result", "malloc-leak"): "the caller owns rows by its first member",
    ("net/redis.c", "word_size", "null-dereference"): "a tail without words has count 0 and is not looked at",
    ("queue/relay.c", "delete_sent", "malloc-leak"): "what relay->sent holds is freed by its loop",
    ("session/change.c", "change_grow", "malloc-leak"): "kept in change->records, freed with the change",
}


def analyzer_complaints(outputs: Iterable[str]) -> list[str]:
    """From what gcc printed about each file: findings that nobody explained, explanations that nothing needs."""
    found: dict[tuple[str, str, str], str] = {}
    for output in outputs:
        function = ""
        for line in output.splitlines():
            if match := re.search(r": In function ‘(\w+)’", line):
                function = match[1]
            if match := re.search(r"libshared/(\S+?):\d+:\d+: warning: .*\[-Wanalyzer-([\w-]+)\]$", line):
                found[match[1], function, match[2]] = line
    print(f"{len(found)} findings, {len(ANALYZER_EXPLAINED)} explained")
    return [f"{' '.join(key)}: {line}" for key, line in found.items() if key not in ANALYZER_EXPLAINED] + [
        f"{' '.join(key)}: explained, and not said any more" for key in ANALYZER_EXPLAINED if key not in found]
