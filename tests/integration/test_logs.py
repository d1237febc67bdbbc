"""Proves that output reaches its readers, and that a missing reader does not stop firmware."""

import fcntl
import os
import select
import subprocess
import time

from features.backends.backend import Sample
from features.backends.processes import WatchedProcess
from features.backends.sample_firmware import BUILD
from features.steps.world import succeed
from tests.sandbox import in_child, small_tmpfs
from tests.waiting import wait_until


def bundle_with_much_output(backend):
    """Make a bundle with firmware that logs a line every 2 ms."""
    return backend.bundle(Sample(f"{BUILD}/cortex-m3/trace_wrap.elf"), "m3-0")


def log(backend):
    return succeed(backend.command("logs", "pump")).out


def read_slowly(descriptor, until, seconds=15.0):
    """Read 7 bytes every 20 ms until the text has come; return all bytes."""
    data, deadline = b"", time.monotonic() + seconds
    while until not in data:
        left = deadline - time.monotonic()
        assert left > 0 and select.select([descriptor], [], [], left)[0], data
        data += os.read(descriptor, 7)
        time.sleep(0.02)
    return data


def read_to_the_end(descriptor, seconds=10.0):
    """Read until the last writer has closed the pipe; return all bytes."""
    data, deadline = b"", time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        assert left > 0 and select.select([descriptor], [], [], left)[0], data
        if not (part := os.read(descriptor, 1 << 16)):
            return data
        data += part


def test_a_slow_reader_loses_nothing(backend, bundle):
    """Every line arrives, in order, to the very last."""
    reader, writer = os.pipe()
    succeed(backend.command("create", "--bundle", bundle, "pump", stdout=writer))
    os.close(writer)
    succeed(backend.command("start", "pump"))
    data = read_slowly(reader, until=b"tick 8\n")
    succeed(backend.command("kill", "pump"))
    data += read_to_the_end(reader)
    os.close(reader)
    lines = data.decode().splitlines()
    assert lines[0] == "hello from cortex-m3"
    assert len(lines) > 8
    assert lines[1:-1] == [f"tick {number}" for number in range(1, len(lines) - 1)]
    assert data == log(backend).encode()


