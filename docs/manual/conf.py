# SPDX-License-Identifier: MIT
"""Sphinx's settings for the manual of libshared, and what turns the comments of the public headers into it: prose as it
stands there, names as links, and under each function the example that calls it. Run by `./dev docs`, which sets
SHARED_ROOT and SHARED_INCLUDES."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(os.environ["SHARED_ROOT"])
sys.path.insert(0, str(Path(__file__).parent))

import examples  # noqa: E402  beside this file
import prose  # noqa: E402

project = "libshared"
author = "lex-intel"
copyright = "lex-intel, MIT licence"  # noqa: A001  Sphinx's own name for it
version = release = re.search(r"version: '([\d.]+)'", (ROOT / "meson.build").read_text()).group(1)  # type: ignore[union-attr]
extensions = ["hawkmoth"]
html_theme = "alabaster"
html_theme_options = {"description": "The shared core of lex-intel", "fixed_sidebar": True, "page_width": "70em"}
html_show_sphinx = False
html_copy_source = False
templates_path: list[str] = []
default_role = "literal"
smartquotes = False
highlight_language = "c"
nitpicky = True
nitpick_ignore = [("c:identifier", name) for name in ("size_t", "int32_t", "int64_t", "uint32_t", "uint64_t")]
man_make_section_directory = True
man_show_urls = False
man_pages = [(page, page, title, [author], int(section))
             for page, section, title in (line.split("|") for line in Path("man.txt").read_text().splitlines())]

# The system's headers, so that size_t and uint64_t are what they are: libclang brings none (docs of hawkmoth 0.22).
hawkmoth_root = str(ROOT / "include")
hawkmoth_autoconf: list[str] = []
hawkmoth_clang = ["-nostdinc", "-std=c17", f"-I{ROOT / 'include'}",
                  *(word for folder in os.environ["SHARED_INCLUDES"].split(":") for word in ("-isystem", folder))]


def docstring_convert(app: Sphinx, lines: list[str], transform: object, options: object) -> None:
    lines[:] = prose.to_rst([re.sub(r"^ \*  ?", "", line) for line in lines])  # hawkmoth leaves a last line as it is


def examples_add(app: Sphinx, tree: nodes.document) -> None:
    """Under each function: where an example calls it, and the lines."""
    for entry in tree.findall(addnodes.desc):
        if entry.get("objtype") != "function":
            continue
        name = entry[0].get("ids", [""])[0].removeprefix("c.")
        found = examples.find(ROOT / "examples", name)
        if not found:
            continue  # tests/abi/manual.py names it
        content = entry.next_node(addnodes.desc_content)
        content += nodes.paragraph("", "", nodes.emphasis("", f"Example, from examples/{found.file}:"))
        content += nodes.literal_block(found.text, found.text, language="c")


def links_drop(app: Sphinx, tree: nodes.document, page: str) -> None:
    """A man page cannot follow them, and Sphinx would print where they lead."""
    if app.builder.name == "man":
        for link in list(tree.findall(nodes.reference)):
            link.replace_self(link.children)


def setup(app: Sphinx) -> None:
    app.connect("hawkmoth-process-docstring", docstring_convert)
    app.connect("doctree-read", examples_add)
    app.connect("doctree-resolved", links_drop)
