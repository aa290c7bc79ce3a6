# SPDX-License-Identifier: MIT
"""That a message which was published leaves, whatever becomes of the loop behind it."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared import client
from shared.celery import run
from shared.client import Client
from shared.progress import ProgressPublisher
from stack import LabStack

STEPS = ("starting", "extracting", "chunking", "storing")
Heard = Callable[[], str | None]


@pytest.fixture
def heard(servers: LabStack) -> Iterator[Heard]:
    """The step of the next message, heard by another client; it blocks the event loop meanwhile."""
    with servers.redis_connect().pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("progress:doc-1")
        listener.get_message(timeout=5)  # subscribed

        def next_step() -> str | None:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                if message := listener.get_message(timeout=1):
                    return str(json.loads(message["data"])["step"])
            return None
        yield next_step


async def publish(redis: Any = None, steps: tuple[str, ...] = STEPS) -> None:
    publisher = ProgressPublisher(redis)
    for step in steps:
        await publisher.publish_progress("doc-1", 10, step, "one")


def test_the_end_of_a_run_sends_what_was_published(heard: Heard) -> None:
    asyncio.run(publish())
    assert tuple(heard() for _ in STEPS) == STEPS


def test_a_run_that_fails_sends_it_too(heard: Heard) -> None:
    async def main() -> None:
        await publish(steps=("starting",))
        raise LookupError
    with pytest.raises(LookupError):
        asyncio.run(main())
    assert heard() == "starting"


async def test_closing_a_client_sends_it(heard: Heard) -> None:
    async with Client() as own:
        await publish(own)
    assert tuple(heard() for _ in STEPS) == STEPS


def test_the_end_of_a_celery_task_sends_it(heard: Heard) -> None:
    """The loop stands still until the process has its next task."""
    run(publish())
    assert tuple(heard() for _ in STEPS) == STEPS


async def test_it_leaves_before_the_loop_turns(heard: Heard) -> None:
    """Work that never awaits comes behind it."""
    publisher = ProgressPublisher()
    await publisher.publish_progress("doc-1", 1, "starting", "one")
    await publisher.flush()
    assert heard() == "starting"
    for step in STEPS[1:]:  # the answer to the one before is still under way
        await publisher.publish_progress("doc-1", 10, step, "one")
        assert heard() == step


@pytest.mark.parametrize("runs", [asyncio.run, run])
def test_a_redis_that_says_nothing_holds_up_the_end_for_a_moment(runs: Callable[[Any], None],
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SETTLE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        runs(publish(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"))
        assert 0.2 <= time.monotonic() - started < 10