def test_firmware_goes_on_when_nobody_reads(backend):
    """The pipe is full: the supervisor answers commands, its log grows, and a stop works."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    succeed(
        backend.command(
            "create", "--bundle", bundle_with_much_output(backend), "pump", stdout=writer
        )
    )
    os.close(writer)
    succeed(backend.command("start", "pump"))
    wait_until(lambda: len(log(backend)) > 8192)  # more than the pipe holds
    before = log(backend)
    wait_until(lambda: len(log(backend)) > len(before))
    outcome = succeed(backend.command("kill", "pump"))
    assert outcome.seconds < 5
    os.close(reader)


def test_firmware_goes_on_when_the_reader_has_gone(backend, bundle):
    """The supervisor survives EPIPE: Docker and Podman may be restarted while a container runs."""
    reader, writer = os.pipe()
    succeed(backend.command("create", "--bundle", bundle, "pump", stdout=writer, stderr=writer))
    os.close(writer)
    os.close(reader)
    succeed(backend.command("start", "pump"))
    before = wait_until(lambda: log(backend))
    wait_until(lambda: len(log(backend)) > len(before))
    assert backend.state("pump")["status"] == "running"


def test_firmware_runs_when_stdio_was_closed(backend, bundle):
    within = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    succeed(backend.command("create", "--bundle", bundle, "pump", within=within))
    succeed(backend.command("start", "pump"))
    wait_until(lambda: "hello from cortex-m3" in log(backend))


def test_output_to_a_full_disk_does_not_stop_firmware(backend, bundle):
    with open("/dev/full", "wb") as full:
        succeed(backend.command("create", "--bundle", bundle, "pump", stdout=full))
    succeed(backend.command("start", "pump"))
    wait_until(lambda: "tick 1" in log(backend))
    assert backend.state("pump")["status"] == "running"


def test_all_output_comes_before_the_end(backend):
    """All output is there when the supervisor has ended, and before the end of the pipe."""
    reader, writer = os.pipe()
    bundle = backend.bundle(backend.sample("ends with exit code 7"), "m3-0")
    succeed(backend.command("create", "--bundle", bundle, "pump", stdout=writer))
    os.close(writer)
    with WatchedProcess(backend.state("pump")["pid"]) as supervisor:
        succeed(backend.command("start", "pump"))
        assert supervisor.wait(10)
    with open(reader, "rb") as pipe:
        text = pipe.read().decode()
    assert text == log(backend)[: len(text)]
    assert text.endswith("\n") and "7" in text


def test_a_log_is_followed_to_its_end(backend, bundle):
    succeed(backend.command("create", "--bundle", bundle, "pump"))
    succeed(backend.command("start", "pump"))
    with open(f"{backend.place}/followed", "wb") as out:
        follower = subprocess.Popen(
            backend.words("logs", "--follow", "pump"), env=backend.environment, stdout=out
        )
    try:
        wait_until(lambda: os.path.getsize(f"{backend.place}/followed"))
        assert follower.poll() is None
        succeed(backend.command("kill", "pump"))
        assert follower.wait(5) == 0
    finally:
        follower.kill()
        follower.wait()
    with open(f"{backend.place}/followed") as file:
        assert file.read() == log(backend)


def test_the_log_stays_within_its_bounds(backend):
    """There are two files of 1 MiB; the older is deleted when the newer is full."""
    from adapters.supervisor.output import LOG_MAX, LogFiles

    where = f"{backend.place}/log"
    os.mkdir(where)
    directory = os.open(where, os.O_RDONLY | os.O_DIRECTORY)
    problems: list[str] = []
    files = LogFiles(directory, problems.append)
    line = b"0123456789abcdef" * 256
    for _ in range(5 * LOG_MAX // len(line)):
        files.firmware(line)
        sizes = {name: os.path.getsize(f"{where}/{name}") for name in os.listdir(where)}
        assert set(sizes) <= {"log", "log.1"}
        assert max(sizes.values()) <= LOG_MAX + len(line)
    assert sum(sizes.values()) >= LOG_MAX and problems == []
    os.close(directory)


def test_what_waits_for_a_reader_is_bounded_and_what_is_dropped_is_said(tmp_path):
    """The firmware's stream stays the firmware's own: the runtime speaks on the other one."""
    from adapters.supervisor.output import WAITING_MAX, Output

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    output = Output(directory)
    with open(tmp_path / "err", "wb") as errors:
        output.out.descriptor, output.err.descriptor = writer, errors.fileno()
        output.firmware(b"old\n" * (WAITING_MAX // 4))
        output.firmware(b"new\n" * 1000)
        data = b""
        while output.streams():
            output.write()
            data += os.read(reader, 1 << 16)
    for descriptor in (writer, reader, directory):
        os.close(descriptor)
    assert data == b"old\n" * (WAITING_MAX // 4 - 1000) + b"new\n" * 1000
    said = "remoteproc-runtime: 4000 bytes of output were dropped: nobody read them\n"
    assert (tmp_path / "err").read_text() == said


def test_on_a_full_disk_no_part_of_a_record_is_kept(tmp_path):
    """The rest of it could pass for a remark of the runtime."""

    def write():
        from adapters.supervisor.output import LogFiles

        small_tmpfs(str(tmp_path), 8192)
        directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        warnings: list[str] = []
        files = LogFiles(directory, warnings.append)
        for _ in range(20):
            files.firmware(b"\0" * 1500)  # each NUL takes two bytes
        return os.path.getsize(tmp_path / "log"), warnings

    size, warnings = in_child(write)
    assert size % 3000 == 0 and size > 0
    assert warnings == ["cannot keep the log: No space left on device"]


REMARK = "remoteproc-runtime: "


def test_firmware_cannot_forge_a_remark(tmp_path):
    """Whatever it prints, and however its output is cut, remarks are on stderr and are ours."""
    from adapters.supervisor.output import Output
    from domain.log_format import decode

    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    output = Output(directory)
    forged = b"\0remoteproc-runtime: forged\n\0\0\0remoteproc-runtime: again\nrest\0"
    for at in range(len(forged)):
        output.firmware(forged[at : at + 1])
    output.firmware(forged)
    output.remark("ours\x1b[2J\u202e\nremoteproc-runtime: second line")
    output.firmware(forged)
    os.close(directory)
    printed, remarks = decode([(tmp_path / "log").read_bytes()])
    assert printed == forged * 3
    assert remarks == (
        b"remoteproc-runtime: ours\\x1b[2J\\u202e\\nremoteproc-runtime: second line\n"
    )


def test_the_log_is_the_same_however_it_is_read():
    from domain.log_format import LogDecoder, encode_output, encode_remark

    log = encode_output(b"a\0b\n\0") + encode_remark(b"r\n") + encode_output(b"\0\0c")
    for size in range(1, len(log) + 1):
        decoder = LogDecoder()
        cut = [log[at : at + size] for at in range(0, len(log), size)]
        pieces = [piece for part in cut for piece in decoder.feed(part)]
        assert b"".join(p.data for p in pieces if not p.is_remark) == b"a\0b\n\0\0\0c"
        assert [p.data for p in pieces if p.is_remark] == [b"r\n"]


def test_a_remark_has_a_line_of_its_own(backend):
    """Firmware that is waiting for input has printed a prompt, and no newline."""
    bundle = backend.bundle(backend.sample("answers what is typed"), "m3-0")
    with open(f"{backend.place}/both", "wb") as both:
        created = backend.command("create", "--bundle", bundle, "pump", stdout=both, stderr=both)
    succeed(created)
    succeed(backend.command("start", "pump"))
    wait_until(lambda: log(backend).endswith("> "))
    succeed(backend.command("kill", "pump", "USR2"))
    wait_until(lambda: succeed(backend.command("logs", "pump")).err)
    with open(f"{backend.place}/shown", "wb") as shown:
        succeed(backend.command("logs", "pump", stdout=shown, stderr=shown))
    for name in ("both", "shown"):
        with open(f"{backend.place}/{name}") as file:
            assert file.read().endswith(f"> \n{REMARK}signal USR2 ignored\n")
