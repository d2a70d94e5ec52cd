"""The scripts that a new machine meets first: what they say where something is missing."""

import os
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def script(folder, name, text):
    with open(folder / name, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + text + "\n")
    os.chmod(folder / name, 0o755)


@pytest.fixture
def bare(tmp_path):
    """A folder of commands that stands for the PATH of a machine where no package is installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "env", "dirname", "grep", "cat"):
        os.symlink(shutil.which(name), folder / name)
    script(folder, "dpkg-query", "exit 1")
    script(folder, "apt-get", "exit 1")
    script(folder, "id", "echo 1000")
    return folder


def install(bare, *args):
    return subprocess.run([f"{ROOT}/tools/install-deps", *args], env={"PATH": str(bare)}, capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, check=False)


def one_sentence(done, *words):
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1 and lines[0].startswith("install-deps: "), done.stderr
    for word in words:
        assert word in lines[0], done.stderr


def test_a_missing_sudo_is_one_sentence(bare):
    done = install(bare, "--build")
    assert done.returncode == 1
    one_sentence(done, "sudo is", "as root run: apt-get install", " meson")


def test_a_sudo_that_asks_for_a_password_without_a_terminal_is_one_sentence(bare):
    script(bare, "sudo", "exit 1")
    done = install(bare, "--build")
    assert done.returncode == 1
    one_sentence(done, "asks for a password", "as root run: apt-get install")


def test_packages_that_cannot_be_fetched_are_told_apart(bare):
    script(bare, "id", "echo 0")
    done = install(bare, "--build")
    assert done.returncode == 75
    one_sentence(done, "apt-get update", "check the network and try again")


def test_another_system_is_one_sentence(bare):
    os.unlink(bare / "apt-get")
    done = install(bare, "--build")
    assert done.returncode == 1
    one_sentence(done, "knows Debian's packages only", "libpq-dev")


def test_nothing_of_the_tests_is_needed_to_build():
    done = subprocess.run([f"{ROOT}/tools/install-deps", "--list"], capture_output=True, text=True, check=True)
    packages = done.stdout.split()
    assert "meson" in packages
    assert not {"libcmocka-dev", "g++", "libsimdjson-dev", "libfast-float-dev", "clang-14"} & set(packages)


@pytest.fixture
def tree(tmp_path):
    """A copy of what a build is set up from."""
    for name in ("src", "tools", "tests", "bench"):
        shutil.copytree(os.path.join(ROOT, name), tmp_path / "tree" / name,
                        ignore=shutil.ignore_patterns("corpus", "__pycache__"))
    for name in ("meson.build", "meson_options.txt"):
        shutil.copy(os.path.join(ROOT, name), tmp_path / "tree" / name)
    return tmp_path / "tree"


def test_a_build_folder_is_set_up_anew_when_a_library_comes(tree, tmp_path):
    without = tmp_path / "without"
    without.mkdir()
    script(without, "pkg-config", f'case "$*" in *cmocka*) exit 1;; esac; exec {shutil.which("pkg-config")} "$@"')

    def build(path, *targets):
        return subprocess.run(["tools/build", "build", *targets], cwd=tree, env={**os.environ, "PATH": path},
                              capture_output=True, text=True, check=False)

    path = os.environ["PATH"]
    done = build(f"{without}:{path}", "tests")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "build: cmocka, which the C tests use, is missing; run tools/install-deps"]
    # Without it the program's own libraries build, and nothing is said about tests.
    done = build(f"{without}:{path}", "libfoundation_base.a")
    assert done.returncode == 0, done.stderr
    done = build(path, "test_str")
    assert done.returncode == 0, done.stdout + done.stderr
    assert subprocess.run(["build/test_str"], cwd=tree, capture_output=True, check=False).returncode == 0


def test_a_build_without_a_terminal_prints_tenths_not_commands(tree):
    done = subprocess.run(["tools/build", "build", "libfoundation_base.a"], cwd=tree, capture_output=True,
                          text=True, check=True)
    lines = done.stdout.splitlines()
    assert 1 <= len(lines) <= 11
    assert all(line.startswith("building build: ") for line in lines)
