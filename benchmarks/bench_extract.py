# SPDX-License-Identifier: MIT
"""From upload to completed: a real PDF of 300 pages (gnuplot's manual, Debian's gnuplot-doc) through HTTP, queue,
sandbox, checkpoint and chunks, against `pdftotext` alone, which only converts it."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from common import best, done, head, row, stack_up, timed


def manual() -> Path:
    """gnuplot's manual, unpacked if Debian packed it."""
    found = sorted(Path("/usr/share/doc").glob("gnuplot*/*.pdf*"), key=lambda path: path.stat().st_size)
    if not found:
        raise SystemExit("bench extract: apt install gnuplot-doc")
    if found[-1].suffix != ".gz":
        return found[-1]
    target = Path(tempfile.mkdtemp()) / "gnuplot.pdf"
    target.write_bytes(gzip.decompress(found[-1].read_bytes()))
    return target


def upload(client: httpx.Client, pdf: Path) -> None:
    with pdf.open("rb") as file:
        answer = client.post("/documents", files={"file": ("manual.pdf", file, "application/pdf")})
    answer.raise_for_status()
    with client.stream("GET", f"/documents/{answer.json()['id']}/progress") as stream:
        last = [line for line in stream.iter_lines() if line.startswith("data:")][-1]
    assert '"completed"' in last, last


def main() -> int:
    head("A PDF of some 300 pages: seconds from upload to completed, and of pdftotext alone")
    pdf = manual()
    with stack_up() as stack, httpx.Client(base_url=stack.backend_url, timeout=120) as client:
        upload(client, pdf)
        ours = best(lambda: timed(lambda: upload(client, pdf)), 5)
        peer = best(lambda: timed(lambda: subprocess.run(["pdftotext", str(pdf), "/dev/null"], check=True)), 5)
    row("upload to completed", ours, peer, peer / ours, "<= pdftotext alone", ours <= peer, "s")
    return done()


if __name__ == "__main__":
    sys.exit(main())
