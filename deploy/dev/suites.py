# SPDX-License-Identifier: MIT
"""The suites of ./dev test, in one table, and how many tests of each passed: counted from the runners' own JUnit files.
Never decides what a test is: meson, pytest and lint.py do."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path

from .build import build, tool_environment
from .lint import CHECKS, files, tool
from .node import FOLDER as NODE_FOLDER
from .node import node_sanitized, node_tree, node_versions
from .process import DevError, log_tail, run_bounded
from .proof import COVERAGE_OPTIONS, analyzer_complaints, coverage_complaints, torture_complaints
from .python import python_sanitized, python_venv, sanitizer_preload, sqlalchemy_other
from .stack import ROOT

ASAN = ("-Db_sanitize=address,undefined", "-Db_lundef=false")
TSAN = ("-Db_sanitize=thread", "-Db_lundef=false", "-Dapps=false")
SANITIZERS = {
    # Without strict_string_checks: those take a strndup() of bytes without a NUL for a fault, which it is not.
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}
# Found inputs go to the build folder; a new seed is one that somebody chose and named.
FUZZ = ("-max_len=65536", "-timeout=5", "-rss_limit_mb=1024", "-print_final_stats=1")
FUZZ_RUNS = 200_000  # each target in ./dev test: from one seed, so that every machine runs the same; 2 to 12 s
FUZZ_ALONE_S = 60  # and in ./dev test fuzz, from a seed drawn
NETWORK_STRIDE = "13"  # every so many bytes the connection is cut, in ./dev test
VALGRIND_WITHOUT = ("base-number", "base-time", "model-json_syntax")  # millions of texts, and no memory kept: ASan's
LOADED_BY_PYTHON = "test_verdict.py"  # the one test that has libshared in pytest's own process
NOT_TORTURE = ("--no-suite", "torture")  # which is a suite of its own
RUNNER_TIMEOUT_S = 1200  # one call of meson or pytest; the longest, pytest under ASan, takes 600 s
VALGRIND = "valgrind --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99 -q"
WRAPPED = f"--wrapper={VALGRIND}"
# What depends on Node's version, and on the memory of the native half: all but the package itself.
NODE_RUNTIME = [f"{name}.test.js" for name in ("session", "progress", "queue", "bad_input", "behaviour", "classify")]


@dataclass
class Count:
    """How a suite ended."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Count) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


def count_junit(file: Path, exit_code: int) -> Count:
    """A runner that failed without a failed test, or ran none, counts as one failure: it must not look like a pass."""
    count = Count()
    if file.exists():
        for case in ElementTree.parse(file).getroot().iter("testcase"):
            tags = {child.tag for child in case}
            count.failed += bool(tags & {"failure", "error"})
            count.skipped += "skipped" in tags
            count.passed += not tags & {"failure", "error", "skipped"}
    if not count.failed and (exit_code or not count.passed):
        count.failed = 1
    return count


def run_meson(folder: Path, suites: tuple[str, ...], rest: list[str], *options: str, **env: str) -> Count:
    """meson test of some suites of a build folder."""
    log = "testlog-valgrind" if WRAPPED in options else "testlog"  # meson names it by the wrapper
    report = folder / "meson-logs" / f"{log}.junit.xml"
    report.unlink(missing_ok=True)
    argv = ["meson", "test", "-C", str(folder), "--no-rebuild", "--print-errorlogs", *options,
            *(word for suite in suites for word in ("--suite", suite)), *rest]
    code = run_bounded(argv, RUNNER_TIMEOUT_S, cwd=ROOT, env=tool_environment(**env))
    return count_junit(report, code)


def run_pytest(folder: Path, tests: str, rest: list[str], python: Path | str = sys.executable, **env: str) -> Count:
    """pytest of a folder of tests, against the programs of a build folder."""
    report = folder / f"{tests.replace('/', '-')}.junit.xml"
    report.unlink(missing_ok=True)
    argv = [str(python), "-m", "pytest", "-q", f"--junitxml={report}", "-o", "junit_family=xunit2", *rest]
    code = run_bounded(argv, RUNNER_TIMEOUT_S, cwd=ROOT / tests, env=tool_environment(BUILD_DIR=str(folder), **env))
    return count_junit(report, code)


