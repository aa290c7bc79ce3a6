# SPDX-License-Identifier: MIT
"""The commands of ./dev, once its shell part has made sure of packages and .venv."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from . import supervisor
from .build import build
from .process import DevError, program_find
from .servers import file_write, folder_make, owner_check
from .stack import PROGRAMS, ROOT, Stack

STATE = Path(os.environ.get("STATE_DIR") or ROOT / ".state").absolute()

# Plain redis-cli talks to port 6379. This one, first in the PATH of ./dev env, talks to the stack's Redis, and gives
# the password by the environment, where other users do not see it.
REDIS_CLI = """#!/bin/sh
# redis-cli of the stack: server and password come from REDIS_URL; your own -h, -p, -n or -u win.
rest=${REDIS_URL:?is set by ./dev env}
rest=${rest#*://*:}
REDISCLI_AUTH=${rest%%@*}
address=${rest#*@}
export REDISCLI_AUTH
# The migration guide writes SUBSCRIBE progress:*; Redis itself takes a pattern only after PSUBSCRIBE.
case "${1:-} $*" in [Ss][Uu][Bb][Ss][Cc][Rr][Ii][Bb][Ee]" "*"*"*) shift; set -- PSUBSCRIBE "$@" ;; esac
exec {redis_cli} -h "${address%%:*}" -p "${address##*:}" "$@"
"""


def command_up(stack: Stack, options: argparse.Namespace) -> int:
    status = supervisor.running(stack)
    if status:
        print(f"already up: {status.url} (./dev ps shows it, ./dev down stops it)")
        return 0
    build_chosen(stack.build)
    stack.folders_make()
    redis_cli_write(stack)
    return supervisor.up_background(stack) if options.detach else supervisor.up_foreground(stack)


def build_chosen(folder: Path) -> None:
    """build/ is ours to configure; a folder that the user names with BUILD_DIR is used as it is. A compiler that knows
    a warning more than ours is no reason not to come up; ./dev test takes it for an error as before."""
    if os.environ.get("BUILD_DIR"):
        return
    try:
        build(folder)
    except DevError:
        print("once more, with warnings that are no errors", flush=True)
        build(folder, ("-Dwerror=false",))


def redis_cli_write(stack: Stack) -> None:
    text = REDIS_CLI.replace("{redis_cli}", program_find("redis-cli", [Path("/usr/bin")]))
    file_write(folder_make(stack.folder / "bin") / "redis-cli", text).chmod(0o700)


def command_env(stack: Stack, options: argparse.Namespace) -> int:
    if not supervisor.running(stack):
        raise DevError("not up; run ./dev up -d")
    build_folder = stack.build
    paths = {
        "PATH": [stack.folder / "bin", *(build_folder / "apps" / folder for folder in PROGRAMS.values()),
                 stack.postgres.bin],
        "LD_LIBRARY_PATH": [build_folder / "libshared"],
        "PKG_CONFIG_PATH": [build_folder / "meson-uninstalled"],
        "PYTHONPATH": [build_folder / "bindings" / "python"],
    }
    for name, value in (stack.urls() | {"BACKEND_URL": stack.backend_url}).items():
        print(f"export {name}={shlex.quote(value)}")
    for name, folders in paths.items():
        print(f'export {name}={shlex.quote(":".join(map(str, folders)))}"${{{name}:+:${name}}}"')
    # Behind what the user has: celery, meson and others are found, python stays the user's own.
    print(f'export PATH="$PATH":{shlex.quote(str(Path(sys.prefix) / "bin"))}')
    return 0


def command_supervise(stack: Stack, options: argparse.Namespace) -> int:
    return supervisor.up_foreground(stack)


def command_ps(stack: Stack, options: argparse.Namespace) -> int:
    return supervisor.ps(stack)


def command_down(stack: Stack, options: argparse.Namespace) -> int:
    return supervisor.down(stack, options.wipe)


def command_test(stack: Stack, options: argparse.Namespace) -> int:
    from .suites import test
    return test(options.name, options.rest)


def command_bench(stack: Stack, options: argparse.Namespace) -> int:
    from .suites import bench
    return bench(options.name)


def command_docs(stack: Stack, options: argparse.Namespace) -> int:
    from .docs import run
    return run()


def command_abi(stack: Stack, options: argparse.Namespace) -> int:
    from .package import describe
    return describe()


def command_package(stack: Stack, options: argparse.Namespace) -> int:
    from .package import package
    return package()


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev", description="Everything a developer does with this project.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="install, build, start everything and keep it running")
    up.add_argument("-d", "--detach", action="store_true", help="in the background; returns when ready")
    up.set_defaults(run=command_up)
    commands.add_parser("ps", help="one line a process").set_defaults(run=command_ps)
    down = commands.add_parser("down", help="stop everything; data stays")
    down.add_argument("--wipe", action="store_true", help="and remove the data")
    down.set_defaults(run=command_down)
    commands.add_parser("env", help='settings of the running stack: eval "$(./dev env)"').set_defaults(run=command_env)
    tests = commands.add_parser("test", help="every suite, or one")
    tests.add_argument("name", nargs="?", help="a suite (./dev test list)")
    tests.add_argument("rest", nargs=argparse.REMAINDER, help="arguments for the suite's runner")
    tests.set_defaults(run=command_test)
    bench = commands.add_parser("bench", help="project and peers in one run, as ratios")
    bench.add_argument("name", nargs="?", help="one benchmark")
    bench.set_defaults(run=command_bench)
    commands.add_parser("docs", help="the manual: HTML and man pages, from the headers").set_defaults(run=command_docs)
    commands.add_parser("package", help="Debian packages, in build-package/").set_defaults(run=command_package)
    commands.add_parser("abi", help="describes the ABI anew, for a release: tests/abi/libshared-N.abi and .numbers"
                        ).set_defaults(run=command_abi)
    commands.add_parser("supervise").set_defaults(run=command_supervise)
    return parser


def main() -> int:
    options = arguments().parse_args()
    try:
        owner_check(STATE)
        return options.run(Stack(STATE), options)
    except (DevError, TimeoutError) as error:
        print(f"dev: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
