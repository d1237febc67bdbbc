"""Rows about starts, stops, crashes, and debugfs."""

from __future__ import annotations

from tests.kernel_table.steps import (
    CRASH,
    CRASHED,
    CRASHED_FIRST,
    OFFLINE,
    RUNNING,
    START,
    STOP,
    F,
    R,
    Row,
    Step,
    W,
    row,
)

NO_TABLE = R("debug:resource_table", "No resource table found\n")
TABLE = R(
    "debug:resource_table",
    "".join(
        f"Entry {number} is of type trace\n  Device Address {address}\n  Length 0x100 Bytes\n"
        "  Reserved (should be zero) [0]\n  Name trace\n\n"
        for number, address in enumerate(("0x20001000", "0x20002000"))
    ),
)
NO_CARVEOUTS = R("debug:carveout_memories", "")


def lifecycle() -> list[Row]:
    slow = F("start_delay", 1.0)
    return [
        row("start and stop", START, RUNNING, STOP, OFFLINE),
        row(
            "starts count",
            START,
            START,
            START,
            STOP,
            RUNNING,
            STOP,
            RUNNING,
            STOP,
            OFFLINE,
            W("state", "stop", "EINVAL"),
        ),
        row("stop when offline", W("state", "stop", "EINVAL")),
        row("detach when offline", W("state", "detach", "EINVAL")),
        row("detach when running", START, W("state", "detach", "EINVAL"), RUNNING),
        row(
            "words that are states",
            W("state", "running", "EINVAL"),
            W("state", "offline", "EINVAL"),
        ),
        row("stop when crashed", *CRASHED_FIRST, STOP, OFFLINE),
        row("start when crashed", *CRASHED_FIRST, START, CRASHED, STOP, CRASHED, STOP, OFFLINE),
        row("detach when crashed", *CRASHED_FIRST, W("state", "detach", "EINVAL")),
        row("coredump when crashed", *CRASHED_FIRST, W("coredump", "enabled", "EBUSY")),
        row(
            "recover",
            *CRASHED_FIRST,
            W("recovery", "recover"),
            RUNNING,
            R("recovery", "disabled\n"),
        ),
        row(
            "enabled recovers",
            *CRASHED_FIRST,
            W("recovery", "enabled"),
            RUNNING,
            R("recovery", "enabled\n"),
        ),
        row("recover when running", START, W("recovery", "recover"), RUNNING),
        row(
            "crash with recovery", START, CRASH, Step(("sleep", 0.5), "ok"), RUNNING, STOP, OFFLINE
        ),
        row("crash when crashed", *CRASHED_FIRST, CRASH, Step(("sleep", 0.2), "ok"), CRASHED, STOP),
        row("coredump when running", START, W("coredump", "enabled"), R("coredump", "enabled\n")),
        row("crash while offline", CRASH, Step(("sleep", 0.2), "ok"), OFFLINE),
        *(
            row(
                f"the driver's start fails with {e}",
                F("start_error", e),
                W("state", "start", e),
                OFFLINE,
                F("start_error", "0"),
                START,
            )
            for e in ("EIO", "ETIMEDOUT", "EBUSY", "ENOMEM")
        ),
        row(
            "the driver's stop fails",
            START,
            F("stop_error", "EIO"),
            W("state", "stop", "EIO"),
            RUNNING,
            F("stop_error", "0"),
        ),
        row(
            "a stop that failed, again",
            START,
            F("stop_error", "EIO"),
            W("state", "stop", "EIO"),
            F("stop_error", "0"),
            STOP,
            OFFLINE,
        ),
        row(
            "a slow start",
            slow,
            Step(("behind start", "read", "state"), ["offline\n", "at once", 5]),
            RUNNING,
        ),
        row(
            "a slow start, firmware",
            slow,
            Step(("behind start", "write", "firmware", "x"), ["EBUSY", "waits", 5]),
        ),
        row(
            "a slow start, stop",
            slow,
            Step(("behind start", "write", "state", "stop"), [4, "waits", 5]),
            OFFLINE,
        ),
        row(
            "a slow start, start",
            slow,
            Step(("behind start", "write", "state", "start"), [5, "waits", 5]),
            STOP,
            RUNNING,
            STOP,
            OFFLINE,
        ),
        row(
            "a slow start, recovery",
            slow,
            Step(("behind start", "write", "recovery", "disabled"), [8, "at once", 5]),
        ),
        row(
            "a slow start, coredump",
            slow,
            Step(("behind start", "write", "coredump", "enabled"), [7, "at once", 5]),
        ),
        row(
            "unprivileged",
            *(
                Step(("unprivileged", "write", a, "x"), "EACCES")
                for a in (
                    "state",
                    "firmware",
                    "recovery",
                    "coredump",
                    "name",
                    "path",
                    "debug:crash",
                )
            ),
            Step(("unprivileged", "read", "state"), "offline\n"),
            Step(("unprivileged", "read", "debug:name"), "EACCES"),
        ),
        row(
            "unprivileged after chmod",
            Step(("chmod", "state", 0o666), "ok"),
            Step(("unprivileged", "write", "state", "start"), 5),
            RUNNING,
            Step(("chmod", "state", 0o644), "ok"),
        ),
    ]


