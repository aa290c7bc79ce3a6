# SPDX-License-Identifier: MIT
"""The backend as a process, or several: settings that it must refuse, servers that are away, its end, its numbers."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import psycopg
import pytest

from dev.process import Process
from resources import case_make, document_make, wait_sent
from stack import LabStack, wait_until
from wire import connect, read_answers


def backend_fails(stack: LabStack, timeout_s: float = 20, **env: str) -> tuple[int, str]:
    program = stack.backend_program(**({"BACKEND_PORT": "0"} | env))
    done = subprocess.run(program.argv, env=program.env, cwd=stack.folder, capture_output=True, text=True,
                          timeout=timeout_s, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(("env", "named"), [
    ({"BACKEND_HOST": "0.0.0.0"}, "BACKEND_ALLOW_REMOTE"),
    ({"BACKEND_HOST": "no.such.host.invalid"}, "BACKEND_HOST"),
    ({"BACKEND_PORT": "66000"}, "BACKEND_PORT"),
    ({"UPLOAD_DIR": "/proc/none"}, "UPLOAD_DIR"),
    ({"DATABASE_URL": "mysql://user:hidden-word@localhost/x"}, "DATABASE_URL"),
    ({"REDIS_URL": "http://:hidden-word@localhost"}, "REDIS_URL"),
])
def test_wrong_setting_is_named(stack: LabStack, env: dict[str, str], named: str) -> None:
    code, text = backend_fails(stack, **env)
    assert code == 78
    assert named in text
    assert "hidden-word" not in text


def test_taken_port_is_told(stack: LabStack, backend: Process) -> None:
    code, text = backend_fails(stack, BACKEND_PORT=str(stack.settings["backend_port"]))
    assert code == 78
    assert "in use" in text


def test_it_gives_up_waiting_and_says_for_what(stack: LabStack) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        code, text = backend_fails(stack, STARTUP_TIMEOUT_S="1",
                                   REDIS_URL=f"redis://127.0.0.1:{port}", CELERY_BROKER_URL="",
                                   CELERY_RESULT_BACKEND="")
    assert code == 69
    assert "redis" in text


def test_servers_away_is_503_and_mends_itself(stack: LabStack, client: httpx.Client) -> None:
    document = document_make(client)
    stack.kill("postgres")
    answer = client.get(f"/documents/{document['id']}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2"), answer.text
    wait_until(lambda: client.get("/readyz").status_code == 503, 10, "not ready")
    assert client.get("/livez").status_code == 200
    stack.start_again("postgres")
    wait_until(lambda: client.get(f"/documents/{document['id']}").status_code == 200, 15, "answers again")
    wait_until(lambda: client.get("/readyz").status_code == 200, 15, "ready again")


def test_redis_away_loses_no_upload(stack: LabStack, client: httpx.Client, pg: psycopg.Connection) -> None:
    stack.kill("redis")
    document = document_make(client)["id"]
    stack.start_again("redis")
    wait_sent(pg, document)


def test_it_waits_for_servers_at_start(stack: LabStack, backend: Process) -> None:
    stack.stop_one("backend")
    stack.kill("redis")
    process = stack.start_again("backend", ready=False)
    wait_until(lambda: "/readyz says 503" in (stack.backend_missing() or ""), 10, "it listens, and is not ready")
    assert httpx.get(f"{stack.backend_url}/livez").status_code == 200
    stack.start_again("redis")
    process.wait_ready()


# -- ends and processes -----------------------------------------------------------------------------------------------

def test_sigterm_finishes_what_is_under_way(stack: LabStack, client: httpx.Client, backend: Process) -> None:
    with connect(stack.backend_url) as connection:
        body = b'{"title": "slow"}'
        head = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(b"POST /cases HTTP/1.1\r\n" + head.encode() + body[:5])
        wait_until(lambda: "lex_backend_http_requests_open 2" in client.get("/metrics").text, 5, "it is under way")
        os.kill(stack.pid("backend"), signal.SIGTERM)
        wait_until(lambda: "stopping" in stack.log("backend"), 5, "it stops")
        connection.sendall(body[5:])
        assert [answer.status for answer in read_answers(connection, 1)] == [201]
    assert stack.stop_one("backend") == 0


def test_several_processes_share_the_port(stack: LabStack) -> None:
    with stack.backend_with(BACKEND_PROCESSES="3") as process:
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True,
                                  check=True).stdout.split()
        assert len(children) == 3
        case = case_make(stack.client)
        os.kill(int(children[0]), signal.SIGKILL)
        wait_until(lambda: len(subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True,
                                              check=False).stdout.split()) == 3, 10, "it was replaced")
        for _ in range(20):
            with httpx.Client(base_url=stack.backend_url) as client:
                assert client.get(f"/cases/{case['id']}").status_code == 200


def metric(stack: LabStack, name: str) -> int:
    """From whichever process takes a new connection."""
    with httpx.Client(base_url=stack.backend_url) as client:
        return int(client.get("/metrics").text.split(f"\nlex_backend_{name} ")[1].split()[0])


def test_metrics_are_those_of_all_processes(stack: LabStack) -> None:
    """Whichever answers; and one that takes the place of a dead one goes on counting."""
    with stack.backend_with(BACKEND_PROCESSES="3") as process:
        before = metric(stack, "http_requests_total")
        with contextlib.ExitStack() as open_ones:
            for _ in range(30):
                one = open_ones.enter_context(httpx.Client(base_url=stack.backend_url))
                assert one.get("/livez").status_code == 200
            assert metric(stack, "http_requests_total") == before + 31
            assert metric(stack, "http_connections") == 31
            wait_until(lambda: metric(stack, "relay_up") == 1, 10, "all relays run")
        before = metric(stack, "http_requests_total")
        for child in children_of(process):
            os.kill(child, signal.SIGKILL)
            wait_until(lambda: child not in children_of(process), 10, "it is gone")  # noqa: B023
        wait_until(lambda: len(children_of(process)) == 3, 10, "they were replaced")
        assert metric(stack, "http_requests_total") == before + 1
        assert metric(stack, "http_connections") == 1


def children_of(process: Process) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def test_idle_backend_is_small(stack: LabStack) -> None:
    if os.environ.get("ASAN_OPTIONS"):
        pytest.skip("sanitizers need memory of their own")
    with stack.backend_with() as process:
        case_make(stack.client)
        status = Path(f"/proc/{process.pid}/status").read_text()
        rss_kb = int(status.split("VmRSS:")[1].split()[0])
        newer = int(platform.freedesktop_os_release().get("VERSION_ID", "12").split(".")[0]) > 12
        assert rss_kb <= (14 if newer else 12) * 1024  # 10 500 and 12 480 KB: libraries grow


def test_answers_survive_a_client_that_leaves(stack: LabStack, client: httpx.Client) -> None:
    document = document_make(client)
    for _ in range(50):
        with connect(stack.backend_url) as connection:
            connection.sendall(f"GET /documents/{document['id']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert client.get(f"/documents/{document['id']}").status_code == 200
    wait_until(lambda: "lex_backend_http_requests_open 1" in client.get("/metrics").text, 5, "none is left over")
