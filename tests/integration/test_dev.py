# SPDX-License-Identifier: MIT
"""./dev as its users run it: a whole stack under a supervisor, in a folder of the test's own (STATE_DIR)."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dev import __main__ as commands
from dev.process import DevError, process_alive, run_bounded, wait_until
from dev.stack import BUILD, PROGRAMS, ROOT, free_space_check
from pdf import pdf_numbered

# Longer than a unix socket's address may be, and with spaces: a clone can lie anywhere.
LONG_NAME = "a clone in a folder with spaces and a name longer than the 107 bytes of a unix socket's address " * 2


@dataclass
class Dev:
    """./dev with a state folder."""

    state: Path
    build: Path = BUILD

    def environment(self, **more: str) -> dict[str, str]:
        return os.environ | {"STATE_DIR": str(self.state), "BUILD_DIR": str(self.build)} | more

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([ROOT / "dev", *words], env=self.environment(**env), capture_output=True, text=True,
                              timeout=100, stdin=subprocess.DEVNULL, check=False)

    def shell(self, script: str) -> str:
        """What a script prints that runs after eval "$(./dev env)"."""
        done = subprocess.run(["bash", "-euc", f'eval "$("{ROOT}/dev" env)"\n{script}'], env=self.environment(),
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def rows(self) -> dict[str, list[str]]:
        """./dev ps: the columns by name of process."""
        lines = self.run("ps").stdout.splitlines()[1:]
        return {line.split()[0]: line.split() for line in lines}

    def pids(self) -> dict[str, int]:
        return {name: int(row[1]) for name, row in self.rows().items() if row[1] != "-"}


@pytest.fixture
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """A state folder of its own; at the end nothing of it runs or stays."""
    top = tmp_path_factory.mktemp("dev")
    for folder in (top, top.parent, top.parent.parent):
        folder.chmod(0o711)  # PostgreSQL, another user under root, has to pass
    dev = Dev(top / LONG_NAME[:180].strip() / "state")
    yield dev
    done = dev.run("down", "--wipe")
    assert done.returncode == 0, done.stderr
    assert not dev.state.exists()


@pytest.fixture
def dev_up(dev: Dev) -> Dev:
    done = dev.run("up", "-d")
    assert done.returncode == 0, done.stderr
    return dev


def test_up_returns_when_everything_answers_and_says_where(dev: Dev) -> None:
    done = dev.run("up", "-d")
    assert done.returncode == 0, done.stderr
    url = re.search(r"up: (http://127\.0\.0\.1:\d+)", done.stdout)
    assert url, done.stdout
    assert sorted(dev.pids()) == ["backend", "postgres", "redis", "supervisor", "worker"]
    assert dev.shell("curl -s -o /dev/null -w '%{http_code}' $BACKEND_URL/readyz; echo \" $BACKEND_URL\"") \
        == f"200 {url[1]}"


def test_up_twice_says_that_it_is_already_up(dev_up: Dev) -> None:
    before = dev_up.pids()
    done = dev_up.run("up", "-d")
    assert (done.returncode, done.stdout.split(":")[0]) == (0, "already up")
    assert dev_up.pids() == before


def test_env_makes_the_guides_own_lines_work(dev_up: Dev) -> None:
    assert dev_up.shell('psql "$DATABASE_URL" -Atc "SELECT count(*) >= 0 FROM documents"') == "t"
    assert dev_up.shell("redis-cli PING") == "PONG"
    assert dev_up.shell("redis-cli LLEN celery").isdigit()
    assert dev_up.shell("celery --broker=$CELERY_BROKER_URL --result-backend=$CELERY_RESULT_BACKEND --version")
    for program in PROGRAMS:
        assert dev_up.shell(f"command -v {program}").endswith(f"/{program}")
    assert dev_up.shell('test -d "$UPLOAD_DIR" && echo yes') == "yes"
    assert "FAILED" not in dev_up.shell("lex-intel doctor")


def test_the_readmes_first_program_compiles_as_it_says(dev_up: Dev, tmp_path: Path) -> None:
    line = "cc first.c $(pkg-config --cflags --libs libshared)"
    assert f"\n{line}\n" in (ROOT / "README.md").read_text()
    shutil.copy(ROOT / "examples" / "first.c", tmp_path)
    run = "" if os.environ.get("ASAN_OPTIONS") else "./a.out no-such x 2>&1 || :"  # ASan wants to come first
    assert dev_up.shell(f"cd '{tmp_path}'\n{line}\n{run}") == ("no document no-such" if run else "")


def test_a_document_goes_through_as_in_the_readme(dev_up: Dev, tmp_path: Path) -> None:
    """Upload by curl, progress to the end, text with page numbers, nothing more to say on reconnect."""
    (tmp_path / "contract.pdf").write_bytes(pdf_numbered(200))
    document = "$BACKEND_URL/api/documents/doc-123"
    upload = f"curl -s -o /dev/null -w '%{{http_code}}' -F id=doc-123 -F 'file=@{tmp_path}/contract.pdf'"
    assert dev_up.shell(f"{upload} $BACKEND_URL/api/documents") == "201"
    events = sse_events(dev_up.shell(f"curl -sN --max-time 60 {document}/progress"))
    progress = [event["progress"] for event in events]
    assert progress == sorted(progress)
    assert (progress[-1], events[-1]["step"]) == (100, "completed")
    chunks = pages_all(dev_up, f"{document}/chunks")
    assert (chunks[0]["page_from"], chunks[-1]["page_to"]) == (1, 200)
    assert chunks[0]["content"].startswith("Page 1\n")
    again = f"curl -s -o /dev/null -w '%{{http_code}}' --max-time 20 -H 'Last-Event-ID: {events[-1]['id']}'"
    assert dev_up.shell(f"{again} {document}/progress") == "204"
    sql = "SELECT count(*) FROM document_chunks WHERE document_id = 'doc-123'"
    assert dev_up.shell(f'psql "$DATABASE_URL" -Atc "{sql}"') == str(len(chunks))


def pages_all(dev: Dev, url: str) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    after = ""
    while True:
        page = json.loads(dev.shell(f'curl -sf "{url}?limit=200{after}"'))
        items += page["items"]
        if not page["next"]:
            return items
        after = f"&after={page['next']}"


def sse_events(text: str) -> list[dict[str, Any]]:
    """The JSON of each data line of an event stream."""
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


def test_the_guides_subscribe_shows_progress(dev_up: Dev, tmp_path: Path) -> None:
    (tmp_path / "letter.pdf").write_bytes(pdf_numbered(3))
    printed = tmp_path / "printed"
    script = f"""redis-cli SUBSCRIBE progress:* >'{printed}' & listener=$!
        until grep -q subscribe '{printed}'; do sleep 0.05; done
        curl -sf --retry 5 -o /dev/null -F id=doc-123 -F 'file=@{tmp_path}/letter.pdf' $BACKEND_URL/api/documents
        curl -sN -o /dev/null --max-time 60 $BACKEND_URL/api/documents/doc-123/progress
        kill $listener"""
    dev_up.shell(script)
    last = json.loads([line for line in printed.read_text().splitlines() if line.startswith("{")][-1])
    assert {"progress": 100, "step": "completed"}.items() <= last.items()
    assert isinstance(last["message"], str)


def test_what_is_killed_comes_back_at_its_address(dev_up: Dev) -> None:
    before = dev_up.rows()
    for name in ("postgres", "redis", "backend", "worker"):
        os.kill(int(before[name][1]), signal.SIGKILL)

    def back() -> bool:
        pids = dev_up.pids()
        return len(pids) == 5 and all(pids[name] != int(before[name][1]) for name in pids if name != "supervisor")

    wait_until(back, 30, "four killed processes to be back")
    assert {name: row[2] for name, row in dev_up.rows().items()} == {name: row[2] for name, row in before.items()}
    wait_until(lambda: dev_up.shell("curl -s -o /dev/null -w '%{http_code}' $BACKEND_URL/readyz || true") == "200",
               30, "the backend to be ready again")


def test_a_killed_supervisor_leaves_nothing_running_and_up_recovers(dev_up: Dev) -> None:
    dev_up.shell('psql "$DATABASE_URL" -qc "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)"')
    pids = dev_up.pids()
    os.kill(pids["supervisor"], signal.SIGKILL)
    wait_until(lambda: not any(process_alive(pid) for pid in pids.values()), 30, "all to end with their supervisor")
    assert dev_up.run("ps").stdout == "down\n"
    assert dev_up.run("up", "-d").returncode == 0
    assert dev_up.shell('psql "$DATABASE_URL" -Atc "SELECT n FROM kept"') == "7"


def test_down_stops_all_and_keeps_the_data(dev_up: Dev) -> None:
    dev_up.shell("redis-cli SET kept 7")
    urls = dev_up.shell("echo $DATABASE_URL $REDIS_URL $BACKEND_URL")
    pids = dev_up.pids()
    assert dev_up.run("down").returncode == 0
    assert not any(process_alive(pid) for pid in pids.values())
    assert dev_up.run("env").returncode == 1
    assert dev_up.run("up", "-d").returncode == 0
    assert dev_up.shell("redis-cli GET kept") == "7"
    assert dev_up.shell("echo $DATABASE_URL $REDIS_URL $BACKEND_URL") == urls


def test_ctrl_c_in_the_foreground_stops_all(dev: Dev) -> None:
    with subprocess.Popen([ROOT / "dev", "up"], env=dev.environment(), stdout=subprocess.PIPE, text=True,
                          start_new_session=True) as up:
        assert up.stdout
        for line in up.stdout:
            if "up: http://" in line:
                break
        pids = dev.pids()
        assert len(pids) == 5
        os.killpg(up.pid, signal.SIGINT)
        assert "down" in up.stdout.read()
    assert up.returncode == 0
    assert not any(process_alive(pid) for pid in pids.values())


def test_two_stacks_run_side_by_side(dev_up: Dev, tmp_path: Path) -> None:
    other = Dev(tmp_path / "other")
    try:
        assert other.run("up", "-d").returncode == 0
        addresses = [row[2] for side in (dev_up, other) for row in side.rows().values() if row[2] != "-"]
        assert len(addresses) == 6 == len(set(addresses))
        other.run("down")
        assert len(dev_up.pids()) == 5
    finally:
        other.run("down", "--wipe")


def test_files_are_private_and_no_password_shows(dev_up: Dev) -> None:
    secrets = set(re.findall(r"[0-9a-f]{32}", (dev_up.state / "settings.json").read_text()))
    assert len(secrets) == 3
    for path in [dev_up.state, *dev_up.state.rglob("*")]:
        if path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        assert not mode & 0o066, f"{path} is {mode:o}"
        if path.parent.name == "log":
            assert not [secret for secret in secrets if secret in path.read_text(errors="replace")], path
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = command.read_bytes().decode(errors="replace")
        except OSError:
            continue
        assert not [secret for secret in secrets if secret in text], text


def test_a_taken_port_is_named(dev: Dev) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = dev.run("up", "-d", BACKEND_PORT=str(port))
    assert done.returncode == 1
    assert f"BACKEND_PORT: 127.0.0.1:{port} is taken" in done.stderr
    assert dev.run("up", "-d", BACKEND_PORT="http").stderr.count("BACKEND_PORT: 'http' is not a port") == 1


def test_a_program_that_does_not_start_is_shown_with_its_log(dev: Dev, tmp_path: Path) -> None:
    for program, folder in PROGRAMS.items():
        path = tmp_path / "apps" / folder / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\necho the disk is made of cheese\nexit 3\n")
        path.chmod(0o755)
    broken = Dev(dev.state, build=tmp_path)
    done = broken.run("up", "-d")
    assert done.returncode == 1
    assert "migrate upgrade head failed (exit code 3)" in done.stderr
    assert "the disk is made of cheese" in done.stderr
    assert broken.run("ps").stdout == "down\n"


def test_a_full_disk_is_an_early_error(tmp_path: Path) -> None:
    with pytest.raises(DevError, match=r"MB free on this disk, at least 1000000000 MB needed"):
        free_space_check(tmp_path, needed=10**15)


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with the basic tools only: no compiler, no apt-get, no sudo."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("bash", "env", "dirname", "mkdir", "touch", "flock", "id", "tail", "awk", "df", "cat", "sha256sum"):
        found = shutil.which(tool)
        assert found, tool
        (folder / tool).symlink_to(found)
    return folder


def test_a_system_without_apt_names_what_to_install(dev: Dev, bare_path: Path) -> None:
    done = dev.run("up", "-d", PATH=str(bare_path))
    assert done.returncode == 1
    assert "no apt-get; install by hand what these Debian packages hold:" in done.stderr
    assert {"gcc", "libpq-dev", "redis-server"} <= set(done.stderr.split())


def test_without_rights_to_install_it_says_who_can(dev: Dev, bare_path: Path) -> None:
    for name, text in (("apt-get", "exit 1"), ("id", "echo 1000")):
        (bare_path / name).unlink(missing_ok=True)
        (bare_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (bare_path / name).chmod(0o755)
    done = dev.run("up", "-d", PATH=str(bare_path))
    assert (done.returncode, "have root run: apt-get install" in done.stderr) == (1, True), done.stderr


def test_up_outlives_a_warning_of_an_unknown_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, ...]] = []

    def build(folder: Path, options: tuple[str, ...] = ()) -> None:
        tried.append(options)
        if not options:
            raise DevError("a warning is an error")

    monkeypatch.delenv("BUILD_DIR", raising=False)
    monkeypatch.setattr(commands, "build", build)
    commands.build_chosen(Path("anywhere"))
    assert tried == [(), ("-Dwerror=false",)]


def test_a_suite_that_does_not_exist_is_named(dev: Dev) -> None:
    done = dev.run("test", "nonsense")
    assert done.returncode == 1
    assert "no suite 'nonsense'; there are: lint, unit" in done.stderr


def test_a_runner_gives_its_exit_code(tmp_path: Path) -> None:
    assert run_bounded(["sh", "-c", "exit 7"], 60, cwd=tmp_path, env=dict(os.environ)) == 7


def test_a_runner_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    script = "trap '' INT; sleep 1000 & echo $! > child; wait; wait"
    with pytest.raises(DevError, match="sh did not end within 0.5 s and was stopped"):
        run_bounded(["sh", "-c", script], 0.5, cwd=tmp_path, env=dict(os.environ), end_s=0.2)
    pid = int((tmp_path / "child").read_text())
    wait_until(lambda: not process_alive(pid), 10, "the end of what the runner had started")
