# SPDX-License-Identifier: MIT
"""Cut at every byte (recipe A4): each flow on a connection that stands, both directions, reset and closed; silence and
garbage at every tenth. Whatever is then said must be true at the server, and nothing may be done twice."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import pytest
from bad import SLOW, STRIDE, Net
from proxy import DOWN, FIN, GARBAGE, HOLE, RST, UP, Proxy

from driver import EUNKNOWN, Answer

Flow = Callable[[Net, str], Answer]
RARE = 10  # silence costs its timeout, each time
numbers = itertools.count()


def points(net: Net, proxy: Proxy, flow: Flow) -> list[tuple[str, int, int]]:
    """Every way, direction and byte, from how many bytes the flow takes when nothing disturbs it."""
    for _ in range(3):  # the first ones prepare statements and load scripts
        before = list(proxy.passed)
        flow(net, f"free-{next(numbers)}")
    counts = [after - start for after, start in zip(proxy.passed, before, strict=True)]
    assert all(counts), counts
    return [(way, direction, at) for way in (RST, FIN, HOLE, GARBAGE) for direction in (UP, DOWN)
            for at in range(0, counts[direction] + 1, STRIDE * (RARE if way in (HOLE, GARBAGE) else 1))]


def sweep(net: Net, proxy: Proxy, flow: Flow) -> dict[str, Answer]:
    """Runs the flow once a point; what each said, by its name."""
    answers = {}
    done = 0
    for way, direction, at in points(net, proxy, flow):
        name = f"{way}-{direction}-{at}-{next(numbers)}"
        proxy.arm(way, direction, at)
        answers[name] = flow(net, name)
        done += 1
        net.works()
    assert not net.left_over()
    assert proxy.cuts >= done * 0.5, (proxy.cuts, done)  # a flow that ended early leaves its cut undone
    failed = [answer for answer in answers.values() if answer.code]
    assert failed, "no cut was felt"
    return answers


def by_name(answers: dict[str, Answer], stored: dict[str, int], unknown: Callable[[Answer], bool]) -> None:
    """Done when it was said to be, at most once, and not when it was said not to be."""
    for name, answer in answers.items():
        count = stored.get(name, 0)
        if answer.code == 0:
            assert count == 1, (name, count, answer)
        else:
            assert count <= 1 if unknown(answer) else count == 0, (name, count, answer)


# -- PostgreSQL -------------------------------------------------------------------------------------------------------


def test_get(net: Net) -> None:
    net.good.good("add", 0, "known")
    net.good.good("commit", 0)

    def flow(net: Net, _: str) -> Answer:
        return net.end(net.bad.begin("get", 0, "known"))

    answers = sweep(net, net.postgres, flow)
    assert all(answer.count == 1 for answer in answers.values() if answer.code == 0)


def test_query_of_a_session(net: Net) -> None:
    def flow(net: Net, name: str) -> Answer:
        tag = net.bad.begin("query", 1, 0, f"SELECT '{name}', repeat('x', 100)")
        answer = net.end(tag)
        assert answer.code or answer.text == name, answer
        net.end(net.bad.begin("rollback", 1))
        return answer

    sweep(net, net.postgres, flow)


def test_commit(net: Net) -> None:
    def flow(net: Net, name: str) -> Answer:
        net.bad.good("add", 2, name)
        net.bad.good("enqueue", 2, "task", "[]", name)
        answer = net.end(net.bad.begin("commit", 2))
        net.end(net.bad.begin("rollback", 2))
        return answer

    answers = sweep(net, net.postgres, flow)
    unknown = [answer for answer in answers.values() if answer.code == EUNKNOWN]
    assert unknown, "no answer to a COMMIT was lost"
    stored = dict(net.pg.execute("SELECT id, 1 FROM documents").fetchall())
    tasks = dict(net.pg.execute("SELECT key, count(*) FROM task_outbox GROUP BY key").fetchall())
    assert stored == tasks  # all or nothing
    by_name(answers, stored, lambda answer: answer.code == EUNKNOWN)


# -- Redis ------------------------------------------------------------------------------------------------------------


def test_publish(net: Net) -> None:
    def flow(net: Net, name: str) -> Answer:
        return net.end(net.bad.begin("publish", name, 10, "starting"))

    answers = sweep(net, net.redis, flow)
    by_name(answers, {name: net.store.xlen(f"progress-log:{name}") for name in answers}, lambda answer: True)


def test_send(net: Net) -> None:
    def flow(net: Net, name: str) -> Answer:
        return net.end(net.bad.begin("send", "sent", "task", json.dumps([name])))

    answers = sweep(net, net.redis, flow)
    stored: dict[str, int] = {}
    for message in net.store.lrange("sent", 0, -1):
        name = json.loads(message)["headers"]["argsrepr"].strip("[]()'\", ")
        stored[name] = stored.get(name, 0) + 1
    by_name(answers, stored, lambda answer: True)


def test_result(net: Net) -> None:
    """Of a task that is done by the time it is asked for."""
    net.good.good("send", "done", "task", "[]")
    consumer = net.good.begin("consume", "done", 1)
    task = net.good.wait(consumer)
    net.good.good("ack", task.id)
    net.good.good("cancel", consumer)

    def flow(net: Net, _: str) -> Answer:
        return net.end(net.bad.begin("result", task.id, 1000))

    answers = sweep(net, net.redis, flow)
    assert all("SUCCESS" in answer.text for answer in answers.values() if answer.code == 0)


@pytest.mark.parametrize("way", [RST, FIN])
def test_subscription_has_no_gap_and_nothing_twice(net: Net, way: str) -> None:
    """The listener's connection is cut after every byte of what it hears; it asks for what it missed, by itself."""
    heard = 0
    for at in itertools.count(0, STRIDE * 7):
        document = f"{way}-{at}"
        net.good.good("add", 0, document)
        net.good.good("commit", 0)
        net.good.good("publish", document, 0, "starting")
        tag = net.bad.begin("subscribe", document)
        first = net.bad.wait(tag, 20 * SLOW)
        assert first.kind == 3, first
        cuts = net.redis.cuts
        net.redis.arm(way, DOWN, at)
        for percent in (10, 20, 30, 40):
            net.good.good("publish", document, percent, "extracting")
        net.pg.execute("UPDATE documents SET extraction_status = 'completed' WHERE id = %s", [document])
        net.good.good("publish", document, 100, "completed")
        percents = [json.loads(first.text)["progress"]]
        while (answer := net.bad.wait(tag, 20 * SLOW)).more:
            percents.append(json.loads(answer.text)["progress"])
        assert answer.code == 0, answer
        assert percents == sorted(set(percents)), percents
        assert percents[-1] == 100, percents
        heard = max(heard, len(percents))
        if net.redis.cuts == cuts:
            break  # it heard all, and the cut had not come yet
    net.works()
    assert heard == 6 and at > 500, (heard, at)
    assert not net.left_over()