def debug() -> list[Row]:
    traced = W("firmware", "trace.elf")
    outside = W("firmware", "trace-outside.elf")
    grown = Step(("grow", "debug:trace0"), ["a", "b"])
    return [
        row(
            "trace",
            traced,
            Step(("read", "debug:trace0"), "ENOENT"),
            START,
            R("debug:trace0", ""),
            STOP,
            Step(("read", "debug:trace0"), "ENOENT"),
        ),
        row(
            "two traces",
            W("firmware", "two-traces.elf"),
            START,
            R("debug:trace0", ""),
            R("debug:trace1", ""),
            Step(("read", "debug:trace2"), "ENOENT"),
        ),
        row("trace when crashed", traced, *CRASHED_FIRST, R("debug:trace0", "")),
        row(
            "trace after stop",
            traced,
            START,
            Step(("outlives", "debug:trace0", "stop"), ["", "EIO"]),
        ),
        row("trace outside memory", outside, START, R("debug:trace0", "Trace  not available\n")),
        row(
            "resource table",
            W("firmware", "two-traces.elf"),
            NO_TABLE,
            START,
            TABLE,
            STOP,
            NO_TABLE,
        ),
        row("no resource table", START, NO_TABLE, NO_CARVEOUTS),
        row(
            "resource table of another version", W("firmware", "table-version.elf"), START, NO_TABLE
        ),
        row("resource table when crashed", W("firmware", "two-traces.elf"), *CRASHED_FIRST, TABLE),
        row("no carveouts", NO_CARVEOUTS, W("firmware", "two-traces.elf"), START, NO_CARVEOUTS),
        row("mode of resource table", Step(("stat", "debug:resource_table"), "400 0")),
        row("mode of carveouts", Step(("stat", "debug:carveout_memories"), "400 0")),
        row("mode of trace", traced, START, Step(("stat", "debug:trace0"), "400 0")),
        row("debugfs name", START, Step(("stat", "debug:name"), "400 0")),
        row(
            "crash, no number",
            W("debug:crash", "x", "EINVAL"),
            W("debug:crash", "", "EINVAL").but_simulated(
                0, "Linux does not hand empty writes to FUSE"
            ),
        ),
        row(
            "crash, odd numbers",
            W("debug:crash", "0x1\n"),
            W("debug:crash", "99"),
            W("debug:crash", "-1", "EINVAL"),
            W("debug:crash", "99999999999", "ERANGE"),
        ),
        row(
            "debugfs recovery",
            R("debug:recovery", "enabled\n"),
            W("debug:recovery", "disabled\n"),
            R("recovery", "disabled\n"),
            W("debug:recovery", "e"),
            R("recovery", "enabled\n"),
            W("debug:recovery", "x", "EINVAL"),
        ),
        row(
            "debugfs coredump",
            R("debug:coredump", "disabled\n"),
            W("debug:coredump", "enabled"),
            R("coredump", "enabled\n"),
            W("debug:coredump", "x", "EINVAL"),
        ),
        row("a trace grows", W("firmware", "growing.elf"), START, grown),
    ]
