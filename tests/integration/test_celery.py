# SPDX-License-Identifier: MIT
"""Both directions of the wire with an unmodified Celery: its clients send to our consumer (celery-peer), ours to its
worker. Numbers in names are those of the conformance list (celery-wire.md 11)."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import celery
import pytest
import redis
from celery.exceptions import NotRegistered, TaskRevokedError

from dev.stack import BUILD
from stack import LabStack, wait_until

PEER = BUILD / "tests" / "unit" / "queue" / "celery-peer"
HERE = Path(__file__).resolve().parent
STEP = "\x06\x16"


class PermanentError(Exception):
    """Stands in for shared.errors.PermanentError, as in a client that has the package."""


class Peer:
    """celery-peer at work; its lines are "TASK ID"."""

    def __init__(self, stack: LabStack, prefetch: int = 1, queue: str = "celery", **env: str) -> None:
        self.log = stack.folder / f"peer-{uuid.uuid4().hex[:6]}.log"
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [PEER, "consume", queue, str(prefetch)],
                env=stack.environment() | {"LEASE_S": "3", "LEASE_RENEW_S": "1"} | env,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until(lambda: self.lines()[:1] == ["ready"], 20, "the peer's start")

    def lines(self) -> list[str]:
        return [line for line in self.log.read_text().splitlines() if not line.startswith("{")]

    def ran(self, task_id: str) -> int:
        return sum(line.endswith(f" {task_id}") for line in self.lines())

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(20)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)


@contextmanager
def peer_of(stack: LabStack, prefetch: int = 1, queue: str = "celery", **env: str) -> Iterator[Peer]:
    peer = Peer(stack, prefetch, queue, **env)
    try:
        yield peer
    finally:
        peer.stop()


@pytest.fixture
def broker(stack: LabStack) -> Iterator[redis.Redis]:
    """An empty broker, in bytes, and no worker of the product beside the peer."""
    for name in [name for name in stack.processes if name.startswith("worker")]:
        stack.processes[name].stop()
    with redis.Redis.from_url(stack.urls()["CELERY_BROKER_URL"]) as client:
        client.flushall()
        yield client


@pytest.fixture
def app(broker: redis.Redis, celery_app: celery.Celery) -> celery.Celery:
    return celery_app


@pytest.fixture
def peer(stack: LabStack, broker: redis.Redis) -> Iterator[Peer]:
    with peer_of(stack) as peer:
        yield peer


def send(app: celery.Celery, name: str, *args: Any, **options: Any) -> celery.result.AsyncResult:
    return app.send_task(name, args=args, **options)


def is_empty(broker: redis.Redis) -> bool:
    return not broker.exists("celery", "unacked", "unacked_index", "lex:lease", "lex:live:celery", "lex:lost")


# -- Celery's clients, our consumer ------------------------------------------------------------------------------------


def test_1_a_result_comes_back(app: celery.Celery, peer: Peer, broker: redis.Redis) -> None:
    result = send(app, "peer.echo", 2, 3)
    assert result.get(timeout=5) == {"args": [2, 3], "kwargs": {}, "attempt": 0}
    assert result.status == "SUCCESS"
    assert abs(result.date_done - datetime.now(UTC)) < timedelta(seconds=10)
    wait_until(lambda: is_empty(broker), 5, "an empty broker")


def test_2_keyword_arguments(app: celery.Celery, peer: Peer) -> None:
    result = app.send_task("peer.echo", kwargs={"job_payload": {"document_id": "d"}})
    assert result.get(timeout=5)["kwargs"] == {"job_payload": {"document_id": "d"}}


def test_3_priorities(stack: LabStack, app: celery.Celery, broker: redis.Redis) -> None:
    wanted = []
    for priority in (9, 6, 3, 0):
        sent = [send(app, "peer.echo", priority=priority).id for _ in range(3)]
        wanted = sent + wanted
    with peer_of(stack) as peer:
        wait_until(lambda: len(peer.lines()) == 13, 10, "all tasks")
        assert [line.split()[1] for line in peer.lines()[1:]] == wanted


def test_4_countdown_and_eta(app: celery.Celery, peer: Peer) -> None:
    start = datetime.now(UTC)
    later = send(app, "peer.echo", "later", countdown=1.5)
    eta = send(app, "peer.echo", "eta", eta=(start + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=2))))
    now = send(app, "peer.echo", "now")
    now.get(timeout=5)
    assert not later.ready()
    eta.get(timeout=5)
    assert datetime.now(UTC) - start >= timedelta(seconds=1)
    later.get(timeout=5)
    assert datetime.now(UTC) - start >= timedelta(seconds=1.5)


def test_5_expired(app: celery.Celery, peer: Peer) -> None:
    result = send(app, "peer.echo", expires=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(TaskRevokedError, match="expired"):
        result.get(timeout=5)
    assert peer.ran(result.id) == 0


def test_6_options_of_celery_are_seen(app: celery.Celery, peer: Peer) -> None:
    eta = datetime.now(UTC).replace(microsecond=123456) - timedelta(seconds=5)
    expires = eta + timedelta(hours=1)
    result = send(app, "peer.options", eta=eta, expires=expires, priority=5, time_limit=60, soft_time_limit=2.5)
    microseconds = [int(moment.timestamp() * 1_000_000 + 0.5) for moment in (eta, expires)]
    assert result.get(timeout=5) == [*microseconds, 2500, 60000, 5]
    assert send(app, "peer.options").get(timeout=5) == [0, 0, 0, 0, 0]


def test_9_a_retry_with_a_delay_of_its_own(app: celery.Celery, peer: Peer, broker: redis.Redis) -> None:
    start = datetime.now(UTC)
    result = send(app, "peer.again", "busy")
    wait_until(lambda: result.state == "RETRY", 5, "RETRY")
    assert type(result.result).__name__ == "RetryableError" and result.result.args == ("busy",)
    assert result.get(timeout=10)["attempt"] == 1
    assert datetime.now(UTC) - start >= timedelta(seconds=1.5)
    assert result.state == "SUCCESS"
    wait_until(lambda: is_empty(broker), 5, "an empty broker")


def test_8_failures_have_their_class(app: celery.Celery, peer: Peer) -> None:
    result = send(app, "peer.permanent", 'no "file"')
    with pytest.raises(Exception, match='no "file"') as raised:
        result.get(timeout=5)
    assert type(raised.value).__name__ == "PermanentError"
    assert result.traceback.startswith("shared.errors.PermanentError: ")


def test_8_failures_are_the_real_class_where_there_is_one(
    app: celery.Celery, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = type(sys)("shared.errors")
    module.PermanentError = PermanentError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shared.errors", module)
    with pytest.raises(PermanentError, match="gone"):
        send(app, "peer.permanent", "gone").get(timeout=5)


def test_9_retries(stack: LabStack, app: celery.Celery, broker: redis.Redis) -> None:
    with peer_of(stack, RETRY_DELAY_S="1", RETRY_MAX="2") as peer:
        result = send(app, "peer.retryable", "away")
        wait_until(lambda: result.status == "RETRY", 5, "RETRY")
        with pytest.raises(Exception, match="away") as raised:
            result.get(timeout=15)
        assert type(raised.value).__name__ == "RetryableError"
        assert peer.ran(result.id) == 3
        wait_until(lambda: is_empty(broker), 5, "an empty broker")


def test_9_our_retry_is_run_by_celery(stack: LabStack, app: celery.Celery, broker: redis.Redis) -> None:
    with peer_of(stack, RETRY_DELAY_S="5") as peer:
        result = send(app, "peer.twice", "x")
        wait_until(lambda: result.status == "RETRY", 5, "RETRY")
        peer.stop()
    assert broker.llen("celery") == 1
    with celery_worker(stack, "celery"):
        assert result.get(timeout=20) == {"args": ["x"], "attempt": 1, "parent": result.id}


def test_10_ignored_results(app: celery.Celery, peer: Peer, broker: redis.Redis) -> None:
    result = send(app, "peer.echo", ignore_result=True)
    wait_until(lambda: peer.ran(result.id) == 1 and is_empty(broker), 5, "the task")
    assert result.status == "PENDING"


def test_11_unknown_task(app: celery.Celery, peer: Peer, broker: redis.Redis) -> None:
    with pytest.raises(NotRegistered):
        send(app, "nosuch").get(timeout=1)
    assert send(app, "peer.echo").get(timeout=1)
    assert broker.llen("lex:dead:celery") == 1


def test_12_untrusted_content(app: celery.Celery, peer: Peer) -> None:
    result = send(app, "peer.echo", {1, 2}, serializer="pickle")
    with pytest.raises(Exception, match="untrusted content") as raised:
        result.get(timeout=5)
    assert type(raised.value).__name__ == "ContentDisallowed"
    assert send(app, "peer.echo", "good", compression="gzip").get(timeout=5)["args"] == ["good"]
    with pytest.raises(Exception, match="compression"):
        send(app, "peer.echo", compression="bzip2").get(timeout=5)


def envelope(body: Any = None, **changes: Any) -> dict[str, Any]:
    """The message of send_task(), to be spoiled."""
    task_id = str(uuid.uuid4())
    text = json.dumps([[], {}, {}] if body is None else body)
    message: dict[str, Any] = {
        "body": base64.b64encode(text.encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": "peer.echo", "id": task_id},
        "properties": {
            "delivery_tag": str(uuid.uuid4()),
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "body_encoding": "base64",
        },
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = message
        for parent in parents:
            place = place[parent]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return message


BAD: dict[str, dict[str, Any]] = {
    "unknown compression": envelope(headers__compression="application/x-nosuch"),
    "no headers": envelope(headers=...),
    "no task": envelope(headers__task=...),
    "no id": envelope(headers__id=...),
    "no delivery_tag": envelope(properties__delivery_tag=...),
    "no delivery_info": envelope(properties__delivery_info=...),
    "no properties": envelope(properties=...),
    "list of two": envelope([[], {}]),
    "no content-type": envelope(**{"content-type": ...}),
    "timelimit": envelope(headers__timelimit=["x", None]),
    "eta": envelope(headers__eta="tomorrow"),
    "base64": envelope(body="%%%"),
    "body_encoding": envelope(properties__body_encoding="rot13"),
    "kwargs": envelope([[], [], {}]),
    "chord": envelope([[], {}, {"chord": {"task": "x"}}]),
}


@pytest.mark.parametrize("name", [*BAD, "not JSON", "not an object"])
def test_13_what_celery_dies_of(name: str, app: celery.Celery, peer: Peer, broker: redis.Redis) -> None:
    texts = {"not JSON": b"\xff{", "not an object": b"[1]"}
    raw = texts.get(name) or json.dumps(BAD[name] | {}).encode()
    broker.lpush("celery", raw)
    assert send(app, "peer.echo").get(timeout=1)
    assert broker.lrange("lex:dead:celery", 0, -1) == [raw]
    assert peer.process.poll() is None
    task_id = BAD.get(name, {}).get("headers", {}).get("id")
    if task_id:
        wait_until(lambda: app.AsyncResult(task_id).status == "FAILURE", 2, "FAILURE")


def test_14_protocol_1(app: celery.Celery, peer: Peer, broker: redis.Redis) -> None:
    body = {"task": "peer.echo", "id": str(uuid.uuid4()), "args": [1], "kwargs": {"a": 2}, "retries": 0, "eta": None}
    broker.lpush("celery", json.dumps(envelope(body, headers={})))
    assert app.AsyncResult(body["id"]).get(timeout=5) == {"args": [1], "kwargs": {"a": 2}, "attempt": 0}


def test_15_typed_values_pass(app: celery.Celery, peer: Peer) -> None:
    moment, number = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC), uuid.uuid4()
    values = [moment, number, 2**70, 1e308, "ä😀\x00", None, True, {"a": [[]]}, "x" * 1_000_000]
    assert send(app, "peer.echo", *values).get(timeout=10)["args"] == values


def test_24_a_long_task_runs_once_beside_a_sweeping_python_worker(
    stack: LabStack, app: celery.Celery, broker: redis.Redis
) -> None:
    with peer_of(stack) as peer:
        held = send(app, "peer.hold")
        wait_until(lambda: peer.ran(held.id) == 1, 5, "the task")
        # Python workers sweep at their start; they have a visibility timeout of one second.
        for _ in range(2):
            with celery_worker(stack, "celery", PYTHON_VISIBILITY_TIMEOUT="1"):
                assert send(app, "python.echo", 1).get(timeout=20)
                wait_until(lambda: broker.hlen("unacked") == 1, 5, "Python's ack")
        assert peer.ran(held.id) == 1


def test_26_a_dead_peer_is_replaced(stack: LabStack, app: celery.Celery, broker: redis.Redis) -> None:
    with peer_of(stack) as first, peer_of(stack, queue="elsewhere"):
        held = send(app, "peer.hold")
        wait_until(lambda: first.ran(held.id) == 1, 5, "the task")
        first.kill()
        wait_until(lambda: broker.llen("celery") == 1, 10, "the message back in the queue")
        assert not broker.exists("unacked", "lex:lease")
    with peer_of(stack) as second:
        wait_until(lambda: second.ran(held.id) == 1, 5, "the task")


def test_26_what_a_dead_peer_held_is_restored_by_celery(
    stack: LabStack, app: celery.Celery, broker: redis.Redis
) -> None:
    with peer_of(stack) as peer:
        held = send(app, "peer.hold")
        wait_until(lambda: peer.ran(held.id) == 1, 5, "the task")
        peer.kill()
    broker.zadd("unacked_index", {broker.zrange("unacked_index", 0, 0)[0]: 1})
    with celery_worker(stack, "other", PYTHON_VISIBILITY_TIMEOUT="1"):
        wait_until(lambda: broker.llen("celery") == 1, 20, "the message back in the queue")
    message = json.loads(broker.lindex("celery", 0))
    assert message["headers"]["id"] == held.id and message["headers"]["redelivered"] is True


def test_27_a_task_in_hand_goes_back_at_the_end(stack: LabStack, app: celery.Celery, broker: redis.Redis) -> None:
    with peer_of(stack) as peer:
        held = send(app, "peer.hold")
        wait_until(lambda: peer.ran(held.id) == 1, 5, "the task")
        behind = send(app, "peer.echo")
        raw = broker.hvals("unacked")[0]
        assert peer.stop() == 0
    wait_until(lambda: broker.llen("celery") == 2, 5, "both messages")
    assert raw == b"[" + broker.lindex("celery", -1) + b', "", "celery"]'
    assert json.loads(broker.lindex("celery", 0))["headers"]["id"] == behind.id
    assert not broker.exists("unacked", "unacked_index", "lex:lease")


def test_29_nobody_starves_beside_a_python_worker(stack: LabStack, app: celery.Celery, broker: redis.Redis) -> None:
    with peer_of(stack) as peer:
        held = send(app, "peer.hold")
        wait_until(lambda: peer.ran(held.id) == 1, 5, "the peer to be busy")
        with celery_worker(stack, "celery"):
            for i in range(20):
                assert send(app, "python.echo", i).get(timeout=5)["args"] == [i]


def test_23_cut_connections(app: celery.Celery, peer: Peer, broker: redis.Redis) -> None:
    for i in range(10):
        result = send(app, "peer.echo", i)
        with suppress(redis.ConnectionError):
            broker.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert result.get(timeout=10)["args"] == [i]
    wait_until(lambda: is_empty(broker), 5, "an empty broker")


def test_22_killed_at_random_moments(stack: LabStack, app: celery.Celery, broker: redis.Redis) -> None:
    """Every task is run at least once, however often its consumers die; nothing is left over."""
    results = [send(app, "peer.echo", i) for i in range(2000)]
    kills = 0
    while broker.llen("celery") and kills < 20:
        with peer_of(stack, prefetch=4) as peer:
            peer.kill()
            kills += 1
    assert kills >= 5
    with peer_of(stack, prefetch=4):
        for i, result in enumerate(results):
            assert result.get(timeout=40)["args"] == [i]
        wait_until(lambda: is_empty(broker), 20, "an empty broker")


# -- our clients, Celery's worker ------------------------------------------------------------------------------------


@contextmanager
def celery_worker(stack: LabStack, queue: str, **env: str) -> Iterator[None]:
    """A real Celery worker (solo pool) of celery_tasks.py."""
    log = stack.folder / f"celery-{uuid.uuid4().hex[:6]}.log"
    words = ["-A", "celery_tasks", "worker", "-P", "solo", "-Q", queue, "--without-gossip", "--without-mingle"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", *words, "-l", "info"],
            cwd=HERE,
            env=stack.environment() | env,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: " ready." in log.read_text(), 30, f"Celery's worker, see {log}")
        yield
    finally:
        process.terminate()
        process.wait(30)


def peer_run(stack: LabStack, *words: str) -> str:
    argv = [PEER, *words]
    done = subprocess.run(argv, env=stack.environment(), text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_32_our_envelope_is_pythons(stack: LabStack, app: celery.Celery, broker: redis.Redis) -> None:
    args: list[Any] = [{"document_id": "doc-1"}, "it's ä😀", 2**53, 1.5, None, [[[1]]]]
    app.send_task("python.echo", args=args, queue="wire")
    peer_run(stack, "send", "wire", "python.echo", json.dumps(args))
    peer_run(stack, "send", "wire", "python.echo", json.dumps(args), "doc-1")
    python, ours, keyed = (json.loads(raw) for raw in reversed(broker.lrange("wire", 0, -1)))
    assert keyed["headers"].pop("lex_key") == "doc-1"
    for message in (ours, keyed):
        for place, names in (("headers", ["id", "root_id", "origin"]), ("properties", ["correlation_id", "reply_to"])):
            for name in [*names, *(["delivery_tag"] if place == "properties" else [])]:
                assert type(message[place][name]) is type(python[place][name])
                message[place][name] = python[place][name]
        assert json.loads(base64.b64decode(message.pop("body"))) == json.loads(base64.b64decode(python["body"]))
        assert message == {name: value for name, value in python.items() if name != "body"}
    assert broker.smembers("_kombu.binding.wire") == {f"wire{STEP}{STEP}wire".encode()}
    assert broker.smembers("_kombu.binding_permanent.wire") == {f"wire{STEP}{STEP}wire".encode()}


def test_32_options_on_the_wire_are_pythons(stack: LabStack, app: celery.Celery, broker: redis.Redis) -> None:
    """Headers and properties are Celery's, apart from ids and the moment of the call."""
    options: dict[str, Any] = {"countdown": 480, "expires": 600, "time_limit": 1800, "soft_time_limit": 1799}
    app.send_task("python.echo", args=[1], queue="wire", priority=9, **options)
    peer_run(stack, "message", "wire", "python.echo", "[1]", "countdown", "480000", "expires", "600000", "priority",
             "9", "limits", "1799000")
    assert not broker.exists("wire")
    python, ours = (json.loads(raw) for raw in reversed(broker.lrange(f"wire{STEP}9", 0, -1)))
    for name in ("eta", "expires"):
        moments = [datetime.fromisoformat(message["headers"].pop(name)) for message in (python, ours)]
        assert abs(moments[1] - moments[0]) < timedelta(seconds=30)
    expirations = [int(message["properties"].pop("expiration")) for message in (python, ours)]
    assert abs(expirations[1] - expirations[0]) < 1000
    for place in ("headers", "properties"):
        assert ours[place].keys() == python[place].keys()
    assert ours["headers"]["timelimit"] == python["headers"]["timelimit"] == [1800, 1799]
    assert ours["properties"]["priority"] == python["properties"]["priority"] == 9
    assert ours["properties"]["delivery_info"] == python["properties"]["delivery_info"]