def suite_unit(rest: list[str]) -> Count:
    return run_meson(build(ROOT / "build"), ("unit", "fuzz"), rest, *NOT_TORTURE)


def suite_torture(rest: list[str]) -> Count:
    """Without a sanitizer, so that memory of libpq and hiredis can fail too; in asan with one, which sees leaks."""
    folder = build(ROOT / "build")
    count = run_meson(folder, ("torture",), rest)
    return count if rest else judge(count, torture_complaints(folder / "meson-logs" / "testlog.txt",
                                                              ROOT / "libshared" / "shared.map"))


def judge(count: Count, complaints: list[str]) -> Count:
    """One more test, which fails with the complaints."""
    print("".join(f"{complaint}\n" for complaint in complaints), end="")
    count.add(Count(failed=1) if complaints else Count(passed=1))
    return count


def suite_abi(rest: list[str]) -> Count:
    return run_meson(build(ROOT / "build"), ("abi",), rest)


def suite_clang(rest: list[str]) -> Count:
    """The other compiler's warnings are errors too."""
    return run_meson(build(ROOT / "build-clang", CC="clang"), ("unit",), rest, *NOT_TORTURE)


def suite_integration(rest: list[str]) -> Count:
    return run_pytest(build(ROOT / "build"), "tests/integration", two_at_a_time(rest))


def two_at_a_time(rest: list[str]) -> list[str]:
    """Two workers, each with a stack of its own; not where the caller has narrowed the run down. A worker that dies
    ends the run: pytest-xdist 3.8 with loadfile waits for ever for the tests that the dead one had."""
    return rest or ["-n", "2", "--dist", "loadfile", "--max-worker-restart", "0"]


def suite_simulation(rest: list[str]) -> Count:
    """The model of Redis beside the real one, planted bugs, 10 000 seeds; or, with arguments, so many seeds from a
    first one on: ./dev test simulation 1000000 20001."""
    folder = build(ROOT / "build")
    if not rest:
        return run_meson(folder, ("simulation",), [])
    seeds, first, *options = [*rest, "1"] if len(rest) == 1 else rest
    argv = [str(folder / "tests" / "simulation" / "simulation"), "--seeds", seeds, "--seed", first, *options]
    code = subprocess.run(argv, cwd=folder, env=tool_environment(), check=False).returncode
    return Count(failed=1) if code else Count(passed=1)


def suite_network(rest: list[str]) -> Count:
    """NETWORK_STRIDE=1 cuts at every byte, in some minutes; NETWORK_SEED=... replays a run."""
    stride = os.environ.get("NETWORK_STRIDE", NETWORK_STRIDE)
    return run_pytest(build(ROOT / "build"), "tests/network", rest or ["-n", "2"], NETWORK_STRIDE=stride)


def suite_install(rest: list[str]) -> Count:
    return run_pytest(build_release(), "tests/install", rest)


def build_release() -> Path:
    """As a packager builds; installed into the build folder, under a name with a space."""
    folder = ROOT / "build-release"
    return build(folder, ("--buildtype=release", f"--prefix={folder / 'installed tree'}"))


def suite_package(rest: list[str]) -> Count:
    return run_pytest(build(ROOT / "build"), "tests/package", rest)


def suite_page(rest: list[str]) -> Count:
    return run_pytest(build(ROOT / "build"), "tests/page", rest)


def suite_python(rest: list[str]) -> Count:
    """With the interpreter of the binding's own environment."""
    return run_pytest(build(ROOT / "build"), "tests/python", rest, python=python_venv())


def suite_python_asan(rest: list[str]) -> Count:
    """The same tests with a binding built with ASan and UBSan; without those of the package, and of Alembic, whose
    partner is a C program that does not stand a preloaded ASan."""
    python = python_venv()
    return run_pytest(build(ROOT / "build"), "tests/python", ["--timeout=300", "--ignore=test_package.py",
                                                               "--ignore=test_alembic.py", *rest],
                      python=python, **python_sanitized(python))


