# SPDX-License-Identifier: MIT
"""Each example in C does what its first comment says, against the running stack."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from pathlib import Path

import celery
import psycopg
import redis

from dev.process import Process
from dev.stack import BUILD, ROOT
from documents import store
from pdf import pdf_numbered
from stack import LabStack, wait_until

WRAPPER = shlex.split(os.environ.get("EXAMPLE_WRAPPER", ""))  # ./dev test valgrind


def start(stack: LabStack, name: str, *words: str) -> subprocess.Popen[str]:
    argv = [*WRAPPER, BUILD / "examples" / f"example-{name}", *words]
    return subprocess.Popen(argv, env=stack.environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def run(stack: LabStack, name: str, *words: str) -> str:
    process = start(stack, name, *words)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    return output


def test_first_changes_and_commits(stack: LabStack, pg: psycopg.Connection) -> None:
    document = store(stack, pg, b"x", "old.pdf")
    output = run(stack, "first", document.id, "Last will.pdf")
    assert json.loads(output)["file_name"] == "Last will.pdf"
    assert pg.execute("SELECT file_name FROM documents WHERE id = %s", [document.id]).fetchone() == ("Last will.pdf",)


def test_first_says_what_is_missing(stack: LabStack) -> None:
    process = start(stack, "first", "no-such", "x")
    assert process.communicate(timeout=60)[0] == "no document no-such\n"
    assert process.returncode == 1


def test_first_says_what_is_refused(stack: LabStack, pg: psycopg.Connection) -> None:
    process = start(stack, "first", store(stack, pg, b"x", "old.pdf").id, "")
    output, _ = process.communicate(timeout=60)
    assert output.startswith("change: ") and "file_name" in output, output
    assert process.returncode == 1


def test_readme_shows_the_first_example_whole() -> None:
    text = (ROOT / "examples" / "first.c").read_text()
    assert f"```c\n{text}```\n" in (ROOT / "README.md").read_text()
    assert text.count("\n") <= 40


def test_upload_watch_sees_the_end(stack: LabStack, worker: Process, tmp_path: Path) -> None:
    file = tmp_path / "contract.pdf"
    file.write_bytes(pdf_numbered(5))
    lines = run(stack, "upload_watch", str(file)).splitlines()
    assert '"completed"' in lines[-1]


def test_upload_watch_sends_its_task_at_once(stack: LabStack, redis_client: redis.Redis, tmp_path: Path) -> None:
    """What the relay of another process sweeps is marked as redelivered."""
    (tmp_path / "contract.pdf").write_bytes(pdf_numbered(1))
    redis_client.delete("celery")  # what other tests have left
    process = start(stack, "upload_watch", str(tmp_path / "contract.pdf"))
    wait_until(lambda: redis_client.llen("celery"), 30, "the task")
    assert '"redelivered"' not in str(redis_client.lindex("celery", 0))
    process.terminate()
    process.wait(timeout=30)


def test_enqueue_prints_the_result(stack: LabStack, worker: Process, pg: psycopg.Connection) -> None:
    document = store(stack, pg, pdf_numbered(2))
    output = run(stack, "enqueue", "extract_text_from_document", f'[{{"document_id":"{document.id}"}}]')
    assert "SUCCESS" in output and '"page_count"' in output


def test_work_answers_a_celery_client(stack: LabStack, celery_app: celery.Celery) -> None:
    process = start(stack, "work", "2")
    good = celery_app.send_task("greet", args=[{"name": "Anna"}], queue="greetings")
    assert good.get(timeout=30) == {"length": 4}
    bad = celery_app.send_task("greet", args=[{}], queue="greetings")
    wait_until(bad.ready, 30, "the second answer")
    assert bad.state == "FAILURE"
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and output.count("greet [") == 2


def test_poll_hears_both_servers(stack: LabStack) -> None:
    lines = run(stack, "poll", "3", "3000").splitlines()  # time enough under valgrind
    assert lines.count("PostgreSQL: well") == lines.count("Redis: well") == 3


def test_poll_leaves_at_a_signal(stack: LabStack) -> None:
    process = start(stack, "poll", "1", "600000")
    assert process.stdout and process.stdout.readline().endswith(": well\n")
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0


def test_settings_shows_and_checks(stack: LabStack) -> None:
    output = run(stack, "settings", "POOL_SIZE=200", "LOG_LEVEL=warning")
    assert "* POOL_SIZE=200\n" in output and "more than a server likes" in output
    assert stack.postgres.password not in output
    process = start(stack, "settings", "POOL_SIZE=0")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1 and 'POOL_SIZE: "0"' in output


def test_intake_stores_a_case(stack: LabStack, pg: psycopg.Connection) -> None:
    stored = json.loads(run(stack, "intake", '{"id":"case-intake","title":"Smith v. Jones"}'))
    assert stored["description"] == "taken in by hand"
    assert pg.execute("SELECT title FROM cases WHERE id = 'case-intake'").fetchone() == ("Smith v. Jones",)


def test_intake_names_every_field_that_fails(stack: LabStack) -> None:
    process = start(stack, "intake", '{"id":"","titel":"x"}')
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    for path, rule in (("id", "string_too_short"), ("titel", "extra_forbidden")):
        assert f"  {path}: " in output and rule in output


def test_intake_explains_a_conflict(stack: LabStack, pg: psycopg.Connection) -> None:
    pg.execute("INSERT INTO cases (id, title) VALUES ('case-taken', 'first')")
    process = start(stack, "intake", '{"id":"case-taken","title":"second"}')
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output.startswith("shared_session_commit failed: ") and "SQLSTATE 23505" in output


def test_follow_tells_of_several_documents(stack: LabStack, pg: psycopg.Connection) -> None:
    first, second = store(stack, pg, b"x", "a.pdf"), store(stack, pg, b"x", "b.pdf")
    process = start(stack, "follow", first.id, "no-such", second.id)
    assert process.stdout
    told = sorted(process.stdout.readline().split(":")[0] for _ in range(3))
    assert told == sorted([first.id, second.id, "no-such"])
    for document in (first, second):
        pg.execute("UPDATE documents SET extraction_status = 'completed' WHERE id = %s", [document.id])
        run(stack, "publish", document.id, "2")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    for document in (first, second):
        assert f"{document.id}: 100 % completed: Done\n" in output


def test_follow_tells_of_all_until_a_signal(stack: LabStack, pg: psycopg.Connection, redis_client: redis.Redis) -> None:
    document = store(stack, pg, b"x", "page.pdf")
    process = start(stack, "follow")
    wait_until(lambda: redis_client.pubsub_numpat() == 1, 30, "a listener to all")
    run(stack, "publish", document.id, "1")
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[0].startswith(f"{document.id}: 0 % starting")
    assert lines[-1] == f"{document.id}: 100 % completed: Done\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0


def test_publish_is_heard(stack: LabStack, pg: psycopg.Connection) -> None:
    document = store(stack, pg, b"x", "page.pdf")
    watcher = subprocess.Popen([stack.program_path("lex-intel"), "watch", document.id], env=stack.environment(),
                               text=True, stdout=subprocess.PIPE)
    output = run(stack, "publish", document.id, "3")
    assert "100 % completed" in output and '"message":"published"' in output
    lines, _ = watcher.communicate(timeout=60)
    assert "Done" in lines.splitlines()[-1]


def test_sql_shows_every_type(stack: LabStack) -> None:
    output = run(stack, "sql", "SELECT 7 AS n, $1::text AS word, 1.5::float8 AS f, true AS t, '\\x00ff'::bytea AS b,"
                 " ARRAY['x',NULL] AS texts, ARRAY[1,2] AS numbers, NULL::int AS nothing,"
                 " '1970-01-01 00:00:01+00'::timestamptz AS time", "it's")
    assert output == ('n: 7, word: it\'s, f: 1.5, t: yes, b: 2 bytes, texts: ["x",null], numbers: [1,2], nothing: null,'
                      ' time: 1000000 us\n1 rows\n')


def test_sql_streams_many_rows(stack: LabStack) -> None:
    assert run(stack, "sql", "SELECT g FROM generate_series(1, 20000) g").endswith("g: 20000\n20000 rows\n")


def test_list_pages_through_a_case(stack: LabStack, pg: psycopg.Connection) -> None:
    pg.execute("INSERT INTO cases (id, title) VALUES ('case-list', 'x')")
    pg.execute("INSERT INTO documents (id, case_id, file_name)"
               " SELECT 'list-' || g, 'case-list', 'f' FROM generate_series(1, 5) g")
    lines = run(stack, "list", "case-list", "2").splitlines()
    assert [line for line in lines if line.startswith("page")] == ["page 1: 2", "page 2: 2", "page 3: 1"]
    assert len({line for line in lines if line.startswith("list-")}) == 5


def test_transfer_leaves_out_what_fails(stack: LabStack, pg: psycopg.Connection) -> None:
    pg.execute("INSERT INTO cases (id, title) VALUES ('case-to', 'x')")
    pg.execute("INSERT INTO documents (id, file_name) VALUES ('move-1', 'f'), ('move-2', 'f')")
    output = run(stack, "transfer", "case-to", "move-1", "move-no", "move-2")
    assert output.splitlines() == ["move-no: there is none", "move-1 is in case-to", "move-2 is in case-to"]
    refused = run(stack, "transfer", "no-such-case", "move-1")
    assert refused.startswith("move-1: Key (case_id)=(no-such-case) is not present")
    assert refused.endswith("move-1 is in case-to\n")


def test_values_come_back_as_they_went(stack: LabStack) -> None:
    row = json.loads(run(stack, "values").splitlines()[0])
    assert row["a_number"] == 9007199254740993 and row["numbers"] == [1, -2, 9007199254740993]
    assert row["a_float"] == 0.1 and row["a_truth"] is True and row["some_json"] == {"pages": [1, 2]}
    assert row["texts"] == ["plaintiff", None, "defendant"] and row["nothing"] is None


def test_bulk_stores_and_copies(stack: LabStack, pg: psycopg.Connection) -> None:
    document = store(stack, pg, b"x", "bulk.txt")
    pg.execute("INSERT INTO document_chunks (id, document_id, chunk_index, content) VALUES ('old', %s, 0, 'old')",
               [document.id])
    argv = [*WRAPPER, BUILD / "examples" / "example-bulk", document.id]
    done = subprocess.run(argv, env=stack.environment(), input="first line\nsecond\tline\n", text=True,
                          capture_output=True, timeout=60, check=True)
    assert "copy-" in done.stdout and "second\\tline\\n" in done.stdout
    stored = pg.execute("SELECT content FROM document_chunks WHERE document_id = %s ORDER BY chunk_index",
                        [document.id])
    assert [row[0] for row in stored] == ["first line\n", "second\tline\n"]


def test_classify_tells_what_may_pass(stack: LabStack) -> None:
    output = run(stack, "classify", "40001", "23505", "104", "LOADING Redis is loading", "WRONGTYPE Operation")
    words = [line.rsplit(": ", 1)[1] for line in output.splitlines()]
    assert words == ["retryable", "permanent", "retryable", "retryable", "permanent"]


def test_remove_spares_what_is_being_read(stack: LabStack, pg: psycopg.Connection) -> None:
    document = store(stack, pg, b"x", "gone.txt")
    pg.execute("UPDATE documents SET extraction_status = 'processing' WHERE id = %s", [document.id])
    process = start(stack, "remove", document.id)
    assert process.communicate(timeout=60)[0] == "a worker reads it: not deleted\n"
    pg.execute("UPDATE documents SET extraction_status = 'failed' WHERE id = %s", [document.id])
    assert run(stack, "remove", document.id) == "deleted\n"
    assert pg.execute("SELECT count(*) FROM documents WHERE id = %s", [document.id]).fetchone() == (0,)


def test_later_is_peeked_at_and_run(stack: LabStack, redis_client: redis.Redis) -> None:
    output = run(stack, "later", "greet", '{"name":"Anna"}', "0")
    first, second = (line.removeprefix("task ") for line in output.splitlines())
    assert second == "greeting-of-the-day"
    peeked = run(stack, "peek", "greetings")
    assert peeked.startswith(f"greet {second} from greetings\n") and "delivered once, ours now" in peeked
    assert 'arguments [{"name":"Ben"}] {}' in peeked
    worked = run(stack, "work", "2")
    assert "[{\"name\":\"Ben\"}]" in worked and redis_client.llen("greetings") == 0
    assert first


def test_work_tries_again_when_the_line_is_busy(stack: LabStack, celery_app: celery.Celery) -> None:
    process = start(stack, "work", "5")  # the first time, and its four retries
    busy = celery_app.send_task("greet", args=[{"name": "busy"}], queue="greetings")
    assert busy.get(timeout=60) == {"length": 4}
    output, _ = process.communicate(timeout=60)
    assert output.count("greet [") == 5


def test_operate_shows_and_mends(stack: LabStack, redis_client: redis.Redis) -> None:
    redis_client.delete("celery", "lex:dead:celery", "lex:dead-why:celery")  # what other tests have left
    redis_client.lpush("celery", "no message at all")
    process = start(stack, "peek", "celery")
    wait_until(lambda: redis_client.llen("lex:dead:celery"), 30, "the message set aside")
    process.terminate()
    process.wait(timeout=30)
    shown = run(stack, "operate")
    assert "schema: " in shown and '"dead":1' in shown and "no message at all" in shown
    assert '["doc-1","doc-2"]' in shown
    assert run(stack, "operate", "drop").endswith("drop: 1\n")
    assert '"dead":0' in run(stack, "operate")


def test_maintain_vacuums_and_shows_columns(stack: LabStack, pg: psycopg.Connection) -> None:
    lines = run(stack, "maintain", "cases").splitlines()
    assert lines[0] == "VACUUM (ANALYZE) cases" and lines[1] == "id of type 25"
    assert pg.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
