"""Processors are listed and opened whatever their attributes contain."""

from __future__ import annotations

import json

import pytest

from adapters.sysfs.board import SysfsBoard
from adapters.sysfs.processor import open_processor
from domain.annotations import ProcessorOptions
from domain.errors import HostFault, InvalidRequest, NotFound


def board(tree, **options):
    return SysfsBoard(str(tree.root), **options)


def test_kernel_without_remoteproc_has_none(tree):
    (tree.root / "sys/class/remoteproc").rmdir()
    assert board(tree).processors() == []


def test_listed_by_number_with_their_attributes(tree):
    tree.processor("remoteproc10", name="dsp", state="running", firmware="audio.elf")
    tree.processor("remoteproc2", name="m4", state="offline", firmware="rproc-m4-fw")
    (tree.root / "sys/class/remoteproc/other").mkdir()
    first, second = board(tree).processors()
    assert first[:4] == ("m4", "remoteproc2", "offline", "rproc-m4-fw")
    assert second[:4] == ("dsp", "remoteproc10", "running", "audio.elf")


def test_missing_attributes(tree):
    tree.processor("remoteproc0")
    (info,) = board(tree).processors()
    assert info[:4] == ("remoteproc0", "remoteproc0", "unknown", "")
    assert not info.state.startable and not info.state.ended
    assert info.note == "its driver lets nobody control it"


def test_read_only_state_has_a_note(tree):
    place = tree.processor("remoteproc0", name="m4", state="running")
    (place / "state").chmod(0o444)
    (info,) = board(tree).processors()
    assert info.note == "its driver lets nobody control it"


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\0" * 50, bytes(range(256)), b"A" * 100_000, b"two\nlines\n", b"\xff\xfe\n", b"\n\n\n"],
)
def test_garbage_is_shown_escaped(tree, garbage):
    tree.processor("remoteproc0", name=garbage, state=garbage, firmware=garbage, recovery=garbage)
    (info,) = board(tree).processors()
    for text in (info.name, info.state, info.firmware):
        assert text.isprintable() and len(text) <= 16_400
    assert not info.state.startable
    processor = board(tree).open("remoteproc0", ProcessorOptions())
    assert processor.state() == info.state


@pytest.mark.parametrize("device", ["remoteproc1", "../remoteproc0", "remoteproc0/..", "", "m4"])
def test_unknown_device(tree, device):
    tree.processor("remoteproc0", name="m4", state="offline")
    with pytest.raises(NotFound):
        board(tree).open(device, ProcessorOptions())


def test_open_args_are_json_and_open_the_same_processor(tree):
    tree.processor("remoteproc0", name="m4", state="offline")
    policies = {
        "*": {"consoles": {"/dev/ttyS7": 9600}, "poll_seconds": 0.5},
        "m4": {"consoles": {"/dev/ttyS7": 115200}},
        "remoteproc0": {"poll_seconds": 0.25},
    }
    known = board(tree, policies=policies)
    description = known.open_args("remoteproc0", ProcessorOptions(console="/dev/ttyS7"))
    processor = open_processor(json.loads(json.dumps(description)))
    assert (processor.name, processor.device) == ("m4", "remoteproc0")
    assert processor.poll_seconds == 0.25
    assert description["policy"]["consoles"] == {"/dev/ttyS7": 115200}


def test_console_must_be_allowed(tree):
    tree.processor("remoteproc0", name="m4", state="offline")
    policies = {"remoteproc0": {"consoles": {"/dev/ttyS7": 0}}}
    with pytest.raises(InvalidRequest, match=r"/dev/ttyS1 is not allowed.*allows /dev/ttyS7"):
        board(tree, policies=policies).open("remoteproc0", ProcessorOptions(console="/dev/ttyS1"))


def test_processor_that_went_away(tree):
    place = tree.processor("remoteproc0", name="m4", state="offline")
    processor = board(tree).open("remoteproc0", ProcessorOptions())
    for child in place.iterdir():
        child.unlink()
    place.rmdir()
    assert processor.state() == "deleted"
    processor.release({"firmware": "remoteproc-runtime/remoteproc0-x-0123456789abcdef"})
    assert processor.release({}) is None


def test_only_a_sysfs_is_written_as_the_running_kernel(tmp_path):
    from adapters.sysfs.attributes import Attributes, on_sysfs

    (tmp_path / "state").write_text("offline\n")
    with pytest.raises(HostFault, match="is not on a sysfs"):
        Attributes(str(tmp_path), require_sysfs=True).write("state", "start")
    assert (tmp_path / "state").read_text() == "offline\n"
    with open("/sys/kernel/notes", "rb") as file:
        assert on_sysfs(file.fileno())