def suite_python_proof(rest: list[str]) -> Count:
    """A run each, since the longest takes its quarter of an hour on a busy machine; with what the scripts print.
    PROOF_OPERATIONS, PROOF_STORM_S: how many operations, how long a storm."""
    folder, python = build(ROOT / "build"), python_venv()
    count = Count()
    parts = (["test_installed.py"], *(["-s", "test_endurance.py", "-k", name] for name in ("storm", "mixed")))
    for names in [rest] if rest else parts:
        count.add(run_pytest(folder, "tests/python-proof", names, python=python))
    return count


def suite_node(rest: list[str]) -> Count:
    """With the system's Node, or one from a wheel. The rest: files of tests/node, or options of node --test."""
    return run_node(build(ROOT / "build"), rest, node_tree())


def suite_node_proof(rest: list[str]) -> Count:
    """Operations by the 100 000 and terminated workers; other versions of Node; ASan and UBSan. The rest: which of
    endurance, versions, asan."""
    folder, env, count = build(ROOT / "build"), node_tree(), Count()
    if not rest or "endurance" in rest:
        count.add(run_node(folder, [], env, "--expose-gc", "--test-reporter=spec",
                           "--test-reporter-destination=stdout", tests="tests/node-proof"))
    for name, path in node_versions() if not rest or "versions" in rest else []:
        print(f"\n{name}")
        other = env | {"PATH": f"{path}{os.pathsep}{env['PATH']}"}
        count.add(run_node(folder, NODE_RUNTIME, other, junit=name != "node18"))  # 18 has no such reporter
    if not rest or "asan" in rest:
        print("\nASan, UBSan")
        env, only_node = node_sanitized()
        count.add(run_node(folder, NODE_RUNTIME, env, "--test-timeout=300000", only_node=only_node))
    return count


def run_node(folder: Path, rest: list[str], env: dict[str, str], *options: str, tests: str = "tests/node",
             junit: bool = True, only_node: dict[str, str] | None = None) -> Count:
    """node --test in build-node, with servers of its own. Without JUnit's reporter a run counts as one test."""
    report = NODE_FOLDER / f"{tests.replace('/', '-')}.junit.xml"
    report.unlink(missing_ok=True)
    files = [f"{tests}/{name}" for name in rest] or sorted(
        str(path.relative_to(NODE_FOLDER)) for path in (NODE_FOLDER / tests).glob("*.test.js"))
    reporters = ["--test-reporter=junit", f"--test-reporter-destination={report}"] if junit else []
    settings = [f"{name}={value}" for name, value in (only_node or {}).items()]
    if "--test-reporter=spec" not in options:
        reporters += ["--test-reporter=dot", "--test-reporter-destination=stdout"]
    argv = [sys.executable, str(ROOT / "tests" / "node" / "servers.py"), "env", *settings, "node", "--test",
            "--test-concurrency=2", *options, *reporters, *files]
    code = run_bounded(argv, RUNNER_TIMEOUT_S, cwd=NODE_FOLDER,
                       env=tool_environment(BUILD_DIR=str(folder), **env))
    if not junit:
        return Count(failed=1) if code else Count(passed=1)
    return count_junit(report, code)


def suite_services(rest: list[str]) -> Count:
    """The examples' programs and the guide's code, with that interpreter too."""
    node = {"NODE_BIN": node_tree()["NODE_BIN"]}
    return run_pytest(build(ROOT / "build"), "tests/services", rest, python=python_venv(), **node)


def suite_alchemy(rest: list[str]) -> Count:
    """With the SQLAlchemy that requirements-test.txt pins, and with the other. ALCHEMY_DRIVER=asyncpg runs the same
    tests with that driver."""
    folder, python = build(ROOT / "build"), python_venv()
    count = Count()
    for path in ("", str(sqlalchemy_other(python))):
        count.add(run_pytest(folder, "tests/alchemy", ["-c", "setup.cfg", *two_at_a_time(rest)], python=python,
                             PYTHONPATH=path))
    return count


def suite_docs(rest: list[str]) -> Count:
    return run_pytest(build(ROOT / "build"), "tests/docs", rest)


