# SPDX-License-Identifier: MIT
"""A network that is slow, in single bytes, or away for a while, but tells no lie: nothing fails that had the time, a
claim is kept, and a hole costs each request its deadline and no more."""

from __future__ import annotations

import json

import pytest
from bad import DEADLINE_S, SLOW, Net
from proxy import DOWN, FIN, RST, UP

from dev.process import wait_until

PATIENT = dict.fromkeys(("DATABASE_TIMEOUT_MS", "REDIS_TIMEOUT_MS", "CONNECT_TIMEOUT_MS", "POOL_WAIT_MS"), 20000)


def ask_all(net: Net, name: str) -> list[int]:
    """One request of each kind, all at once."""
    net.bad.good("add", 1, name)
    net.bad.good("enqueue", 1, "task", "[]", name)
    return [net.bad.begin("get", 0, name), net.bad.begin("query", 2, 0, "SELECT repeat('x', 5000)"),
            net.bad.begin("commit", 1), net.bad.begin("publish", name, 10, "starting"),
            net.bad.begin("send", "slow", "task", json.dumps([name])), net.bad.begin("stats", "slow")]


@pytest.mark.parametrize(("split", "delay_s"), [(True, 0.0), (False, 0.03), (True, 0.01)])
def test_slowness_alone_fails_nothing(net: Net, split: bool, delay_s: float) -> None:
    net.restart(**PATIENT)
    for proxy in (net.postgres, net.redis):
        proxy.split, proxy.delay_s = split, delay_s
    for number in range(5):
        tags = ask_all(net, f"slow-{number}")
        assert [net.bad.wait(tag, 60 * SLOW).code for tag in tags] == [0] * len(tags)
        net.bad.good("rollback", 2, timeout_s=60 * SLOW)
    assert net.pg.execute("SELECT count(*) FROM documents").fetchone() == (5,)
    assert net.pg.execute("SELECT count(*) FROM task_outbox").fetchone() == (5,)
    assert net.store.llen("slow") == 5
    assert not net.left_over()


def test_servers_that_fall_silent(net: Net) -> None:
    """Whoever connects is accepted and hears nothing; connections that stand hear nothing more."""
    net.works()
    for proxy in (net.postgres, net.redis):
        with proxy.lock:
            proxy.dead = True
            for line in proxy.lines:
                line.silent = True
    for number in range(3):
        for tag in ask_all(net, f"silent-{number}"):
            assert net.end(tag).code
        net.bad.do("rollback", 1, timeout_s=DEADLINE_S)
        net.bad.do("rollback", 2, timeout_s=DEADLINE_S)
    net.works()
    assert net.pg.execute("SELECT count(*) FROM documents WHERE id LIKE 'silent-%'").fetchone() == (0,)
    assert net.store.llen("slow") == 0
    assert not net.left_over()


@pytest.mark.parametrize("way", [RST, FIN])
def test_a_claim_is_kept_while_its_renewals_are_cut(net: Net, way: str) -> None:
    net.restart(LEASE_S=8, LEASE_RENEW_S=1)
    for number in range(3):
        net.good.good("send", "held", "task", json.dumps([number]))
    consumer = net.bad.begin("consume", "held", 5)
    tasks = [net.bad.wait(consumer).id for _ in range(3)]
    first = net.redis.cuts

    def cut_again() -> bool:
        if net.redis.cut is None:
            net.redis.arm(way, (UP, DOWN)[net.redis.cuts % 2], 10 * (net.redis.cuts - first))
        return net.redis.cuts - first >= 6

    wait_until(cut_again, 60 * SLOW, "six cuts")
    net.works()
    for task in tasks:
        assert net.bad.do("ack", task).code == 0
    stats = json.loads(net.good.good("stats", "held").text)
    assert (stats["waiting"], stats["claimed"], stats["dead"]) == (0, 0, 0), stats
    assert not net.left_over()  # no task came twice
