# SPDX-License-Identifier: MIT
"""All kinds of requests at once over a network that changes its mind all the time, drawn from a seed: each accepted tag
ends in one event, in time, and what it says is true at the servers. NETWORK_SEED=... replays it."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from bad import DEADLINE_S, SLOW, Net, check
from proxy import DOWN, FIN, GARBAGE, HOLE, RST, UP, Proxy

from driver import EUNKNOWN, REFUSED, TASK_EVENT, Answer

STEPS = 250
IN_FLIGHT_MAX = 40
SESSIONS = 8


@dataclass
class Run:
    """What was asked, and what came of it."""

    net: Net
    random: random.Random
    started: dict[int, float] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    busy: dict[int, int] = field(default_factory=dict)  # tag: its session
    acks: dict[int, str] = field(default_factory=dict)
    ended: dict[str, Answer] = field(default_factory=dict)
    acked: Counter[str] = field(default_factory=Counter)
    consumer: int = 0
    failed: int = 0
    count: int = 0

    def ask(self, kind: str, *words: object, session: int | None = None) -> None:
        self.count += 1
        tag = self.net.bad.begin(kind, *words)
        self.started[tag] = time.monotonic()
        if session is not None:
            self.busy[tag] = session

    def named(self, kind: str, name: str, *words: object, session: int | None = None) -> None:
        self.ask(kind, *words, session=session)
        self.names[max(self.started)] = name

    def free_session(self) -> int | None:
        free = [session for session in range(1, SESSIONS + 1) if session not in self.busy.values()]
        return self.random.choice(free) if free else None

    # -- one request of each kind ----------------------------------------------------------------------------------

    def get(self) -> None:
        self.ask("get", 0, "known")

    def read(self) -> None:
        self.ask("query", 0, 1, "SELECT count(*) FROM documents")

    def own(self) -> None:
        if (session := self.free_session()) is not None:
            self.ask("query", session, 0, "SELECT txid_current()", session=session)
            self.ask("rollback", session, session=session)

    def commit(self) -> None:
        if (session := self.free_session()) is not None:
            name = f"commit-{self.count}"
            self.net.bad.begin("add", session, name)
            self.net.bad.begin("enqueue", session, "task", "[]", name)
            self.named("commit", name, session, session=session)
            self.ask("rollback", session, session=session)

    def publish(self) -> None:
        name = f"publish-{self.count}"
        self.named("publish", name, name, 10, "starting")

    def send(self) -> None:
        name = f"send-{self.count}"
        self.named("send", name, "sent", "task", json.dumps([name]))

    def work(self) -> None:
        self.named("send", f"work-{self.count}", "work", "task", "[]")

    def stats(self) -> None:
        self.ask("stats", "work")

    # -- the network -----------------------------------------------------------------------------------------------

    def disturb(self) -> None:
        proxy: Proxy = self.random.choice([self.net.postgres, self.net.redis])
        act = self.random.randrange(8)
        if act < 4:
            proxy.arm(self.random.choice([RST, FIN, HOLE, GARBAGE]), self.random.choice([UP, DOWN]),
                      int(self.random.expovariate(1 / 400)))
        elif act == 4:
            proxy.delay_s = self.random.choice([0.0, 0.005, 0.03])
        elif act == 5:
            proxy.split = not proxy.split
        elif act == 6:
            proxy.drop_all()
        else:
            proxy.dead = self.random.random() < 0.3

    # -- answers ---------------------------------------------------------------------------------------------------

    def hear(self, timeout_s: float) -> None:
        self.net.bad.read(timeout_s)
        answers, self.net.bad.answers = self.net.bad.answers, []
        for answer in answers:
            if answer.kind == TASK_EVENT:
                self.acks[self.net.bad.begin("ack", answer.id)] = answer.id
            elif answer.tag in self.acks:
                task = self.acks.pop(answer.tag)
                check(answer)
                self.acked[task] += answer.code == 0
            elif answer.kind != -1 and answer.tag != self.consumer:
                self.end(answer)

    def end(self, answer: Answer) -> None:
        assert answer.tag in self.started, f"a second end, or of nobody: {answer}"
        took_s = time.monotonic() - self.started.pop(answer.tag)
        self.busy.pop(answer.tag, None)
        assert answer.kind != REFUSED, answer
        assert not answer.more, answer
        # A session's rollback waits for the commit before it, and that for a connection.
        assert took_s <= 2 * DEADLINE_S, (took_s, answer)
        check(answer)
        self.failed += answer.code != 0
        if name := self.names.pop(answer.tag, None):
            self.ended[name] = answer

    def drain(self) -> None:
        deadline = time.monotonic() + 2 * DEADLINE_S
        while self.started:
            assert time.monotonic() < deadline, f"without an end: {self.started}"
            self.hear(0.2)


def drive(run: Run) -> None:
    kinds: list[Callable[[], None]] = [run.get, run.read, run.own, run.commit, run.publish, run.send, run.work,
                                       run.stats]
    for _ in range(STEPS):
        if run.random.random() < 0.3:
            run.disturb()
        for _ in range(run.random.randrange(4)):
            run.random.choice(kinds)()
        run.hear(0.02)
        while len(run.started) > IN_FLIGHT_MAX:
            run.hear(0.05)
    run.net.behave()
    run.drain()


@pytest.mark.parametrize("round_", range(3))
def test_every_tag_ends_once_and_true(net: Net, seed: int, round_: int) -> None:
    run = Run(net, random.Random(seed + round_))
    net.good.good("add", 0, "known")
    net.good.good("commit", 0)
    run.consumer = net.bad.begin("consume", "work", 8)
    drive(run)
    assert run.count > STEPS
    assert 0 < run.failed < run.count, "the network was no bad one, or nothing came through"
    assert net.postgres.cuts + net.redis.cuts > 3
    finish_work(run)
    run.net.works()
    truth_of_commits(run)
    truth_of_messages(run)


def finish_work(run: Run) -> None:
    """On a good network every task that is there is done: of each that was said to be sent, one result."""
    deadline = time.monotonic() + 40 * SLOW
    while True:
        stats = json.loads(run.net.good.good("stats", "work").text)
        if not run.acks and (stats["waiting"], stats["claimed"]) == (0, 0):
            break
        assert time.monotonic() < deadline, (stats, run.acks)
        run.hear(0.1)
    sent = {answer.id for name, answer in run.ended.items() if name.startswith("work-") and answer.code == 0}
    results = {task: run.net.store_results.get(f"celery-task-meta-{task}") for task in sent}
    assert all(result and json.loads(result)["status"] == "SUCCESS" for result in results.values()), results
    assert not [task for task, count in run.acked.items() if count > 1]


def truth_of_commits(run: Run) -> None:
    stored = {row[0] for row in run.net.pg.execute("SELECT id FROM documents WHERE id LIKE 'commit-%'").fetchall()}
    tasks = Counter(row[0] for row in run.net.pg.execute("SELECT key FROM task_outbox").fetchall())
    assert set(tasks) == stored
    assert set(tasks.values()) <= {1}
    commits = {name: answer for name, answer in run.ended.items() if name.startswith("commit-")}
    assert commits
    for name, answer in commits.items():
        if answer.code != EUNKNOWN:
            assert (name in stored) == (answer.code == 0), answer


def truth_of_messages(run: Run) -> None:
    sent = Counter(json.loads(message)["headers"]["argsrepr"].strip("[]()'\", ")
                   for message in run.net.store.lrange("sent", 0, -1))
    for name, answer in run.ended.items():
        if name.startswith("send-"):
            assert sent[name] == 1 if answer.code == 0 else sent[name] <= 1, (name, answer)
        elif name.startswith("publish-"):
            kept = run.net.store.xlen(f"progress-log:{name}")
            assert kept == 1 if answer.code == 0 else kept <= 1, (name, kept, answer)