def suite_asan(rest: list[str]) -> Count:
    """All of it, or what the rest names of tests/integration."""
    folder, tests, timeout = build(ROOT / "build-asan", ASAN), "tests/integration", "--timeout=300"
    if rest:
        return run_pytest(folder, tests, [timeout, *rest], **SANITIZERS)
    count = run_meson(folder, ("unit", "fuzz", "torture"), [], "--timeout-multiplier=3", **SANITIZERS)
    count.add(run_pytest(folder, tests, [timeout, *two_at_a_time([]), f"--ignore={LOADED_BY_PYTHON}"], **SANITIZERS))
    count.add(run_pytest(folder, tests, [timeout, LOADED_BY_PYTHON], **SANITIZERS | sanitizer_preload()))
    return count


def suite_tsan(rest: list[str]) -> Count:
    return run_meson(build(ROOT / "build-tsan", TSAN), ("net",), rest, "--timeout-multiplier=5", **SANITIZERS)


def suite_valgrind(rest: list[str]) -> Count:
    """The examples, and the unit tests of the folders that need no second server and no patience."""
    folder = build(ROOT / "build")
    names = sorted({f"{part}-{test.stem.removeprefix('test_')}" for part in ("base", "model")
                    for test in (ROOT / "tests" / "unit" / part).glob("test_*.c")} - set(VALGRIND_WITHOUT))
    count = run_meson(folder, (), names, WRAPPED, "--timeout-multiplier=10",
                      CK_TIMEOUT_MULTIPLIER="10")
    count.add(run_pytest(folder, "tests/integration", ["--timeout=300", "test_examples.py", *rest],
                         EXAMPLE_WRAPPER=VALGRIND))
    return count


def suite_fuzz(rest: list[str]) -> Count:
    """libFuzzer over each parser of foreign bytes, two at a time, from the corpus on. The rest: seconds for each. In a
    whole run the seed and the number of runs are always the same, so that a change is judged and not the luck or the
    speed of the day."""
    bound = (f"-max_total_time={rest[0]}",) if rest else (f"-runs={FUZZ_RUNS}", "-seed=1")
    folder = build(ROOT / "build-fuzz", ("-Dfuzz=true", *ASAN), CC="clang")
    if not rest:
        shutil.rmtree(folder / "found", ignore_errors=True)  # what earlier runs found would change this one
    targets = [source.stem for source in sorted((ROOT / "tests" / "fuzz").glob("*.c")) if source.stem != "runner"]
    with ThreadPool(2) as pool:
        complaints = pool.map(lambda target: fuzz(folder / "tests" / "fuzz", target, bound), targets)
    for complaint in filter(None, complaints):
        print(complaint)
    failed = sum(map(bool, complaints))
    return Count(passed=len(targets) - failed, failed=failed)


def fuzz(folder: Path, target: str, bound: tuple[str, ...]) -> str:
    """Runs one target; what it says when it found something."""
    found, log = folder.parents[1] / "found" / target, folder / f"{target}.log"
    found.mkdir(parents=True, exist_ok=True)
    words = ROOT / "tests" / "fuzz" / "dictionaries" / f"{target}.dict"
    argv = [str(folder / f"fuzz-{target}"), *bound, *FUZZ, f"-dict={words}",
            f"-artifact_prefix={folder}/{target}-", str(found), str(ROOT / "tests" / "fuzz" / "corpus" / target)]
    with log.open("wb") as output:
        code = subprocess.run(argv, cwd=folder, env=tool_environment(**SANITIZERS), stdout=output, stderr=output,
                              check=False).returncode
    runs = re.search(r"number_of_executed_units: *(\d+)", log.read_text(errors="replace"))
    print(f"{target:12} {runs[1] if runs else 0} runs", flush=True)
    return f"fuzz-{target} ended with {code}; {log} ends with:\n{log_tail(log, 40)}" if code or not runs else ""


