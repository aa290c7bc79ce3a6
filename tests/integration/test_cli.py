# SPDX-License-Identifier: MIT
"""lex-intel as its users type it."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from dev.process import Process
from documents import TASK, store
from pdf import pdf_encrypted, pdf_numbered
from stack import LabStack

SECRET = "not-for-logs"


@pytest.fixture
def broker(stack: LabStack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(stack.urls()["CELERY_BROKER_URL"]) as client:
        yield client


def lex(stack: LabStack, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([stack.program_path("lex-intel"), *words], env=stack.environment(**env), text=True,
                          capture_output=True, timeout=60, check=False)


def test_migrate_says_where_it_is(stack: LabStack) -> None:
    head = json.loads(lex(stack, "migrate", "current").stdout)
    assert head["current"] == head["head"]
    again = lex(stack, "migrate", "upgrade", "head")
    assert again.returncode == 0 and again.stdout.startswith("0 applied")


@pytest.mark.parametrize("target", ["0999", "+99", "-1", "base", "1"])
def test_unknown_target_is_named(stack: LabStack, target: str) -> None:
    done = lex(stack, "migrate", "upgrade", target)
    assert done.returncode == 1
    assert f'"{target}"' in done.stderr


@pytest.mark.parametrize("words", [[], ["fly"], ["migrate"], ["migrate", "upgrade"], ["send"], ["send", "x"],
                                   ["watch"], ["doctor", "x"], ["send", "x", "{}", "--wait", "soon"],
                                   ["dead"], ["dead", "list", "--all"], ["dead", "requeue"],
                                   ["dead", "drop", "--queue"], ["dead", "drop", "x", "--all"], ["dead", "bury", "x"],
                                   ["dead", "list", "--slow"]])
def test_wrong_words_say_the_right_ones(stack: LabStack, words: list[str]) -> None:
    done = lex(stack, *words)
    assert done.returncode == 64
    assert "usage: lex-intel" in done.stderr


def test_verbose_version_names_the_libraries(stack: LabStack) -> None:
    version, info = lex(stack, "--version", "--verbose").stdout.splitlines()
    found = json.loads(info)
    assert version == f"lex-intel {found['libshared']}, libshared {found['libshared']}"
    assert set(found) == {"libshared", "libpq", "openssl", "hiredis", "jansson", "zlib", "compiler"}
    assert all(found.values())


def test_dead_letters_are_shown_put_back_and_dropped(stack: LabStack, broker: redis.Redis) -> None:
    headers = [{"id": f"task-{i}", "task": "a\x1b[1m\"task", "lex_key": f"k{i}"} for i in range(3)]
    raws = [json.dumps({"headers": header}).encode() for header in headers]
    for raw in [*raws, b"\xff"]:
        broker.lpush("lex:dead:letters", raw)
    sha = hashlib.sha1(raws[2], usedforsecurity=False).hexdigest()
    broker.hset("lex:dead-why:letters", sha, "1795487262421 InvalidTaskError: eta: \"soon\"")
    words = ["--queue", "letters"]
    done = lex(stack, "dead", "list", *words)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "4 set aside" and lines[1].rstrip() == "  task    ?"
    assert lines[3] == f"{sha}  2026-11-24T02:27:42.421000Z  {len(raws[2])} bytes"
    assert lines[4] == r'  task    a\u001b[1m\"task task-2'
    assert lines[5] == r'  reason  InvalidTaskError: eta: \"soon\"'
    assert lex(stack, "dead", "requeue", *words, "task-1").stdout == "1 put back\n"
    assert broker.lrange("letters", 0, -1) == [raws[1]] and broker.hkeys("lex:live:letters") == [b"k1"]
    assert lex(stack, "dead", "drop", sha, *words).stdout == "1 dropped\n"
    again = lex(stack, "dead", "drop", sha, *words)
    assert again.returncode == 1 and f"message {sha}: is not set aside in letters" in again.stderr
    assert lex(stack, "dead", "requeue", "--all", *words).stdout == "2 put back\n"
    assert broker.lrange("letters", 0, -1) == [b"\xff", raws[0], raws[1]]
    assert lex(stack, "dead", "list", *words).stdout == "0 set aside\n"
    broker.delete("letters", "lex:live:letters")


def test_send_waits_for_the_result(stack: LabStack, worker: Process, pg: psycopg.Connection) -> None:
    document = store(stack, pg, pdf_numbered(2))
    done = lex(stack, "send", TASK, json.dumps({"document_id": document.id}), "--wait", "30")
    assert done.returncode == 0, done.stderr
    task_id, result = done.stdout.splitlines()
    assert len(task_id) == 36
    assert json.loads(result)["status"] == "SUCCESS"


def test_send_counts_in_the_queue(stack: LabStack, redis_client: redis.Redis) -> None:
    if "worker" in stack.processes and stack.processes["worker"].alive:
        stack.processes["worker"].stop()
    redis_client.delete("celery")
    for _ in range(3):
        assert lex(stack, "send", TASK, '{"document_id": "none"}').returncode == 0
    assert redis_client.llen("celery") == 3
    redis_client.delete("celery")


def test_send_refuses_what_is_not_json(stack: LabStack) -> None:
    done = lex(stack, "send", TASK, "{no json")
    assert done.returncode == 1 and "args_json" in done.stderr


def test_watch_prints_lines_until_the_end(stack: LabStack, worker: Process, pg: psycopg.Connection) -> None:
    document = store(stack, pg, pdf_numbered(3))
    watch = subprocess.Popen([stack.program_path("lex-intel"), "watch", document.id], env=stack.environment(),
                             text=True, stdout=subprocess.PIPE)
    lex(stack, "send", TASK, json.dumps({"document_id": document.id}))
    output, _ = watch.communicate(timeout=60)
    assert watch.returncode == 0
    assert output.splitlines()[-1].startswith("100 completed")


def test_watch_draws_a_bar_on_a_terminal(stack: LabStack, worker: Process, pg: psycopg.Connection) -> None:
    document = store(stack, pg, pdf_encrypted(pdf_numbered(1)))
    lex(stack, "send", TASK, json.dumps({"document_id": document.id}), "--wait", "30")
    master, terminal = pty.openpty()
    done = subprocess.run([stack.program_path("lex-intel"), "watch", document.id], env=stack.environment(),
                          stdout=terminal, timeout=60, check=False)
    os.close(terminal)
    drawn = os.read(master, 4096).decode()
    os.close(master)
    assert done.returncode == 1  # the document failed, and the exit code says so
    assert "\r[" in drawn and "password" in drawn


def test_watch_of_an_unknown_document(stack: LabStack) -> None:
    done = lex(stack, "watch", "no-such")
    assert done.returncode == 1 and "no-such" in done.stderr


def test_doctor_finds_all_well(stack: LabStack) -> None:
    done = lex(stack, "doctor")
    assert done.returncode == 0, done.stdout
    assert "all is well" in done.stdout
    for check in ("postgresql", "redis", "results", "schema", "queue", "uploads", "sandbox"):
        assert f"ok       {check}" in done.stdout
    password = stack.postgres.password
    assert password not in done.stdout and stack.redis.password not in done.stdout


@pytest.mark.parametrize(("name", "meant"), [("LEX_SANBOX", "LEX_SANDBOX"), ("PAGES_MX", "PAGES_MAX")])
def test_doctor_names_what_was_most_likely_meant(stack: LabStack, name: str, meant: str) -> None:
    done = lex(stack, "doctor", **{name: "1"})
    assert f"{name} is not a setting; did you mean {meant}?" in done.stdout
    assert (name in done.stderr) == name.startswith("LEX_")


def test_doctor_takes_a_secret_from_a_file(stack: LabStack, tmp_path: Path) -> None:
    secret = tmp_path / "redis_url"
    secret.write_text(stack.urls()["REDIS_URL"] + "\n")
    done = lex(stack, "doctor", REDIS_URL="", REDIS_URL_FILE=str(secret))
    assert done.returncode == 0, done.stdout + done.stderr
    line = next(line for line in done.stdout.splitlines() if "REDIS_URL" in line)
    assert line.split()[1] == "set"


@pytest.mark.parametrize(("name", "value", "check", "advice"), [
    ("DATABASE_URL", f"postgresql://u:{SECRET}@127.0.0.1:9/x", "postgresql", "start PostgreSQL, or correct"),
    ("DATABASE_URL", "", "postgresql", "correct DATABASE_URL"),
    ("REDIS_URL", f"redis://:{SECRET}@127.0.0.1:9", "redis", "start Redis, or correct REDIS_URL"),
    ("CELERY_RESULT_BACKEND", f"db+postgresql://u:{SECRET}@h/x", "results", "correct CELERY_RESULT_BACKEND"),
    ("CELERY_RESULT_BACKEND", f"redis://:{SECRET}@127.0.0.1:9/1", "results", "start that Redis, or correct"),
    ("UPLOAD_DIR", "/no/such/folder", "uploads", "make the folder"),
    ("LEX_EXTRACT_PROGRAM", "/bin/false", "sandbox", "the kernel must offer Landlock"),
    ("LEX_EXTRACT_PROGRAM", "/none", "sandbox", "set LEX_EXTRACT_PROGRAM"),
])
def test_doctor_says_what_to_mend(stack: LabStack, name: str, value: str, check: str, advice: str) -> None:
    done = lex(stack, "doctor", **{name: value})
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    failed = [at for at, line in enumerate(lines) if line.startswith("FAILED")]
    assert [lines[at].split()[1] for at in failed] == [check]
    assert lines[failed[0] + 1].split("-> ")[1].startswith(advice)
    assert SECRET not in done.stdout + done.stderr


def test_doctor_warns_of_a_worker_without_a_sandbox(stack: LabStack) -> None:
    done = lex(stack, "doctor", LEX_SANDBOX="off")
    assert done.returncode == 0, done.stdout
    assert "warning  sandbox" in done.stdout and "without a sandbox" in done.stdout
    assert "all is well" not in done.stdout
    done = lex(stack, "doctor", LEX_SANDBOX="off", LEX_EXTRACT_PROGRAM="/bin/false")
    assert done.returncode == 1 and "FAILED   sandbox" in done.stdout
    assert "LEX_EXTRACT_PROGRAM to" in done.stdout


@pytest.mark.parametrize("words", [["migrate"], ["send"], ["watch"], ["dead"], ["dead", "list"], ["doctor"]])
def test_each_command_has_help(stack: LabStack, words: list[str]) -> None:
    for option in ("--help", "-h"):
        done = lex(stack, *words, option, DATABASE_URL="nonsense")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"usage: lex-intel {words[0]}")


def test_doctor_and_a_wrong_password(stack: LabStack) -> None:
    url = stack.urls()["DATABASE_URL"].replace(stack.postgres.password, SECRET)
    done = lex(stack, "doctor", DATABASE_URL=url)
    assert done.returncode == 1 and done.stdout.count("FAILED") == 1
    assert "-> correct DATABASE_URL" in done.stdout and "skipped  schema" in done.stdout


def test_what_cannot_be_said_is_a_failure(stack: LabStack) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([stack.program_path("lex-intel"), "doctor"], env=stack.environment(), stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "lex-intel: standard output: No space left on device\n")


@pytest.mark.parametrize(("name", "value"), [
    ("DATABASE_URL", f"mysql://u:{SECRET}@h/x"), ("REDIS_URL", f"http://:{SECRET}@h"), ("BACKEND_PORT", "eighty"),
    ("CHUNK_SIZE", "-1"), ("LOG_LEVEL", "loud"), ("QUEUE_NAME", "a b"), ("CELERY_BROKER_URL", f"redis://:{SECRET}@h/x/y"),
])
def test_wrong_setting_is_named_without_its_password(stack: LabStack, name: str, value: str) -> None:
    words = {"REDIS_URL": ["watch", "x"], "CELERY_BROKER_URL": ["send", "x", "[]"]}.get(name, ["migrate", "current"])
    done = lex(stack, *words, **{name: value})
    assert done.returncode != 0
    assert name in done.stderr
    assert SECRET not in done.stderr + done.stdout
