"""All rows of the table.

The table leaves these cases out:

* A recovery whose file is no ELF file any more, or is cut before its section headers; a huge string
  table offset, section name or number of program headers. Linux reads headers that do not exist:
  the writer dies, and holds the processor's lock for ever.
* The end of a dump after five minutes: too long for a test.
* What firmware does: the real kernel's processors execute no code. The simulator's tests have that.
* Devices of virtio and rpmsg: tests/board/test_same_rpmsg.py asks about these.
* Drivers whose attributes no user may write: no driver at hand has such.
"""

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