@pytest.mark.parametrize("way", [RST, FIN])
def test_claim_and_ack(net: Net, way: str) -> None:
    """A consumer's connections are cut after more and more bytes, again and again, until all its tasks are done: each
    has one result, and none is left or lost. An ack that ended with an error may have been heard all the same. No lease
    runs out meanwhile: a claim whose answer was cut goes back, and is nobody's death."""
    net.restart(LEASE_S=100 * SLOW, LEASE_RENEW_S=1)
    count = 40
    for number in range(count):
        net.good.good("send", "work", "task", json.dumps([number]))
    net.bad.begin("consume", "work", 4)
    acks: dict[int, str] = {}
    done: list[str] = []
    doubtful: set[str] = set()
    at = 0
    while acks or len(results := net.store_results.keys("celery-task-meta-*")) < count:
        if net.redis.cut is None and at < 1500:
            at += 7 * STRIDE
            net.redis.arm(way, at // 7 % 2, at)
        assert net.bad.read(20 * SLOW), f"nothing more came; {len(results)} of {count} done, {len(acks)} acks open"
        for answer in list(net.bad.answers):
            net.bad.answers.remove(answer)
            if answer.kind == 4:
                acks[net.bad.begin("ack", answer.id)] = answer.id
            elif answer.code == 0:
                done.append(acks.pop(answer.tag))
            else:
                doubtful.add(acks.pop(answer.tag))  # each tag ends once
    net.works()
    assert net.redis.cuts > 3
    assert len(done) == len(set(done)) and len(doubtful.union(done)) == count, (done, doubtful)
    assert all(json.loads(net.store_results.get(key))["status"] == "SUCCESS" for key in results)
    stats = json.loads(net.good.good("stats", "work").text)
    assert (stats["waiting"], stats["claimed"], stats["dead"]) == (0, 0, 0), stats
