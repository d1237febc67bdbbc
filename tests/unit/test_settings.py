"""Proves what the configuration file may say, and that an error names the line of a mistake."""

from __future__ import annotations

import os

import pytest

from bootstrap import settings as module
from bootstrap.settings import Settings, default_run_directory, load_settings
from domain.errors import InvalidRequest, NotFound
from tests.architecture.sources import ROOT


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


@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "HOME"])
def test_a_user_has_a_file_of_its_own(monkeypatch, tmp_path, variable):
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    place = tmp_path if variable == "XDG_CONFIG_HOME" else tmp_path / ".config"
    (place / "remoteproc-runtime").mkdir(parents=True)
    (place / "remoteproc-runtime/config.yaml").write_text("backend: sim\nboard: quad\n")
    assert load_settings().backend == "sysfs", "root has that of the machine"
    monkeypatch.setattr(module, "privileged", lambda: False)
    assert load_settings().backend == "sim"


def test_a_user_without_a_file_has_that_of_the_machine(monkeypatch, tmp_path):
    for variable in ("XDG_CONFIG_HOME", "HOME"):  # as Podman calls the runtime
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(module, "privileged", lambda: False)
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
        (1000, "run/user/1000", RUN),
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
        ("processors: {m4: {poll-seconds: 0}}\n", 1, "'0' is no number of seconds from 0.01 to"),
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
        ("processors:\n  m4:\n    usres: [x]\n", 3, "did you mean 'users'"),
        ("processors:\n  m4:\n    users: root\n", 3, "users must be a list"),
        ("processors:\n  m4:\n    require: signed\n", 3, "require 'signed' is unknown"),
        ("processors:\n  m4:\n    require: signature\n", 3, "signature needs `keys`"),
        ("processors:\n  m4:\n    require: digest\n    keys: [x]\n", 3, "needs `digests`"),
        ("processors:\n  m4:\n    keys: [x]\n", 3, "`keys` without require: signature"),
        (
            "processors:\n  m4:\n    require: digest\n    digests:\n      - sha256:12\n",
            5,
            "'sha256:12' is no digest; give sha256: and 64",
        ),
        ("processors:\n  m4:\n    annotations: {attach: [x]}\n", 3, "did you mean 'attached'"),
        (
            "processors:\n  m4:\n    annotations: {recovery: [kernal]}\n",
            3,
            "did you mean 'kernel'",
        ),
        (
            "processors:\n  m4:\n    annotations: {console: [/etc/shadow]}\n",
            3,
            "'/etc/shadow' is unknown",
        ),
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
  m4: {size-limit: 4M, poll-seconds: 0.5, start-retries: 1, consoles: {/dev/ttyS1: 115200}}
"""
    path = config(text)
    first = load_settings(path)
    assert load_settings(path) == first
    assert first.policies["m4"] == {
        "size_limit": 4 << 20,
        "poll_seconds": 0.5,
        "start_retries": 1,
        "consoles": {"/dev/ttyS1": 115200},
    }


def test_the_users_of_the_simulator_are_a_range(config):
    found = load_settings(config("backend: sim\nboard: quad\nsimulator-users: 3000-4000\n"))
    assert list(found.simulator_users or ()) == [3000, 4000]


@pytest.mark.parametrize(
    "users", ["5", "0-5", "9-5", "1-4294967295", "a-b", "-3-4", "1-2-3", f"1-{'9' * 5000}"]
)
def test_a_range_that_is_none_is_refused(config, users):
    with pytest.raises(InvalidRequest, match=r"config.yaml:1: .*FIRST-LAST"):
        load_settings(config(f"simulator-users: {users}\n"))


def test_the_rules_of_processors(config, tmp_path):
    digest = f"sha256:{'0' * 64}"
    found = load_settings(
        config(
            f"""
processors:
  "*": {{containerd-namespaces: [moby], image-annotations: refuse}}
  m4:
    kubernetes-namespaces: [plant]
    annotations: {{attached: [take], console: [rpmsg, /dev/ttyS1]}}
    require: signature
    keys: [plant.pem, /etc/keys/x.pem]
    size-limit: 1K
  m7: {{require: digest, digests: [{digest}]}}
"""
        )
    )
    assert found.rules == {
        "*": {"containerd_namespaces": ["moby"], "image_annotations": "refuse"},
        "m4": {
            "kubernetes_namespaces": ["plant"],
            "annotations": {"attached": ["take"], "console": ["rpmsg", "/dev/ttyS1"]},
            "require": "signature",
            "keys": [str(tmp_path / "plant.pem"), "/etc/keys/x.pem"],
        },
        "m7": {"require": "digest", "digests": [digest]},
    }
    assert found.policies == {"*": {}, "m4": {"size_limit": 1024}, "m7": {}}


def test_a_cached_configuration_does_not_bring_the_keys_of_another_place(tmp_path):
    """Two files with one text may share a place in the cache: each has its own keys."""
    text = "processors: {m4: {require: signature, keys: [plant.pem]}}\n"
    names = [str(number) for number in range(70)]  # more than the cache has places
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "c.yaml").write_text(text)
    for name in names * 2:
        rules = load_settings(str(tmp_path / name / "c.yaml")).rules["m4"]
        assert rules["keys"] == [str(tmp_path / name / "plant.pem")]


def test_all_processors_can_have_keys_that_one_uses(config):
    load_settings(
        config(
            'processors: {"*": {require: signature, keys: [a]}, m4: {keys: [b]},'
            " m7: {size-limit: 1K}}\n"
        )
    )


def test_the_example_of_a_policy():
    rules = load_settings(str(ROOT / "examples/policy.yaml")).rules
    assert rules["*"] == {"users": ["root"], "image_annotations": "refuse"}
    assert rules["m4"]["keys"] == [str(ROOT / "examples/keys/plant.pem")]
    assert {"m7", "dsp"} < set(rules)


def test_the_resources_of_kubernetes(config):
    text = (
        "kubernetes: {domain: board.example, resources: {m7: [m7-0, m7-1], dsp: [remoteproc3]}}\n"
    )
    settings = load_settings(config(text))
    assert settings.resource_domain == "board.example"
    assert settings.resources == {"m7": ["m7-0", "m7-1"], "dsp": ["remoteproc3"]}
    assert load_settings(config("kubernetes: {}\n")).resource_domain == "remoteproc"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("domain: kubernetes.io", "domain 'kubernetes.io' is none for resources"),
        ("domain: A_b", "is none for resources"),
        ("resources: {'a b': [m4]}", "'a b' is no resource's name"),
        ("resources: {a: []}", "must be a list of at least one item"),
        ("resources: {a: [m4], b: [m7, m4]}", "processor m4 is in the resources a and b"),
        ("pools: {}", "unknown key 'pools' in kubernetes"),
    ],
)
def test_mistakes_in_the_resources_of_kubernetes(config, keys, words):
    with pytest.raises(InvalidRequest) as refused:
        load_settings(config(f"kubernetes: {{{keys}}}\n"))
    assert words in str(refused.value)
