"""All rows of the table, and the cases that it leaves out."""

from __future__ import annotations

from tests.kernel_table import attached, fault_cases
from tests.kernel_table.attributes import firmware, path, starts, words
from tests.kernel_table.lifecycle import debug, lifecycle

ROWS = [
    *words(),
    *firmware(),
    *path(),
    *starts(),
    *lifecycle(),
    *debug(),
    *attached.detached(),
    *attached.attached(),
    *fault_cases.signals(),
    *fault_cases.recoveries(),
    *fault_cases.dumps(),
    *fault_cases.notifications(),
    *fault_cases.drivers(),
]

NOT_TRIED = {
    "a recovery whose file is no ELF any more, or is cut before its section headers": (
        "Linux reads headers that are not there: the writer dies, and holds the lock for ever"
    ),
    "a huge string table offset, section name or number of program headers": "the same",
    "a dump is freed after five minutes": "too long for a test; both wait on a timer",
    "what is executed": "no code runs on the real kernel's processors: what is asked here is asked"
    " of the kernel, and what firmware does is in the tests of the simulator",
    "devices of virtio and rpmsg that come and go": "the simulator has none",
    "drivers with attributes that nobody may write": "none of those at hand has such",
}