def test_34_our_options_are_celerys(stack: LabStack, app: celery.Celery, broker: redis.Redis) -> None:
    expired = peer_run(stack, "message", "python", "python.echo", "[]", "expires", "1")
    order = [peer_run(stack, "message", "python", "python.request", "[]", "priority", p) for p in ("9", "3", "0")]
    limits = peer_run(stack, "message", "python", "python.request", "[]", "limits", "5000", "expires", "600000")
    with celery_worker(stack, "python"):
        # A pause of our own clock's: from here on the worker holds it.
        sent = datetime.now(UTC).timestamp()
        later = peer_run(stack, "message", "python", "python.request", "[]", "countdown", "1500")
        with pytest.raises(TaskRevokedError, match="expired"):
            app.AsyncResult(expired).get(timeout=20)
        answers = [app.AsyncResult(task_id).get(timeout=20) for task_id in order]
        assert answers[0]["now"] > answers[1]["now"] > answers[2]["now"]
        assert [answer["priority"] for answer in answers] == [9, 3, 0]
        answer = app.AsyncResult(limits).get(timeout=20)
        assert answer["timelimit"] == [6, 5] and answer["expires"]
        answer = app.AsyncResult(later).get(timeout=20)
        assert answer["now"] >= sent + 1.5 and datetime.fromisoformat(answer["eta"]).timestamp() >= sent + 1.5


