"""What QEMU sends, which executes an image's code and may be in that code's hands."""

from __future__ import annotations

from adapters.sim.exit_reason import error_message, from_qmp_event, from_wait_status
from adapters.sim.qemu_errors import describe
from adapters.sim.qmp import Qmp
from tests.fuzz.target import target

_ASKED = range(1, 6)


@target(1 << 13, ValueError)
def qmp(data: bytes) -> None:
    """Messages are the same however they are cut; only replies to requests are kept."""
    size, talk = 1 + (data[0] if data else 0), data[1:]
    whole, cut = Qmp(), Qmp()
    for session in (whole, cut):
        for number in _ASKED:
            assert session.request("cont")[0] == number
    events = whole.feed(talk)
    pieces = [talk[at : at + size] for at in range(0, len(talk), size)]
    assert [event for piece in pieces for event in cut.feed(piece)] == events
    assert cut.replies == whole.replies
    assert set(whole.replies) <= set(_ASKED)
    for reply in whole.replies.values():
        assert isinstance(reply, dict)
    for name, about in events:
        end = from_qmp_event(name, about)
        assert end is None or end.reason.isprintable()


@target(1 << 12)
def qemu_stderr(data: bytes) -> None:
    """The first two bytes are QEMU's wait status, the others its output."""
    status, text = int.from_bytes(data[:2], "little"), data[2:].decode(errors="replace")
    end = from_wait_status(status, text, 139)
    assert end.reason and len(end.reason) < 256
    assert end.status is None or 0 <= end.status <= 255
    assert len(error_message(text)) < 256
    assert all(len(describe(line)) < 1024 for line in text.split("\n"))
