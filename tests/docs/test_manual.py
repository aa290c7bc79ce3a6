# SPDX-License-Identifier: MIT
"""The manual, made anew without a warning: no name of the library, no setting and no program without its page."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from dev.docs import HTML, SILENT, make
from dev.stack import ROOT

HEADERS = [path for path in sorted((ROOT / "include" / "shared").glob("*.h")) if path.stem not in SILENT]
FUNCTIONS = sorted(name for header in HEADERS
                   for name in re.findall(r"SHARED_API\s+[^;(]*?(shared_\w+)\(", header.read_text()))


@pytest.fixture(scope="module")
def man() -> Path:
    """Sphinx ends with an error at its first warning."""
    return make()


def rendered(page: Path) -> subprocess.CompletedProcess[str]:
    argv = ["man", "-M", str(page.parents[1]), "--warnings=all", "-E", "UTF-8", "-P", "cat", "-l", str(page)]
    return subprocess.run(argv, capture_output=True, text=True, check=True,
                          env={"PATH": "/usr/bin:/bin", "MANWIDTH": "100"})


def test_every_function_has_a_man_page(man: Path) -> None:
    for name in FUNCTIONS:
        page = man / "man3" / f"{name}.3"
        if alias := re.match(r"\.so (man3/\w+\.3)\n", page.read_text()):
            page = man / alias[1]
        assert name in page.read_text().replace("\\", ""), name


def test_every_function_has_an_example() -> None:
    import examples
    assert [name for name in FUNCTIONS if not examples.find(ROOT / "examples", name)] == []


def test_every_function_stands_in_the_html(man: Path) -> None:
    text = "".join(page.read_text() for page in HTML.glob("shared_*.html"))
    assert [name for name in FUNCTIONS if f'id="c.{name}"' not in text] == []


def test_types_are_what_they_are(man: Path) -> None:
    """Without the system's headers libclang makes size_t and uint64_t an int."""
    text = rendered(man / "man3" / "shared_record.3").stdout
    assert "size_t size" in text and "int64_t number" in text


def test_every_page_renders_without_a_warning(man: Path) -> None:
    for page in sorted(man.rglob("*.[137]")):
        if not page.read_text().startswith(".so "):
            assert rendered(page).stderr == "", page.name


def test_every_setting_stands_in_its_page(man: Path) -> None:
    text = rendered(man / "man7" / "lex-intel-settings.7").stdout
    for name in re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "config.md").read_text(), re.MULTILINE):
        assert re.search(rf"^ +{name}$", text, re.MULTILINE), name


def test_every_command_stands_in_its_page(man: Path) -> None:
    text = rendered(man / "man1" / "lex-intel.1").stdout
    for command in ("migrate", "send", "watch", "doctor"):
        assert command in text
