# SPDX-License-Identifier: MIT
"""What the tests of the bad network share: a driver behind two proxies, one beside them, and the rules that every
answer must keep, whatever the network does."""

from __future__ import annotations

import os
import time

import psycopg
import redis
from proxy import Proxy

from dev.process import wait_until
from driver import ECONFLICT, PERMANENT, POSTGRES, REDIS, Answer, Driver
from stack import LabStack

STRIDE = int(os.environ.get("NETWORK_STRIDE", "1"))
SLOW = 4 if os.environ.get("ASAN_OPTIONS") else 1
TIMEOUT_MS = 300 * SLOW
# A request may wait for a connection, for its making, and for its answer; then two seconds more.
DEADLINE_S = 3 * TIMEOUT_MS / 1000 + 2 * SLOW
SETTINGS = {"DATABASE_TIMEOUT_MS": TIMEOUT_MS, "REDIS_TIMEOUT_MS": TIMEOUT_MS, "CONNECT_TIMEOUT_MS": TIMEOUT_MS,
            "POOL_WAIT_MS": TIMEOUT_MS, "RECONNECT_MS_MAX": 20, "POOL_SIZE": 4, "LEASE_S": 2, "LEASE_RENEW_S": 1,
            "PROGRESS_RATE": 1000}
OWN_SESSION = 63  # no flow has it


class Net:
    """`bad`: the driver that goes through the proxies. `good`: one that does not."""

    def __init__(self, stack: LabStack) -> None:
        self.stack = stack
        self.postgres = Proxy(stack.postgres.port)
        self.redis = Proxy(stack.redis.port)
        urls = stack.urls()
        moved = {name: url.replace(f":{stack.postgres.port}/", f":{self.postgres.port}/")
                 .replace(f":{stack.redis.port}", f":{self.redis.port}") for name, url in urls.items()}
        log = stack.logs / "driver.log"
        common = {"LOG_LEVEL": "error", "LEX_MIGRATIONS_DIR": urls["LEX_MIGRATIONS_DIR"]}
        self.bad = Driver(log, **moved | common)
        self.good = Driver(log, **urls | common)
        self.restart()
        self.good.client(LEASE_S="2", LEASE_RENEW_S="1", PROGRESS_RATE="1000")
        self.pg: psycopg.Connection = stack.pg_connect()
        self.store: redis.Redis = stack.redis_connect()
        self.store_results: redis.Redis = stack.redis_connect(1)

    def restart(self, **more: object) -> None:
        """A new client behind the proxies."""
        self.bad.client(**{name: str(value) for name, value in (SETTINGS | more).items()})

    def close(self) -> None:
        self.behave()
        self.bad.close()
        self.good.close()
        self.postgres.stop()
        self.redis.stop()
        self.pg.close()
        self.store.close()
        self.store_results.close()

    def behave(self) -> None:
        self.postgres.behave()
        self.redis.behave()

    def end(self, tag: int) -> Answer:
        """The one last event of a request: in time, and never for good."""
        started = time.monotonic()
        answer = self.bad.take(tag, DEADLINE_S)
        assert answer is not None, f"tag {tag} has no event after {DEADLINE_S} s"
        assert time.monotonic() - started <= DEADLINE_S
        assert not answer.more, answer
        check(answer)
        return answer

    def works(self) -> None:
        """Soon after the network is good again, both servers are reached."""
        self.behave()
        wait_until(lambda: self.pings(REDIS), 20 * SLOW, "Redis")
        wait_until(lambda: self.pings(POSTGRES), 20 * SLOW, "a shared connection")
        wait_until(self.owns, 20 * SLOW, "a connection of a session's own")

    def pings(self, domain: int) -> bool:
        return self.bad.do("ping", domain, timeout_s=DEADLINE_S).code == 0

    def owns(self) -> bool:
        answer = self.bad.do("query", OWN_SESSION, 0, "SELECT 1", timeout_s=DEADLINE_S)
        self.bad.do("rollback", OWN_SESSION, timeout_s=DEADLINE_S)
        return answer.code == 0

    def left_over(self) -> list[Answer]:
        """Events that nobody waited for: a tag that ended twice."""
        while self.bad.read(0.05):
            pass
        return self.bad.answers


def check(answer: Answer) -> None:
    """The network is nobody's permanent fault. (A claim that another has by now is told as a conflict.)"""
    assert answer.class_ != PERMANENT or answer.code == ECONFLICT, answer
    assert answer.code == 0 or (answer.message and answer.operation), answer