def suite_tidy(rest: list[str]) -> Count:
    """clang-tidy over each C file of the build, two at a time."""
    folder = build(ROOT / "build-clang", CC="clang")
    compiled = {Path(entry["file"]).name for entry in json.loads((folder / "compile_commands.json").read_text())}
    sources = [path for path in files("libshared/*.c", "apps/*.c") if path.name in compiled]
    with ThreadPool(2) as pool:
        complaints = pool.map(lambda path: tool(["clang-tidy", "--quiet", "-p", str(folder)], [path]), sources)
    for complaint in filter(None, complaints):
        print(complaint)
    failed = sum(map(bool, complaints))
    return Count(passed=len(sources) - failed, failed=failed)


def suite_load(rest: list[str]) -> Count:
    """The rest: how many seconds the mixed load goes on."""
    seconds = {"LOAD_SECONDS": rest[0]} if rest else {}
    return run_pytest(build(ROOT / "build"), "tests/load", [], **seconds)


def suite_coverage(rest: list[str]) -> Count:
    """By the unit tests and the corpora alone: 97.5 % of lines, with torture-calls, the longest of all, 97.7."""
    folder = build(ROOT / "build-coverage", ("-Db_coverage=true", "-Dapps=false"))
    for counted in folder.rglob("*.gcda"):
        counted.unlink()  # of an earlier run
    count = run_meson(folder, ("unit", "fuzz"), [], "--timeout-multiplier=3", CK_TIMEOUT_MULTIPLIER="3")
    summary = folder / "coverage.json"
    argv = ["gcovr", "-r", str(ROOT), "--filter", "libshared/", *COVERAGE_OPTIONS, "-j2", "--json-summary",
            str(summary), str(folder)]
    if subprocess.run(argv, cwd=ROOT, env=tool_environment(), check=False).returncode:
        raise DevError("gcovr failed")
    return judge(count, coverage_complaints(summary))


def suite_analyzer(rest: list[str]) -> Count:
    """gcc's analyzer over each file of libshared, two at a time, as the build compiles it."""
    folder = build(ROOT / "build")
    commands = [entry for entry in json.loads((folder / "compile_commands.json").read_text())
                if "shared_internal" in entry["output"]]
    with ThreadPool(2) as pool:
        outputs = pool.map(analyze, commands)
    return judge(Count(passed=len(outputs)), analyzer_complaints(outputs))


def analyze(entry: dict[str, str]) -> str:
    words = shlex.split(entry["command"])
    argv = [*words[:words.index("-o")], "-fanalyzer", "-Wno-error", "-fdiagnostics-color=never", "-o", "/dev/null",
            "-c", entry["file"]]
    done = subprocess.run(argv, cwd=entry["directory"], env=tool_environment(LC_ALL="C.UTF-8"), text=True, check=False,
                          capture_output=True)
    if done.returncode:
        raise DevError(f"{entry['file']}: {done.stderr}")
    return done.stderr


def suite_lint(rest: list[str]) -> Count:
    count = Count()
    for name, check in CHECKS:
        complaint = check()
        print(f"{name:14} {'FAILED' if complaint else 'ok'}")
        if complaint:
            print(complaint)
        count.add(Count(failed=1) if complaint else Count(passed=1))
    return count


