# SPDX-License-Identifier: MIT
"""Publishers in Python that only PUBLISH, by redis-py itself, heard by programs of libshared; garbage among it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import psycopg
import redis

from dev.stack import BUILD
from documents import store
from stack import LabStack, wait_until

GARBAGE: list[bytes] = [b"", b"garbage", b"[1]", b'{"progress":1', b"\xff\xfe", b"{" * 20_000,
                        json.dumps({"progress": 1, "message": "x" * 20_000}).encode()]


@contextmanager
def follower(stack: LabStack, log: Path, *ids: str) -> Iterator[subprocess.Popen[str]]:
    with log.open("wb") as errors:
        process = subprocess.Popen([BUILD / "examples" / "example-follow", *ids], env=stack.environment(), text=True,
                                   stdout=subprocess.PIPE, stderr=errors)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().rstrip("\n")


def warnings(log: Path) -> list[str]:
    lines = [json.loads(text) for text in log.read_text().splitlines()]
    return [entry["message"] for entry in lines if entry["logger"] == "shared.progress"]


def test_what_python_publishes_is_heard_among_garbage(
        stack: LabStack, pg: psycopg.Connection, redis_client: redis.Redis, tmp_path: Path) -> None:
    document = store(stack, pg, b"x", "python.pdf")
    log = tmp_path / "log"
    with follower(stack, log, document.id) as process:
        assert line(process).startswith(f"{document.id}: 0 %")
        for percent in range(1, 100):
            assert redis_client.publish(f"progress:{document.id}", GARBAGE[percent % len(GARBAGE)]) == 1
            said = {"progress": percent, "step": "extracting", "message": f"Seite {percent} \u00fcber 99"}
            redis_client.publish(f"progress:{document.id}", json.dumps(said, indent=percent % 3))
            assert line(process) == f"{document.id}: {percent} % extracting: Seite {percent} \u00fcber 99"
        redis_client.publish(f"progress:{document.id}", json.dumps({"progress": 100, "step": "completed"}))
        assert line(process) == f"{document.id}: 100 % completed: "
        assert process.wait(timeout=30) == 0
    said_once = warnings(log)
    assert len(said_once) == 1
    assert document.id in said_once[0] and "at most 16384" in said_once[0] and "7 bytes" in said_once[0]


def test_many_python_publishers_are_heard_by_one(
        stack: LabStack, pg: psycopg.Connection, redis_client: redis.Redis, tmp_path: Path) -> None:
    documents = [store(stack, pg, b"x", f"{number}.pdf").id for number in range(3)]
    log = tmp_path / "log"

    def speak(document_id: str) -> None:
        with stack.redis_connect() as connection:
            for percent in range(1, 101):
                connection.publish(f"progress:{document_id}", json.dumps({"progress": percent, "step": "storing"}))

    with follower(stack, log) as process:
        wait_until(lambda: redis_client.pubsub_numpat() == 1, 30, "a listener to all")
        speakers = [Thread(target=speak, args=[document_id]) for document_id in documents]
        for speaker in speakers:
            speaker.start()
        heard = [line(process) for _ in range(300)]
        for speaker in speakers:
            speaker.join()
    for document_id in documents:
        own = [text for text in heard if text.startswith(f"{document_id}: ")]
        assert own == [f"{document_id}: {percent} % storing: " for percent in range(1, 101)]
    assert warnings(log) == []
