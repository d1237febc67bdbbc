"""Rows about processors that a boot loader has started: `detached`, or `attached` by the driver."""

from __future__ import annotations

from tests.kernel_table.steps import (
    CRASH,
    CRASHED,
    CRASHED_FIRST,
    NO_RECOVERY,
    OFFLINE,
    RUNNING,
    START,
    STOP,
    UNTIL_CRASHED,
    R,
    Row,
    Step,
    W,
    row,
)

ATTACHED, DETACHED = (R("state", f"{s}\n") for s in ("attached", "detached"))
DETACH, RECOVER = W("state", "detach"), W("recovery", "recover")
BUSY = W("firmware", "ok.elf", "EBUSY")
SOME_TIME = Step(("sleep", 0.5), "ok")


def detached() -> list[Row]:
    rows = (
        ("first state", DETACHED, R("firmware", "rproc-dsp-fw\n")),
        ("firmware when detached", BUSY),
        ("stop when detached", W("state", "stop", "EINVAL"), DETACHED),
        ("detach when detached", W("state", "detach", "EINVAL"), DETACHED),
        ("recover when detached", RECOVER, DETACHED),
        ("coredump when detached", W("coredump", "enabled"), DETACHED),
        ("crash when detached", NO_RECOVERY, CRASH, SOME_TIME, CRASHED),
        ("attach and detach", START, ATTACHED, DETACH, DETACHED),
        ("firmware when attached", START, R("firmware", "unknown\n"), BUSY),
        ("attach counts", START, START, DETACH, ATTACHED, DETACH, DETACHED),
        ("recover when attached", START, RECOVER, ATTACHED),
        ("coredump when attached", START, W("coredump", "enabled"), ATTACHED),
        ("stop when attached", START, STOP, OFFLINE),
        ("start after that", START, STOP, W("firmware", "ok.elf"), START, RUNNING, STOP, OFFLINE),
        ("crash when attached", *CRASHED_FIRST, STOP, OFFLINE),
        ("firmware after a crash", *CRASHED_FIRST, BUSY),
        ("detach after a crash", *CRASHED_FIRST, W("state", "detach", "EINVAL"), CRASHED),
        ("start after a crash", *CRASHED_FIRST, START, CRASHED, STOP, CRASHED, STOP, OFFLINE),
        ("recovery without firmware", *CRASHED_FIRST, RECOVER, OFFLINE, START, OFFLINE),
    )
    return [row(f"detached: {name}", *steps, processor="detached") for name, *steps in rows]


def attached() -> list[Row]:
    rows = (
        ("first state", ATTACHED, R("firmware", "unknown\n")),
        ("firmware", BUSY),
        ("start counts", START, ATTACHED, STOP, ATTACHED, STOP, OFFLINE),
        ("detach", DETACH, DETACHED, START, ATTACHED),
        ("crash", NO_RECOVERY, CRASH, UNTIL_CRASHED, CRASHED, STOP, OFFLINE),
    )
    return [row(f"attached: {name}", *steps, processor="attached") for name, *steps in rows]