def test_33_34_35_results_of_celery(stack: LabStack, app: celery.Celery, broker: redis.Redis) -> None:
    with celery_worker(stack, "python"):
        args = ["ä😀", 2**62, 1e308, [None, True], "x" * 100_000]
        task_id = peer_run(stack, "send", "python", "python.echo", json.dumps(args))
        result = json.loads(peer_run(stack, "result", task_id, "20000"))
        assert result["status"] == "SUCCESS" and result["result"] == {"args": args, "kwargs": {}}
        assert json.loads(peer_run(stack, "result", task_id, "1000")) == result
        task_id = peer_run(stack, "send", "python", "python.fail", '["broken"]')
        result = json.loads(peer_run(stack, "result", task_id, "20000"))
        assert result["status"] == "FAILURE" and result["result"]["exc_message"] == ["broken"]
        task_id = peer_run(stack, "send", "python", "nosuch", "[]")
        assert json.loads(peer_run(stack, "result", task_id, "20000"))["result"]["exc_type"] == "NotRegistered"


def test_zlib_bomb_is_refused(app: celery.Celery, peer: Peer, broker: redis.Redis) -> None:
    bomb = base64.b64encode(zlib.compress(b" " * (100 << 20))).decode()
    message = envelope(body=bomb, headers__compression="application/x-gzip")
    broker.lpush("celery", json.dumps(message))
    assert send(app, "peer.echo").get(timeout=5)
    assert app.AsyncResult(message["headers"]["id"]).status == "FAILURE"
