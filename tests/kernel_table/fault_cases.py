"""Rows about signals, failed recoveries, dumps, notifications, and drivers that are unbound."""

from __future__ import annotations

from tests.kernel_table.steps import (
    CRASH,
    CRASHED_FIRST,
    NO_RECOVERY,
    OFFLINE,
    RUNNING,
    START,
    STOP,
    UNTIL_CRASHED,
    F,
    R,
    Row,
    Step,
    W,
    row,
)

ONE_WRITER = (
    "FUSE lets one program at a time write to a file; a signal does not interrupt the next ones"
)
NO_UEVENTS = "a file system cannot send uevents"
RECOVER = W("recovery", "recover")
SLOW = F("start_delay", 3.0)


def signals() -> list[Row]:
    def behind(name: str, text: str, answer: object) -> Step:
        write = ("interrupted", "write", name, text)
        return Step(("behind start", *write), [answer, "at once", 5])

    return [
        *(
            row(
                f"a signal behind a slow start, {word}",
                SLOW,
                behind("state", word, "EINTR").but_simulated([len(word), "waits", 5], ONE_WRITER),
            )
            for word in ("start", "stop")
        ),
        row("a signal behind a slow start, firmware", SLOW, behind("firmware", "x", "EINVAL")),
        row("a signal behind a slow start, recover", SLOW, behind("recovery", "recover", 7)),
        row("a signal behind a slow start, enabled", SLOW, behind("recovery", "enabled", 7)),
        row(
            "a signal behind a slow recovery",
            *CRASHED_FIRST,
            SLOW,
            Step(
                (
                    *("meanwhile", "recovery", "recover"),
                    ("interrupted", "write", "state", "start"),
                    ("interrupted", "write", "state", "stop"),
                    ("interrupted", "write", "firmware", "x"),
                    ("read", "state"),
                ),
                ["EINTR", "EINTR", "EINVAL", "offline\n", 7],
            ),
            RUNNING,
            STOP,
            OFFLINE,
        ),
        row(
            "a signal in a slow start",
            F("start_delay", 1.0),
            Step(("interrupted", "write", "state", "start"), 5),
            RUNNING,
        ),
    ]


def recoveries() -> list[Row]:
    def failed(name: str, *steps: Step) -> Row:
        return row(
            f"recovery with {name}",
            W("firmware", "gone.elf"),
            Step(("copy", "ok.elf", "gone.elf"), "ok"),
            NO_RECOVERY,
            START,
            CRASH,
            UNTIL_CRASHED,
            *steps,
            RECOVER,
            OFFLINE,
            START,
            OFFLINE,
            W("state", "stop", "EINVAL"),
            Step(("unbind",), "ok"),
            Step(("bind",), "ok"),
            W("firmware", "ok.elf"),
            START,
            RUNNING,
            STOP,
            OFFLINE,
        )

    remove = Step(("remove", "gone.elf"), "ok")
    return [
        failed("no file, until the driver is bound again", remove),
        *(
            failed(
                f"{what} file, until the driver is bound again",
                Step(("copy", image, "gone.elf"), "ok"),
            )
            for what, image in (("an empty", "empty"), ("a cut", "cut-data.elf"))
        ),
    ]


def dumps() -> list[Row]:
    crash = (NO_RECOVERY, START, CRASH, UNTIL_CRASHED)
    one, none = Step(("dumps",), ["\x7fELF"]), Step(("dumps",), [])
    freed = (Step(("free dumps",), "ok"), Step(("sleep", 0.3), "ok"), none)
    return [
        row("coredump disabled", *crash, none, RECOVER, none, RUNNING),
        row("coredump enabled", W("coredump", "enabled"), *crash, none, RECOVER, one, *freed),
        row(
            "coredump inline",
            W("coredump", "inline"),
            *crash,
            none,
            Step(
                (
                    *("meanwhile", "recovery", "recover"),
                    ("read", "state"),
                    ("dumps",),
                    ("read", "state"),
                    ("free dumps",),
                ),
                ["offline\n", ["\x7fELF"], "offline\n", "ok", 7],
            ),
            RUNNING,
            Step(("sleep", 0.3), "ok"),
            none,
        ),
        row(
            "no second dump while there is one",
            W("coredump", "enabled"),
            *crash,
            RECOVER,
            CRASH,
            UNTIL_CRASHED,
            RECOVER,
            one,
            *freed,
        ),
        row(
            "a dump outlives its processor's stop",
            W("coredump", "enabled"),
            *crash,
            RECOVER,
            STOP,
            OFFLINE,
            one,
        ),
        row(
            "coredump words",
            *(
                step
                for word in ("enabled", "inline", "disabled")
                for step in (W("coredump", word), R("coredump", f"{word}\n"))
            ),
        ),
    ]


def notifications() -> list[Row]:
    until_crashed = ("until", "state", "crashed\n")
    crash = ("write", "debug:crash", "1")
    recover = ("write", "recovery", "recover")
    return [
        row(
            "notifications of a crash",
            NO_RECOVERY,
            START,
            Step(("notifications", crash, until_crashed), []),
        ),
        row(
            "notifications of a recovery",
            *CRASHED_FIRST,
            Step(("notifications", recover), []),
            RUNNING,
        ),
        row(
            "notifications of a dump",
            W("coredump", "enabled"),
            *CRASHED_FIRST,
            Step(("notifications", recover), ["add devcoredump"]).but_simulated([], NO_UEVENTS),
        ),
        row(
            "notifications of a driver that is unbound and bound",
            Step(
                ("notifications", ("unbind",), ("bind",)),
                ["add remoteproc", "bind platform", "poll", "remove remoteproc", "unbind platform"],
            ).but_simulated(["poll"], NO_UEVENTS),
        ),
    ]


def drivers() -> list[Row]:
    names = ("state", "firmware", "recovery", "coredump", "name", "debug:name", "debug:trace0")
    gone = ["ENODEV"] * 5 + ["EIO"] * 2 + ["ENODEV"] * 2
    return [
        row(
            "the driver is unbound while firmware runs",
            W("firmware", "trace.elf"),
            START,
            Step(("outlive driver", *names), [gone, False, gone]),
            OFFLINE,
            R("firmware", "rproc-m4-fw\n"),
        ),
        row(
            "the driver is unbound after a crash",
            *CRASHED_FIRST,
            Step(("outlive driver", *names[:6]), [gone[:6] + gone[7:], False, gone[:6] + gone[7:]]),
            OFFLINE,
            R("recovery", "enabled\n"),
        ),
        row(
            "the driver is unbound twice",
            Step(("unbind",), "ok"),
            Step(("unbind",), "ENODEV"),
            Step(("bind",), "ok"),
            Step(("bind",), "EBUSY"),
            OFFLINE,
        ),
    ]
