"""Proves what the configuration file may say, and that an error names the line of a mistake."""

from __future__ import annotations

import os

import pytest

from bootstrap import settings as module
from bootstrap.settings import Settings, default_run_directory, load_settings
from domain.errors import InvalidRequest, NotFound


@pytest.fixture(autouse=True)
def host(monkeypatch, tmp_path):
    """No configuration or cache of this machine, and root's default directory."""
    monkeypatch.setattr(module, "cache_of", lambda *_: str(tmp_path / "parsed" / "config"))
    monkeypatch.setattr(module, "DEFAULT_FILE", str(tmp_path / "default" / "config.yaml"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


RUN = "/run/remoteproc-runtime"
DEFAULT = Settings(f"{RUN}/containers", RUN, "sysfs", "", "")


def test_no_configuration():
    assert load_settings() == DEFAULT


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n"])
def test_an_empty_configuration(config, text):
    assert load_settings(config(text)) == DEFAULT


def test_everything(config, tmp_path):
    found = load_settings(config("backend: sim\nboard: boards/b.yaml\nrun-directory: /var/x\n"))
    assert found == Settings("/var/x/containers", "/var/x", "sim", "boards/b.yaml", str(tmp_path))


def test_the_default_file_is_read(tmp_path):
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "config.yaml").write_text("run-directory: /var/x\n")
    assert load_settings().run_directory == "/var/x"


def test_a_relative_run_directory_starts_from_the_file(config, tmp_path):
    assert load_settings(config("run-directory: run\n")).run_directory == str(tmp_path / "run")


def test_the_state_root_is_the_callers(config, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = load_settings(config("run-directory: /var/x\n"), "states")
    assert (found.root, found.run_directory) == (str(tmp_path / "states"), "/var/x")


def test_a_relative_configuration(config, monkeypatch, tmp_path):
    config("backend: sim\nboard: quad\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings("config.yaml").base == str(tmp_path)


@pytest.mark.parametrize(
    ("user", "own", "directory"),
    [
        (0, "/run/user/0", RUN),
        (1000, "/run/user/1000", "/run/user/1000/remoteproc-runtime"),
        (1000, "", RUN),
    ],
)
def test_the_default_run_directory(monkeypatch, user, own, directory):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("XDG_RUNTIME_DIR", own)
    assert default_run_directory() == directory


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("backend: qemu\n", 1, "backend 'qemu' is unknown"),
        ("\nbackend: simm\n", 2, "did you mean 'sim'"),
        ("# x\n\nbakcend: sim\n", 3, "unknown key 'bakcend'"),
        ("backend: sysfs\nbackend: sim\n", 2, "given twice"),
        ("backend:\n", 1, "backend must be a text"),
        ("backend: [sim]\n", 1, "backend must be a text"),
        ("backend: sim\nboard: {a: b}\n", 2, "board must be a text"),
        ("run-directory:\n  - /x\n", 2, "run-directory must be a text"),
        ("- backend\n", 1, "must be a mapping"),
        ("sim\n", 1, "must be a mapping"),
        ("backend: sim\n", 1, "needs a `board`"),
        ("backend: sysfs\n board: x\n", 2, "is not YAML"),
        ("a: b\n---\nc: d\n", 2, "is not YAML"),
        ("backend: 'sim\n", 2, "is not YAML"),
        ("x: \x01\n", 1, "is not YAML"),
        ('run-directory: "/x\\0"\n', 1, "run-directory '/x\\x00' must have no NUL"),
        ('run-directory: "\\uD800"\n', 1, "no surrogates"),
        ("processors: {m4: {images: any},\n  m4: {}}\n", 2, "'m4' is given twice in processors"),
        (
            "processors:\n  m4:\n    consoles:\n      /dev/a: 1\n      /dev/a: 2\n",
            5,
            "'/dev/a' is given twice in consoles",
        ),
    ],
)
def test_mistakes_say_the_line(config, text, line, message):
    path = config(text)
    with pytest.raises(InvalidRequest) as refused:
        load_settings(path)
    assert f"{path}:{line}: " in str(refused.value)
    assert message in str(refused.value)
    assert str(refused.value).isprintable()


def test_no_file(tmp_path):
    with pytest.raises(NotFound, match="--config"):
        load_settings(str(tmp_path / "absent.yaml"))


def test_a_directory(tmp_path):
    with pytest.raises(NotFound, match="Is a directory"):
        load_settings(str(tmp_path))


def test_no_text(config):
    path = config(b"\xff\xfe\x00")
    with pytest.raises(InvalidRequest, match="UTF-8"):
        load_settings(path)


def test_a_large_size_limit_reaches_the_copying_of_firmware(config):
    text = "processors:\n  m4: {size-limit: 128M}\n  m7: {size-limit: 4M}\n  m0: {}\n"
    assert load_settings(config(text)).largest_firmware == 128 << 20


@pytest.mark.parametrize("text", ["", "processors: {m4: {size-limit: 4M}}\n"])
def test_processors_without_a_size_limit_have_the_default(config, text):
    assert load_settings(config(text)).largest_firmware == 64 << 20


def test_a_tree_that_has_gone_is_refused_although_the_configuration_is_cached(config, tmp_path):
    path = config("# x\ntree: tree\n")
    (tmp_path / "tree").mkdir()
    assert load_settings(path).tree == load_settings(path).tree == str(tmp_path / "tree")
    (tmp_path / "tree").rmdir()
    with pytest.raises(InvalidRequest, match=f"{path}:2: tree {tmp_path}/tree is no directory"):
        load_settings(path)


def test_a_cached_configuration_says_the_same(config):
    text = """\
backend: sysfs
board: quad
firmware-directory: fw
run-directory: run
processors:
  m4: {size-limit: 4M, poll-seconds: 0.5, consoles: {/dev/ttyS1: 115200}}
"""
    path = config(text)
    first = load_settings(path)
    assert load_settings(path) == first
    assert first.policies["m4"] == {
        "size_limit": 4 << 20, "poll_seconds": 0.5, "consoles": {"/dev/ttyS1": 115200},
    }  # fmt: skip
