"""QMP messages are parsed however they are cut; other bytes are refused."""

import json

import pytest

from adapters.sim.qmp import Qmp

TALK = (
    b'{"QMP": {"version": {}}}\r\n{"return": {}, "id": 1}\r\n'
    b'{"event": "WATCHDOG", "data": {"action": "pause"}}\r\n{"event": "STOP"}\r\n'
)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_pieces_of_any_size(size):
    qmp = Qmp()
    qmp.request("cont")
    events = [e for i in range(0, len(TALK), size) for e in qmp.feed(TALK[i : i + size])]
    assert qmp.replies[1]["return"] == {}
    assert events == [("WATCHDOG", {"action": "pause"}), ("STOP", {})]


def test_requests_are_numbered_lines():
    qmp = Qmp()
    number, line = qmp.request("memsave", val=4)
    assert json.loads(line) == {"execute": "memsave", "arguments": {"val": 4}, "id": number}
    assert line.endswith(b"\n")
    assert qmp.request("cont")[0] != number


def test_only_the_reply_to_the_last_request_is_kept():
    qmp = Qmp()
    qmp.request("stop")
    number, _ = qmp.request("cont")
    qmp.feed(b"".join(b'{"return": {}, "id": %d}\n' % each for each in range(1000)))
    assert list(qmp.replies) == [number]


@pytest.mark.parametrize(
    "data",
    [
        *(b"hello\n", b"[1]\n", b'"x"\n', b"\xff\n", b"x" * (2 << 20)),
        *(b"[" * 50_000 + b"\n", b'{"event": "' + b"x" * (1 << 17) + b'"}\n'),
    ],
    ids=lambda data: repr(data[:10]),
)
def test_nonsense_is_refused(data):
    with pytest.raises(ValueError):
        Qmp().feed(data)
