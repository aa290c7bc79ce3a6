# SPDX-License-Identifier: MIT
"""The Debian packages: clean to lintian, the same bytes wherever and whenever they are built, at home on a fresh
system. ./dev test package makes them first. Never installs anything on this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import package
from dev.stack import ROOT
from pdf import pdf_numbered

HERE = Path(__file__).parent
# What the fresh system has before ours comes: a compiler, CMake, and what our packages depend on.
INCLUDED = ("gcc,libc6-dev,make,cmake,pkg-config,libhiredis-dev,libjansson-dev,libpq-dev,libssl-dev,zlib1g-dev,"
            "libmicrohttpd12,libseccomp2,libutf8proc2,libgcc-s1")
# What a machine has where the services run; apt brings what our packages need besides.
BOOTED = "systemd,systemd-sysv,dbus,postgresql,redis-server,curl"
# systemd-nspawn forbids these to all that runs in it, unlike a machine.
NEEDED_CALLS = "landlock_add_rule landlock_create_ruleset landlock_restrict_self"
ELSEWHERE = {"LC_ALL": "C", "LANG": "C", "TZ": "Pacific/Auckland", "USER": "somebody", "LOGNAME": "somebody",
             "DEB_BUILD_OPTIONS": "parallel=1"}


def run(*argv: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in argv], cwd=cwd, env=package.ENVIRONMENT, text=True, timeout=600,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def folder_make() -> Path:
    """A folder that another user may own and reach."""
    folder = Path(tempfile.mkdtemp(prefix="lex-package-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    folder = folder_make()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[dict[str, Path], Path]]:
    """The packages, and their source tree again: somebody may go on editing while the tests run."""
    folder = folder_make()
    source = package.prepare()
    again = Path(shutil.copytree(source, folder / "far" / "away" / "tree"))
    yield package.build_debs(source, package.FOLDER / "dev.log"), again
    shutil.rmtree(folder)


@pytest.fixture
def debs(made: tuple[dict[str, Path], Path]) -> dict[str, Path]:
    return made[0]


def test_lintian_finds_neither_errors_nor_warnings(debs: dict[str, Path]) -> None:
    changes = next(package.FOLDER.glob("*.changes"))
    done = run("lintian", "--allow-root", "--fail-on", "error,warning", changes)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("line", "code"), [("", 0), (" shared_gone@LIBSHARED_0.1 0.1.0\n", 1)])
def test_a_name_that_is_lost_ends_the_build(debs: dict[str, Path], tmp_path: Path, line: str, code: int) -> None:
    source = package.FOLDER / "libshared"
    symbols = tmp_path / "symbols"
    symbols.write_text((source / "debian" / "libshared0.symbols").read_text() + line)
    done = run("dpkg-gensymbols", "-plibshared0", "-Pdebian/libshared0", "-c4", "-v0.1.0+ci", f"-I{symbols}",
               f"-O{tmp_path / 'out'}", cwd=source)
    assert done.returncode == code, done.stdout
    assert ("shared_gone" in done.stdout) == bool(line)


def system_make(target: Path | str, included: str, *hooks: str, prefix: tuple[str, ...] = ()) -> str:
    """A system of this machine's own release, with the apt settings of this machine; what was printed on the way."""
    suite = next(value.strip('"') for name, _, value in
                 (line.partition("=") for line in Path("/etc/os-release").read_text().splitlines())
                 if name == "VERSION_CODENAME")
    sources = [path for path in (Path("/etc/apt/sources.list.d/debian.sources"),
                                 Path("/etc/apt/sources.list.d/ubuntu.sources"), Path("/etc/apt/sources.list"))
               if path.exists()]
    fetching = [line for line in run("apt-config", "dump").stdout.splitlines()
                if line.startswith(("Acquire::http", "Acquire::Check-"))]
    shape = "--format=null" if target == "/dev/null" else "--format=directory"
    done = run(*prefix, "mmdebstrap", "--variant=apt", shape, f"--include={included}",
               *(f"--aptopt={line}" for line in fetching), *(f"--customize-hook={hook}" for hook in hooks),
               suite, target, sources[0])
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def test_a_fresh_system_installs_uses_and_forgets_them(debs: dict[str, Path], elsewhere: Path) -> None:
    for file in (*(debs[name] for name in package.NAMES), ROOT / "examples" / "first.c",
                 ROOT / "examples" / "example.h", HERE / "fresh.sh", HERE / "CMakeLists.txt",
                 HERE / "version.c"):
        shutil.copy(file, elsewhere)
    said = system_make("/dev/null", INCLUDED, f"copy-in '{elsewhere}' /root",
                       f"chroot \"$1\" sh '/root/{elsewhere.name}/fresh.sh' '/root/{elsewhere.name}'")
    assert "== fresh: all of it" in said


def test_the_services_run_under_systemd(debs: dict[str, Path], elsewhere: Path) -> None:
    """A system of its own is started, PostgreSQL and Redis in it, and reads a document with our units. It has no
    network but its own loopback, and ends by itself."""
    files = elsewhere / "proof"
    files.mkdir()
    for file in (debs["libshared0"], debs["lex-intel"], HERE / "services.sh", HERE / "lex-proof.service"):
        shutil.copy(file, files)
    (files / "will.pdf").write_bytes(pdf_numbered(30))
    prefix = () if os.geteuid() == 0 else ("sudo", "-n")
    system = elsewhere / "system"
    try:
        system_make(system, BOOTED, f"copy-in '{files}' /root",
                    "chroot \"$1\" sh -c 'apt-get install -q -y --no-install-recommends /root/proof/*.deb'",
                    "ln -s /root/proof/lex-proof.service \"$1/etc/systemd/system/lex-proof.service\"",
                    "chroot \"$1\" systemctl enable lex-proof", prefix=prefix)
        ended = run(*prefix, "systemd-nspawn", "-D", system, "--boot", "--register=no", "--keep-unit",
                    "--private-network", "--console=pipe", f"--system-call-filter={NEEDED_CALLS}")
        log = run(*prefix, "cat", system / "root" / "services.log").stdout
    finally:
        run(*prefix, "rm", "-rf", "--one-file-system", system)
    assert "== services: all of it" in log, log[-8000:] + ended.stdout[-2000:]


def digests(found: dict[str, Path]) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found.values()}


def library_bytes(found: dict[str, Path], folder: Path) -> bytes:
    done = run("dpkg-deb", "-x", found["libshared0"], folder)
    assert done.returncode == 0, done.stdout
    return next(folder.rglob("libshared.so.0.1.0")).read_bytes()


def test_another_folder_hour_user_umask_language_and_zone_make_the_same_bytes(
        made: tuple[dict[str, Path], Path], tmp_path: Path) -> None:
    debs, source = made
    prefix: tuple[str, ...] = ("sh", "-c", 'umask 002; exec "$@"', "sh")
    if os.geteuid() == 0:
        run("chown", "-R", "65534:65534", source.parent)
        prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *prefix)
    other = package.build_debs(source, tmp_path / "log", prefix, **ELSEWHERE)
    assert library_bytes(debs, tmp_path / "one") == library_bytes(other, tmp_path / "other")
    assert digests(debs) == digests(other)
