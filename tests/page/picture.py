# SPDX-License-Identifier: MIT
"""Makes docs/page.png, the picture in the README: a stack of its own, real uploads, one document held in the middle.
    PYTHONPATH=deploy:tests/integration BUILD_DIR=build .venv/bin/python tests/page/picture.py docs/page.png"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from browser import Page
from pdf import pdf_encrypted, pdf_lost_pages, pdf_numbered
from stack import LabStack

CASES = ("Pellworth patent opposition", "Northgate Logistics, employment review", "Harbour Quay: lease renewal",
         "Estate of R. A. Whitcombe")
TITLE = "Meridian Holdings v. Castell"
DESCRIPTION = "Breach of a supply agreement; disclosure is due at the end of the month."


def files(folder: Path) -> list[Path]:
    """What is uploaded and read, in the order of the list from its end."""
    made = {
        "Supply agreement, executed.pdf": pdf_numbered(84),
        "Schedule B, delivery terms.pdf": pdf_numbered(12),
        "Witness statement of J. Castell.pdf": pdf_lost_pages(23, [7, 8]),
        "Correspondence.txt": b"Dear Sirs,\n\nWe act for Meridian Holdings.\n" * 400,
        "Scan 0042.pdf": pdf_encrypted(pdf_numbered(3)),
    }
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in made]


def draw(lab: LabStack, folder: Path, target: Path) -> None:
    with Page(lab.backend_url, folder / "profile", width=1240, height=700) as page:
        page.resize(1240, 700, scale=2)
        page.open("")
        for title in CASES:
            page.create_case(title)
        case_id = page.create_case(TITLE, DESCRIPTION)
        for file in files(folder):
            page.choose(file)
            page.wait_state(file.name, "ready", "warned", "failed")
        lab.stop_one("worker")
        for name in ("Deposition of K. Lund.pdf", "Expert report on quantum.pdf"):
            (folder / name).write_bytes(pdf_numbered(118))
            page.choose(folder / name)
            page.wait_state(name, "waiting")
        # A worker's words, said here: a picture needs a moment that lasts.
        said = {"progress": 46, "step": "extracting", "message": "Extracted text from page 54 of 118"}
        page.wait(lambda: page.all(".live[data-live=live]"), "the stream")
        lab.redis_connect().publish(f"progress:{page.document_id('Deposition of K. Lund.pdf')}", json.dumps(said))
        page.wait_state("Deposition of K. Lund.pdf", "active")
        page.script("document.activeElement.blur()")
        page.wait(lambda: not page.script("return document.getAnimations().length"), "the bars to rest")
        assert case_id in page.driver.current_url
        page.driver.save_screenshot(str(target))


def main() -> None:
    target = Path(sys.argv[1])
    lab = LabStack()
    try:
        lab.prepare()
        lab.servers_start()
        lab.backend_up()
        lab.worker_up()
        with tempfile.TemporaryDirectory() as folder:
            draw(lab, Path(folder), target)
    finally:
        lab.close()


if __name__ == "__main__":
    main()
