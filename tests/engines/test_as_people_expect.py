"""Proves that what people know from ordinary containers holds for firmware, under every engine."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from tests.engines.command_line import ENGINES, start
from tests.engines.docker import Docker
from tests.engines.groups_of import limit, run_out_of_memory
from tests.engines.images import Image
from tests.engines.ours import SAMPLES
from tests.engines.podman import Podman
from tests.engines.process import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def elf(program):
    with open(f"{SAMPLES}/{program}.elf", "rb") as file:
        return file.read()


def image(name, files=None, entrypoint=("/hello.elf",), **fields):
    files = files or {"hello.elf": elf("hello")}
    return Image(f"localhost/{name}:1", files, list(entrypoint), **fields)


# One worker runs the tests of an engine, one after the other, on one daemon.
KINDS = [pytest.param(kind, marks=pytest.mark.xdist_group(f"people {kind}")) for kind in ENGINES]
under_podman = pytest.mark.parametrize("shared", KINDS[2:], indirect=True)


@pytest.fixture(scope="module", params=KINDS)
def shared(request, releases, runtime_path, tmp_path_factory):
    with ExitStack() as stack:

        def starter(engine):
            def started(version, **options):
                return stack.enter_context(engine(releases, version, [runtime_path], **options))

            return started

        folder = str(tmp_path_factory.mktemp("people"))
        yield start(request.param, starter(Docker), starter(Podman), runtime_path, folder)


@pytest.fixture
def engine(shared):
    yield shared
    for name in shared("ps", "-aq").text.split():  # what a test that failed has left
        shared.remove(name)


def test_a_mounted_file_runs_instead_of_the_images(engine):
    engine.load(image("hello"))
    # Firmware `exit` ends with 7; the image's own would run for ever.
    mounted = f"{os.path.realpath(SAMPLES)}/exit.elf:/hello.elf:ro"
    assert engine.run("hello", "-v", mounted, check=False).code == 7
    engine.remove()


def test_firmware_is_found_in_mounted_directories_and_volumes(engine, tmp_path):
    (tmp_path / "fw").mkdir()
    (tmp_path / "fw/exit.elf").write_bytes(elf("exit"))
    engine.load(image("hello", {"fw/exit.elf": elf("hello")}, ["/fw/exit.elf"]))
    assert engine.run("hello", "-v", f"{tmp_path}/fw:/fw", check=False).code == 7
    engine.remove()
    nested = ("-v", f"{tmp_path}:/fw", "-v", f"{tmp_path}/fw/exit.elf:/fw/exit.elf")
    assert engine.run("hello", *nested, check=False).code == 7
    engine.remove()
    hidden = engine.run("hello", "--mount", "type=volume,dst=/other", "-v", f"{tmp_path}:/fw",
                        check=False)  # fmt: skip
    assert hidden.code != 0 and f"is not in {tmp_path} (mounted on /fw)" in hidden.stderr, hidden
    engine.remove()


def test_the_hosts_network_is_taken_as_arms_documents_show_it(engine):
    engine.load(image("exit", {"exit.elf": elf("exit")}, ["exit.elf"]))
    assert engine.run("exit", "--network=host", check=False).code == 7
    engine.remove()


def test_an_init_is_stepped_over(engine):
    engine.load(image("exit", {"exit.elf": elf("exit")}, ["exit.elf"]))
    assert engine.run("exit", "--init", check=False).code == 7
    engine.remove()


def test_the_daemons_init_is_stepped_over(start_docker, start_podman, runtime_path, tmp_path):
    parts = (start_docker, start_podman, runtime_path, str(tmp_path))
    engine = start("docker-shim", *parts, init=True)
    engine.load(image("exit", {"exit.elf": elf("exit")}, ["exit.elf"]))
    assert engine.run("exit", check=False).code == 7
    engine.remove()


def test_the_dockerfiles_words_are_in_messages(engine):
    engine.load(image("hello", {"lib/firmware/hello.elf": elf("hello")}, ["hello.elf"]))
    refused = engine.run("hello", check=False)
    assert "did you mean lib/firmware/hello.elf?" in refused.stderr, refused
    engine.remove()
    refused = engine.run("hello", words=("-v", "a b"), check=False)
    assert 'ENTRYPOINT and CMD are ["hello.elf", "-v", "a b"]' in refused.stderr, refused
    engine.remove()
    engine.load(image("shell", {"hello.elf": elf("hello")}, ["/bin/sh", "-c", "hello.elf"]))
    refused = engine.run("shell", check=False)
    assert 'write the exec form, ENTRYPOINT ["hello.elf"]' in refused.stderr, refused
    assert "process.args" not in refused.stderr
    engine.remove()
    engine.load(image("carriage", {"hello.elf": elf("hello")}, ["hello.elf\r"]))
    refused = engine.run("carriage", check=False)
    assert r'"/hello.elf\r" is not in the image' in refused.stderr, refused
    assert "did you mean hello.elf?" in refused.stderr, refused
    engine.remove()


@under_podman
def test_remapped_users_are_told_of_the_hosts(engine):
    remapped_users_are_told(engine, "--uidmap=0:100000:65536")


def remapped_users_are_told(engine, *options):
    engine.load(image("exit", {"exit.elf": elf("exit")}, ["/exit.elf"]))
    refused = engine.run("exit", *options, check=False)
    assert "--userns=host" in refused.stderr, refused
    engine.remove()
    assert engine.run("exit", "--userns=host", check=False).code == 7
    engine.remove()


@pytest.mark.parametrize("kind", ["docker-shim", "docker-path"])
def test_a_daemon_that_remaps_users_is_told_of_the_hosts(
    start_docker, start_podman, runtime_path, tmp_path, kind
):
    ranges = {"subuid": "nobody:100000:65536\n", "subgid": "nobody:100000:65536\n"}
    remap = {"userns-remap": "nobody:nogroup"}
    parts = (start_docker, start_podman, runtime_path, str(tmp_path))
    remapped_users_are_told(start(kind, *parts, etc=ranges, **remap))


def test_an_owner_is_named_as_the_engine_lists_it(engine):
    engine.load(image("hello"))
    engine.run("hello", "-d")
    listed = engine("ps", "-q").text
    assert len(listed) == 12
    refused = engine.run("hello", "--name=two", check=False)
    assert f"processor m3-0 belongs to container {listed};" in refused.stderr, refused
    engine("rm", "-f", "two")
    engine.remove()


# What runc and crun answer with, by engine: the client's exit code, and that of the container's
# state, which Podman sets only for containers that ran.
CODES = {
    "missing": {"docker": (127, 127), "podman": (127, 0)},
    "a directory": {"docker": (126, 126), "podman": (126, 0)},
    "below a file": {"docker": (125, 127), "podman": (126, 0)},
    "a word alone": {"docker": (127, 127), "podman": (127, 0)},
    "too long": {"docker": (125, 128), "podman": (126, 0)},
}
ENTRIES = {
    "missing": ("/none.elf",),
    "a directory": ("/lib",),
    "below a file": ("/hello.elf/x",),
    "a word alone": ("none",),
    "too long": ("/" + "a" * 300,),
}


@pytest.mark.parametrize("case", ENTRIES)
def test_the_exit_code_is_that_of_runc_and_crun(engine, case):
    engine.load(image("wrong", {"hello.elf": elf("hello"), "lib/x": b""}, ENTRIES[case]))
    kind = engine.kind.partition("-")[0]
    runtimes = ("runc",) if kind == "docker" else ("runc", "crun")
    for runtime in (None, *runtimes):
        refused = engine.run("wrong", check=False, runtime=runtime)
        seen = (refused.code, engine.state()["ExitCode"])
        assert seen == CODES[case][kind], (runtime, refused)
        engine.remove()


def test_the_exit_code_of_an_empty_entry_point(engine):
    """Docker and Podman 4 know no such thing, and refuse it themselves."""
    engine.load(image("hello"))
    for runtime in (None, *(("runc", "crun") if engine.kind == "podman-5" else ())):
        refused = engine.run("hello", "--entrypoint=", check=False, runtime=runtime)
        assert refused.code == (127 if engine.kind == "podman-5" else 125), (runtime, refused)
        assert "process.args" not in refused.stderr
        engine("rm", "-f", "one", check=False)


def test_the_exit_code_of_what_is_no_firmware(engine):
    engine.load(image("text", {"text.elf": b"text"}, ["/text.elf"]))
    refused = engine.run("text", check=False)
    assert "is not an ELF file" in refused.stderr, refused
    expected = (125, 128) if engine.kind.startswith("docker") else (126, 0)
    assert (refused.code, engine.state()["ExitCode"]) == expected
    engine.remove()


@pytest.mark.parametrize("signal", ["SIGQUIT", "SIGRTMIN+3", "SIGUSR1"])
@pytest.mark.parametrize("by", ["image", "container"])
def test_a_stop_signal_stops_gracefully(engine, signal, by):
    engine.load(image("hello", stop_signal=signal if by == "image" else ""))
    options = [f"--stop-signal={signal}"] if by == "container" else []
    if signal == "SIGUSR1" and engine.kind.startswith("docker"):  # which does not tell the runtime
        options += ["--annotation", f"org.opencontainers.image.stopSignal={signal}"]
    engine.run("hello", "-d", *options)
    engine("stop", "-t", "60", "one", timeout=30)  # fails unless the signal itself stops it
    assert engine.ended() == 0
    engine.remove()


@under_podman
def test_firmware_is_found_in_overlays_and_other_images(engine, tmp_path):
    (tmp_path / "fw").mkdir()
    (tmp_path / "fw/main.elf").write_bytes(elf("exit"))
    engine.load(image("hello", {"main.elf": elf("hello")}, ["/fw/main.elf"]))
    assert engine.run("hello", "-v", f"{tmp_path}/fw:/fw:O", check=False).code == 7
    engine.remove()
    engine.load(image("other", {"main.elf": elf("exit")}, ["/main.elf"]))
    mount = "--mount=type=image,src=localhost/other:1,dst=/fw"
    assert engine.run("hello", mount, check=False).code == 7
    engine.remove()


def test_a_start_that_is_refused_is_not_tried_again(engine):
    """The processor is busy. Podman never tries again; Docker took the refusal for an end."""
    engine.load(image("hello"))
    engine.run("hello", "-d", "--name=two")
    refused = engine.run("hello", "-d", "--restart=always", check=False)
    docker = engine.kind.startswith("docker")
    assert refused.code == (125 if docker else 126), refused
    engine.remove("two")
    if engine.kind != "docker-path":  # whose shim is runc's, and tells Docker of an end
        seen = engine.state()
        assert (seen["Status"], seen["ExitCode"]) == (
            ("created", 128) if docker else ("initialized", 0)
        )
        assert seen["StartedAt"].startswith("0001-01-01"), "it never ran"
        engine("start", "one")
        assert engine.state()["Status"] == "running"
    engine.remove()


def test_the_control_group_is_the_truth(engine):
    """About the limit, what is used, changed limits, and why firmware ended."""
    engine.load(image("hello"))
    engine.run("hello", "-d", "--memory=128m", "--pids-limit=50")
    pid = engine.state()["Pid"]
    used, most = memory_of(engine)
    assert most == 128 << 20
    charged = int(limit(pid, "memory", "memory.usage_in_bytes"))
    assert charged / 2 < used < charged * 1.2, (used, charged)
    more = ("--memory=256m", "--memory-swap=512m", "--cpu-shares=256")
    assert engine("update", *more, "one").stderr == ""
    assert limit(pid, "memory", "memory.limit_in_bytes") == str(256 << 20)
    assert limit(pid, "cpu", "cpu.shares") == "256"
    if engine.kind != "podman-4":  # which shows the limit that the container was made with
        assert memory_of(engine)[1] == 256 << 20
    (qemu,) = engine.engine.host.find("qemu-system")
    run_out_of_memory(qemu)
    assert engine.ended() == 137
    if engine.kind != "podman-4":  # which shows no more than 137
        assert wait_until(lambda: engine.state()["OOMKilled"], 5), engine.state()
    assert "out of memory, the container's limit is 256 MiB" in engine("logs", "one").stderr
    engine.remove()


def memory_of(engine):
    """The memory that is used and its limit, in bytes, as `stats` shows them."""
    shown = engine("stats", "--no-stream", "--format={{.MemUsage}}", "one").text.split("\n")[-1]
    units = {"MiB": 1 << 20, "MB": 10**6}
    unit = next(each for each in units if shown.endswith(each))
    used, most = (float(part.strip().removesuffix(unit)) for part in shown.split("/"))
    return used * units[unit], round(most * units[unit] / (1 << 20)) << 20
