# SPDX-License-Identifier: MIT
"""./dev docs: HTML and man pages of libshared from the public headers (docs/manual/, hawkmoth and Sphinx). Everything
is made in build-docs/; a warning is a failure."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

from .build import build, step, tool_environment
from .process import DevError
from .stack import ROOT

FOLDER = ROOT / "build-docs"
MANUAL = ROOT / "docs" / "manual"
HEADERS = ROOT / "include" / "shared"
SOURCE = FOLDER / "source"
HTML, MAN = FOLDER / "html", FOLDER / "man"
SILENT = ("api", "typed")  # how a name is marked; sugar over record.h


def make() -> Path:
    """The whole manual; returns the folder of its man pages."""
    FOLDER.mkdir(exist_ok=True)
    log = FOLDER / "dev.log"
    log.write_text("")
    python = venv_make(log)
    sources_make()
    env = {"SHARED_ROOT": str(ROOT), "SHARED_INCLUDES": ":".join(system_includes()),
           "SOURCE_DATE_EPOCH": date_of_source()}
    for builder, out in (("html", HTML), ("man", MAN)):
        shutil.rmtree(out, ignore_errors=True)
        step(f"making {out.relative_to(ROOT)}", [str(python), "-m", "sphinx", "-q", "-W", "--keep-going", "-b", builder,
                                                 str(SOURCE), str(out)], log, env)
    aliases_make()
    return MAN


def venv_make(log: Path) -> Path:
    """Sphinx and hawkmoth, in a place of their own: `./dev up` needs none of it."""
    venv, requirements = FOLDER / "venv", MANUAL / "requirements.txt"
    wanted = f"{ROOT} {hashlib.sha256(requirements.read_bytes()).hexdigest()}"
    stamp, python = venv / ".made", venv / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(venv, ignore_errors=True)
        step("making build-docs/venv", [sys.executable, "-m", "venv", str(venv)], log, {})
        step("installing Sphinx", [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-deps",
                                   "--require-hashes", "-r", str(requirements)], log, {})
        stamp.write_text(wanted)
    return python


def date_of_source() -> str:
    """Of the last commit, so that the same source makes the same pages."""
    shown = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    return shown.stdout.strip() or "0"


def system_includes() -> list[str]:
    """Where stddef.h and the C library's headers are: libclang's wheel has none, and would make size_t an int."""
    own = subprocess.run(["gcc", "-print-file-name=include"], check=True, capture_output=True, text=True).stdout.strip()
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    return [own, f"/usr/include/{multiarch}", "/usr/include"]


# --- pages ------------------------------------------------------------------------------------------------------------


def sources_make() -> None:
    """The pages that Sphinx reads: those of docs/manual/, one a header, the settings and what `lex-intel --help`
    says."""
    os.environ["SHARED_ROOT"] = str(ROOT)
    sys.path.insert(0, str(MANUAL))
    import prose
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(MANUAL, SOURCE, ignore=shutil.ignore_patterns("__pycache__", "requirements.*"))
    nouns = sorted(path.stem for path in HEADERS.glob("*.h") if path.stem not in SILENT)
    index = SOURCE / "index.rst"
    index.write_text(index.read_text().replace("@HEADERS@", "\n".join(f"   shared_{noun}" for noun in nouns)))
    pages = ["shared|3|what the headers promise together"]
    text = opening(ROOT / "include" / "shared.h")
    (SOURCE / "shared.rst").write_text(overview(prose, text))
    for noun in nouns:
        title, body = headline(opening(HEADERS / f"{noun}.h"))
        (SOURCE / f"shared_{noun}.rst").write_text(page(f"shared_{noun}", [
            ".. only:: html", "", f"   {title[0].upper()}{title[1:]}.", "", *prose.to_rst(body)], noun))
        pages.append(f"shared_{noun}|3|{title}")
    (SOURCE / "lex-intel-settings.rst").write_text(settings(prose))
    (SOURCE / "lex-intel.help").write_text(help_text())
    pages += ["lex-intel|1|looks after the stack", "lex-intel-backend|1|serves documents over HTTP",
              "lex-intel-worker|1|extracts the text of documents", "lex-intel-settings|7|settings of lex-intel"]
    (SOURCE / "man.txt").write_text("\n".join(pages))


def opening(header: Path) -> list[str]:
    """The comment that a header opens with, without its licence line."""
    comment = re.match(r"/\*(.*?)\*/", header.read_text(), re.DOTALL)
    if not comment:
        raise DevError(f"{header}: does not open with a comment")
    lines = [re.sub(r"^ \* ?", "", line) for line in comment.group(1).splitlines()]
    return lines[1:]


def headline(lines: list[str]) -> tuple[str, list[str]]:
    """`noun.h - what it is. More.`: the first sentence, and the rest."""
    text = "\n".join(lines)
    found = re.match(r"\w+\.h - (.*?[.:])(?:\s|$)(.*)", text, re.DOTALL)
    if not found:
        raise DevError(f"a header opens with {lines[0]!r}, not with `noun.h - a sentence.`")
    return " ".join(found.group(1).split()).rstrip(":."), found.group(2).splitlines()


def titled(name: str) -> list[str]:
    return [name, "=" * len(name), ""]


def page(name: str, prose_lines: list[str], noun: str) -> str:
    return "\n".join([*titled(name), *prose_lines, "", f".. code-block:: c\n\n   #include <shared/{noun}.h>", "",
                      f".. c:autodoc:: shared/{noun}.h", ""])


def overview(prose: ModuleType, lines: list[str]) -> str:
    """shared.h: an example, then the promises, each a word in capitals."""
    split = next(number for number, line in enumerate(lines) if re.match(r"[A-Z]{4,}  ", line))
    return "\n".join([*titled("shared"), *prose.to_rst(lines[:split]), "", *prose.definitions(lines[split:]), ""])


def settings(prose: ModuleType) -> str:
    """docs/config.md, itself made from the table of settings, as a list."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", (ROOT / "docs" / "config.md").read_text(), re.MULTILINE)
    out = [*titled("lex-intel-settings"),
           "Settings of all programs and of libshared, from the environment. An empty value means the default.", ""]
    for name, preset, meaning in rows:
        out += [f"``{name}``", "    " + prose.line_to_rst(meaning.replace("`", "'"))]
        if preset.strip("` "):
            out[-1] += f" Default: ``{preset.strip('` ')}``."
    return "\n".join([*out, ""])


def help_text() -> str:
    folder = build(ROOT / "build")
    return subprocess.run([str(folder / "apps" / "cli" / "lex-intel"), "--help"], check=True, capture_output=True,
                          text=True, env=tool_environment()).stdout


# --- man --------------------------------------------------------------------------------------------------------------


def aliases_make() -> None:
    """`man shared_client_new` opens the page of its header."""
    for header in sorted(HEADERS.glob("*.h")):
        if header.stem in SILENT:
            continue
        names = re.findall(r"SHARED_API\s+[^;(]*?(shared_\w+)\(", header.read_text())
        for name in names:
            alias = MAN / "man3" / f"{name}.3"
            if not alias.exists():
                alias.write_text(f".so man3/shared_{header.stem}.3\n")


def run() -> int:
    folder = make()
    count = sum(1 for path in folder.rglob("*") if path.is_file())
    print(f"{HTML / 'index.html'}\n{count} man pages: man -M {folder} shared")
    return 0
