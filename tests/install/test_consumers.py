# SPDX-License-Identifier: MIT
"""Builds of others find the installed library, and the source tree as a subproject: pkg-config with and without
--static and below a sysroot, CMake, meson. Each consumer is compiled, linked and run, and prints a version."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from test_install import Tree, tree  # noqa: F401  # the fixture

from dev.build import tool_environment
from dev.stack import BUILD, ROOT

PACKAGE_TESTS = ROOT / "tests" / "package"
CONSUMER = """project('consumer', 'c', meson_version: '>=1.0')
executable('version', 'version.c', dependencies: dependency('libshared', version: '>=0.1.0'))
"""


@pytest.fixture
def consumer(tmp_path: Path) -> Path:
    """A folder with a stranger's program."""
    for name in ("version.c", "CMakeLists.txt"):
        shutil.copy(PACKAGE_TESTS / name, tmp_path)
    (tmp_path / "meson.build").write_text(CONSUMER)
    return tmp_path


def version_of(tree: Tree, folder: Path) -> str:  # noqa: F811
    return tree.run("pkg-config --modversion libshared", folder)


def test_the_static_library_links_with_what_pkg_config_says(tree: Tree, consumer: Path) -> None:  # noqa: F811
    tree.run('eval "cc -Wall -Werror version.c $(pkg-config --variable=libdir libshared)/libshared.a -o version '
             '$(pkg-config --cflags libshared) $(pkg-config --static --libs libshared | sed s/-lshared//)"', consumer)
    assert tree.run("./version", consumer) == version_of(tree, consumer)
    assert "libshared.so" not in tree.run("ldd ./version", consumer)


def test_a_user_of_the_shared_library_links_nothing_else(tree: Tree, consumer: Path) -> None:  # noqa: F811
    words = tree.run("pkg-config --libs libshared", consumer).split(" -l")
    assert words[1:] == ["shared"]


def test_a_user_of_the_shared_library_needs_no_development_files_of_others(tree: Tree, consumer: Path) -> None:  # noqa: F811
    only_ours = f"PKG_CONFIG_PATH= PKG_CONFIG_LIBDIR='{tree.find('libshared.pc').parent}'"
    said = tree.run(f"{only_ours} pkg-config --cflags --libs libshared", consumer)
    assert said == tree.run("pkg-config --cflags --libs libshared", consumer)


def test_a_sysroot_goes_before_each_path(tree: Tree, consumer: Path) -> None:  # noqa: F811
    said = tree.run("PKG_CONFIG_SYSROOT_DIR=/sys-root pkg-config --cflags --libs libshared", consumer)
    prefix = str(tree.root).replace(" ", "\\ ")
    assert f"-I/sys-root{prefix}/include/libshared" in said
    assert f"-L/sys-root{prefix}/lib" in said


def test_cmake_finds_both_libraries(tree: Tree, consumer: Path) -> None:  # noqa: F811
    tree.run(f"cmake -S . -B out -DCMAKE_PREFIX_PATH='{tree.root}' && cmake --build out", consumer)
    for program in ("out/version", "out/version-static"):
        assert tree.run(f"env -u LD_LIBRARY_PATH {program}", consumer) == version_of(tree, consumer)


@pytest.mark.parametrize(("wanted", "fits"), [
    ("0.1", True), ("0.1.0", True), ("0.1.0 EXACT", True), ("0.1...0.2", True), ("0.1...<0.2", True), ("", True),
    ("0.1.99", False), ("0.2", False), ("1.1", False), ("0.0", False), ("0.0...<0.1", False), ("0.2...0.3", False)])
def test_cmake_is_told_which_versions_fit(tree: Tree, consumer: Path, wanted: str, fits: bool) -> None:  # noqa: F811
    (consumer / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.19)\nproject(consumer C)\n"
                                             f"find_package(libshared {wanted} REQUIRED CONFIG)\n")
    done = cmake(tree, consumer, tree.root)
    assert (done.returncode == 0) == fits, done.stderr
    assert fits or "compatible with requested version" in done.stderr


def test_cmake_finds_it_by_way_of_a_link(tree: Tree, consumer: Path) -> None:  # noqa: F811
    """As on systems where /lib is a link to /usr/lib."""
    (consumer / "root").mkdir()
    (consumer / "root" / "lib").symlink_to(tree.root / "lib")
    done = cmake(tree, consumer, consumer / "root")
    assert done.returncode == 0, done.stderr


def cmake(tree: Tree, folder: Path, prefix: Path) -> subprocess.CompletedProcess[str]:  # noqa: F811
    return subprocess.run(["cmake", "-S", ".", "-B", "out", f"-DCMAKE_PREFIX_PATH={prefix}"], cwd=folder,
                          env=tree.environment(), capture_output=True, text=True, check=False)


def test_who_builds_it_needs_no_cmake() -> None:
    """Meson's own module for CMake's files would look for it."""
    assert "Program cmake" not in (BUILD / "meson-logs" / "meson-log.txt").read_text()


def test_who_has_no_pdfium_is_told_the_two_ways(tmp_path: Path) -> None:
    done = subprocess.run(["meson", "setup", str(tmp_path), str(ROOT), "-Dtests=false"], env=tool_environment(),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 or all(f"-Dpdfium={way}" in done.stdout for way in ("/path/to/libpdfium.so", "none"))


def test_meson_finds_the_installed_library(tree: Tree, consumer: Path) -> None:  # noqa: F811
    tree.run("meson setup out && meson compile -C out", consumer)
    assert tree.run("out/version", consumer) == version_of(tree, consumer)


def test_meson_builds_it_as_a_subproject(tree: Tree, consumer: Path) -> None:  # noqa: F811
    (consumer / "subprojects").mkdir()
    (consumer / "subprojects" / "libshared").symlink_to(ROOT)
    (consumer / "meson.build").write_text(CONSUMER.replace(
        "executable(", "subproject('libshared', default_options: ['apps=false', 'tests=false'])\nexecutable("))
    done = subprocess.run("meson setup out && ninja -C out version", cwd=consumer, shell=True,
                          env=tool_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    run = subprocess.run([consumer / "out" / "version"], capture_output=True, text=True, check=False,
                         env=tool_environment())
    assert run.stdout.strip() == version_of(tree, consumer)


def test_destdir_takes_all_of_it(tree: Tree, tmp_path: Path) -> None:  # noqa: F811
    """What a packager does: the same files below DESTDIR, and nothing that names it."""
    stage = tmp_path / "stage"
    done = subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--destdir", str(stage)],
                          env=tool_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    below = stage / tree.root.relative_to("/")
    staged = {path.relative_to(below) for path in below.rglob("*")}
    assert staged == {path.relative_to(tree.root) for path in tree.root.rglob("*")}
    named = [path for path in below.rglob("*") if path.is_file() and str(stage).encode() in path.read_bytes()]
    assert not named