# name, what it shows, how it runs; ./dev test runs them in this order, the quick ones first.
SUITES: tuple[tuple[str, str, Callable[[list[str]], Count]], ...] = (
    ("lint", "format, lint, sizes of functions and files, licence lines", suite_lint),
    ("unit", "each folder of libshared and the apps by itself, the fuzz targets' seeds", suite_unit),
    ("torture", "each allocation and system call failing, bytes one at a time, budgets", suite_torture),
    ("abi", "header alone, exports, the ABI of the first release, folder order, made files", suite_abi),
    ("clang", "the unit tests as clang compiles them", suite_clang),
    ("tidy", "bugs that clang-tidy sees", suite_tidy),
    ("analyzer", "bugs that gcc's analyzer sees", suite_analyzer),
    ("simulation", "queue, relays, worker and reconciler on a seeded clock, under faults", suite_simulation),
    ("fuzz", "foreign bytes into each parser", suite_fuzz),
    ("integration", "the programs with real PostgreSQL, Redis and Celery", suite_integration),
    ("network", "a network that delays, splits, cuts, falls silent and answers garbage", suite_network),
    ("load", "10 000 requests, 64 threads, 1 000 forks, servers that restart", suite_load),
    ("install", "the installed tree, found by pkg-config, compiled against from elsewhere", suite_install),
    ("page", "the page in a real browser", suite_page),
    ("python", "the Python binding, as pip installs it", suite_python),
    ("python-proof", "a million operations, a minute of cancels, each way to install it", suite_python_proof),
    ("node", "the Node binding, as npm packs it", suite_node),
    ("node-proof", "100 000 operations, terminated workers, Node 18, 22 and 24, ASan and UBSan", suite_node_proof),
    ("services", "the migration guide's Python, and its services mixed with the C programs", suite_services),
    ("alchemy", "SQLAlchemy's own suite for dialects, on postgresql+shared", suite_alchemy),
    ("docs", "the manual: made without a warning, nothing left out", suite_docs),
    ("package", "Debian packages: lintian, symbols, the same bytes twice, a fresh system", suite_package),
    ("valgrind", "no leak in the examples", suite_valgrind),
    ("coverage", "lines and branches of libshared that the tests reach", suite_coverage),
    ("tsan", "no data race in the client", suite_tsan),
    ("python-asan", "the Python binding without a memory error or undefined behaviour", suite_python_asan),
    ("asan", "unit and integration without a memory error or undefined behaviour", suite_asan),
)


# Minutes each, and what they find seldom changes: by name, or with all the others in `./dev test all`, as before a
# release. The whole run is to end within half an hour.
SELDOM = ("analyzer", "alchemy", "package", "coverage", "python-proof", "node-proof", "python-asan")


def test(name: str | None, rest: list[str]) -> int:
    """All suites but the seldom ones, all, or one. The last line and the exit code say how it went."""
    names = [suite[0] for suite in SUITES]
    if name == "list":
        print("\n".join(f"{suite[0]:12} {suite[1]}{' (all)' * (suite[0] in SELDOM)}" for suite in SUITES))
        return 0
    if name and name not in (*names, "all"):
        raise DevError(f"no suite {name!r}; there are: {', '.join(names)}")
    if name == "fuzz" and not rest:
        rest = [str(FUZZ_ALONE_S)]
    results: list[tuple[str, Count, float]] = []
    for suite_name, what, run in SUITES:
        if name in ("all", suite_name) or (name is None and suite_name not in SELDOM):
            print(f"\n== {suite_name}: {what}", flush=True)
            started = time.monotonic()
            results.append((suite_name, run_safely(run, rest), time.monotonic() - started))
    total = Count()
    print()
    for suite_name, count, seconds in results:
        total.add(count)
        print(f"{suite_name:12} {count}  ({seconds:.0f} s)")
    print(total, flush=True)
    return 1 if total.failed or not total.passed else 0


def run_safely(run: Callable[[list[str]], Count], rest: list[str]) -> Count:
    """A suite that cannot even be built is one failure; the others still run."""
    try:
        return run(rest)
    except DevError as error:
        print(f"dev: {error}", file=sys.stderr)
        return Count(failed=1)


def bench(name: str | None) -> int:
    """Runs benchmarks/bench_*.py one after the other; each prints its own rows."""
    folder = ROOT / "benchmarks"
    scripts = sorted(folder.glob("bench_*.py"))
    chosen = [script for script in scripts if name in (None, script.stem.removeprefix("bench_"))]
    if not chosen:
        known = ", ".join(script.stem.removeprefix("bench_") for script in scripts)
        raise DevError(f"no benchmark {name!r}; there are: {known}")
    env = tool_environment(PYTHONPATH=f"{ROOT / 'deploy'}:{ROOT / 'tests' / 'integration'}:{folder}",
                           BUILD_DIR=str(build_release()))
    requirements = folder / "requirements.txt"
    if requirements.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-r", str(requirements)], env=env, check=True)
    codes = [subprocess.run([sys.executable, str(script)], cwd=ROOT, env=env, check=False).returncode
             for script in chosen]
    return 1 if any(codes) else 0
