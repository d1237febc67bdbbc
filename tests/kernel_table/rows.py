"""What Linux 6.1 answers to whoever uses a remote processor: rows of steps with their answers.

A step is what is done, and the answer: the number of bytes taken, the text read, an errno's
name. Where the simulator's answer is another one, that and the reason follow.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Step(NamedTuple):
    """`do` is an operation of run.py, with its arguments."""

    do: tuple[Any, ...]
    answer: Any
    simulated: Any = None  # its answer, where that differs
    reason: str = ""

    def expected_of(self, side: str) -> Any:
        """The answer of `sim` or of `kernel`."""
        return self.simulated if side == "sim" and self.reason else self.answer

    def but_simulated(self, answer: Any, reason: str) -> Step:
        return self._replace(simulated=answer, reason=reason)


class Row(NamedTuple):
    name: str
    steps: tuple[Step, ...]
    processor: str = "offline"  # or "detached": the kind of which the row needs one


def W(name: str, text: str, answer: Any = None) -> Step:  # noqa: N802 -- reads as a table
    """Write an attribute; by default all of it is taken."""
    return Step(("write", name, text), len(text) if answer is None else answer)


def R(name: str, answer: str) -> Step:  # noqa: N802
    """Read an attribute."""
    return Step(("read", name), answer)


def F(kind: str, value: object) -> Step:  # noqa: N802
    """Have a fault."""
    return Step(("fault", kind, value), "ok")


CORE = "the simulated core could not execute it, and refuses to pretend"
START, STOP = W("state", "start"), W("state", "stop")
OFFLINE, RUNNING, CRASHED = (R("state", f"{s}\n") for s in ("offline", "running", "crashed"))
NO_RECOVERY = W("recovery", "disabled")
CRASH = W("debug:crash", "1")
UNTIL_CRASHED = Step(("until", "state", "crashed\n"), "ok")
CRASHED_FIRST = (NO_RECOVERY, START, CRASH, UNTIL_CRASHED)


def _row(name: str, *steps: Step, processor: str = "offline") -> Row:
    return Row(name, steps, processor)


def _words() -> list[Row]:
    rows = []
    for attribute, word, before in (
        ("state", "start", ()), ("recovery", "enabled", ()), ("coredump", "inline", ()),
        ("state", "stop", (START,)), ("recovery", "recover", ()),
    ):  # fmt: skip
        for text, good in (
            ("{}", True), ("{}\n", True), ("{}\0", True), ("{}\n\n", False), (" {}", False),
            ("{} ", False), ("{}\r\n", False), ("x{}", False), ("{}x", False), ("{}\0x", True),
            ("{}\n\0", True), ("\n{}", False), ("\0{}", False),
        ):  # fmt: skip
            shown = text.format(word)
            step = W(attribute, shown, None if good else "EINVAL")
            rows.append(_row(f"parse {attribute} {shown!r}", *before, step))
        shouted = W(attribute, word.upper(), "EINVAL")
        rows.append(_row(f"parse {attribute} {word.upper()!r}", *before, shouted))
        rows.append(
            _row(
                f"partial writes {attribute} {word}",
                *before, Step(("parts", attribute, word[:2], word[2:]), ["EINVAL", "EINVAL"]),
            )
        )  # fmt: skip
    for attribute in ("state", "firmware", "recovery", "coredump"):
        rows.append(_row(f"empty write {attribute}", W(attribute, "", 0)))
        nothing = "EINVAL"
        rows.append(_row(f"newline alone {attribute}", W(attribute, "\n", nothing)))
        rows.append(_row(f"NUL alone {attribute}", W(attribute, "\0", nothing)))
        rows.append(_row(f"4096 bytes {attribute}", *_long(attribute, 4096)))
        rows.append(_row(f"5000 bytes {attribute}", *_long(attribute, 5000)))
    rows += [
        _row("pwrite at an offset", Step(("pwrite", "state", "start", 100), 5), RUNNING),
        _row("append", Step(("open", "state", "append", "start"), 5), RUNNING),
        _row("truncate", Step(("open", "state", "truncate", "start"), 5), RUNNING),
        _row("truncate alone", Step(("truncate", "state"), "ok"), OFFLINE),
        _row("writev is one write", Step(("writev", "state", "sta", "rt"), 5), RUNNING),
        _row("second read is the end", Step(("reads", "state"), ["offline\n", "", "offline\n"])),
        _row("bytewise read", Step(("bytes", "firmware"), "ok.elf\n")),
        _row("pread in the middle", Step(("pread", "state", 3), "line\n")),
        _row("pread past the end", Step(("pread", "state", 100), "")),
        _row("create", Step(("create", "nosuch"), "EACCES")),
        _row("mkdir", Step(("mkdir", "nosuch"), "EPERM")),
        _row("unlink", Step(("unlink", "state"), "EPERM")),
        _row("rename", Step(("rename", "state", "other"), "EPERM")),
        _row("missing", Step(("read", "nosuch"), "ENOENT")),
    ]
    return rows


def _long(attribute: str, count: int) -> tuple[Step, ...]:
    answer = min(count, 4096) if attribute == "firmware" else "EINVAL"
    return (Step(("write", attribute, "n" * count), answer),)


def _firmware() -> list[Row]:
    rows = [
        _row("first values", *(R(a, v) for a, v in (
            ("state", "offline\n"), ("recovery", "enabled\n"), ("coredump", "disabled\n"),
            ("firmware", "ok.elf\n"),
        ))),
        *(
            _row(f"mode and size of {a}", Step(("stat", a), f"{m} 4096"))
            for a, m in (("state", "644"), ("firmware", "644"), ("recovery", "644"),
                         ("coredump", "644"), ("name", "444"))
        ),
        _row("firmware with a newline inside", W("firmware", "a\nb"), R("firmware", "a\n")),
        _row("firmware with a NUL inside", W("firmware", "a\0b"), R("firmware", "a\n")),
        _row("firmware with spaces", W("firmware", " a b\n"), R("firmware", " a b\n"), START),
        _row("firmware of 4094 bytes", W("firmware", "n" * 4094), R("firmware", "n" * 4094 + "\n")),
        _row("firmware of 4095 bytes", W("firmware", "n" * 4095), R("firmware", "n" * 4095)),
        _row("name is read-only", Step(("write", "name", "x"), "EACCES")),
    ]  # fmt: skip
    for state, first in (("running", (START,)), ("crashed", CRASHED_FIRST)):
        rows.append(_row(f"firmware while {state}", *first, W("firmware", "ok.elf", "EBUSY")))
    for name, answer in (
        ("nosuch.elf", "ENOENT"), ("dangling.elf", "ENOENT"), ("/lib/firmware/ok.elf", "ENOENT"),
        ("loop.elf", "ELOOP"), ("ok.elf/x", "ENOTDIR"), ("empty", "EINVAL"),
        ("is-directory", "EINVAL"), ("sub/x.elf", 5), ("./ok.elf", 5), ("sub//x.elf", 5),
        ("/ok.elf", 5), ("sub/../ok.elf", "EINVAL"), ("../outside.elf", "EINVAL"),
        ("..", "EINVAL"), ("x..y", "ENOENT"), ("link-out.elf", 5), ("mode-0000.elf", 5),
        ("n" * 251, 5), ("n" * 255, 5), ("m" * 252, "ENOENT"), ("m" * 253, "ENAMETOOLONG"), ("m" * 255, "ENAMETOOLONG"),
        ("m" * 256, "ENAMETOOLONG"), ("packed.elf", 5), ("first.elf", 5),
        ("a/" * 2000, "ENOENT"), ("a/" * 2040, "ENAMETOOLONG"),
    ):  # fmt: skip
        shown = name if len(name) < 40 else f"{name[:2]}... of {len(name)} bytes"
        rows.append(
            _row(f"load {shown}", W("firmware", name), Step(("write", "state", "start"), answer))
        )
    fifo = Step(("killed write", "state", "start"), "blocked")
    rows.append(
        _row(
            "load a FIFO",
            W("firmware", "fifo"),
            fifo.but_simulated(
                "EINVAL",
                "no program could be killed while it waits for FUSE; so it is as with a writer",
            ),
        )
    )
    return rows


def _path() -> list[Row]:
    custom = W("firmware", "custom.elf")
    missing = Step(("write", "state", "start"), "ENOENT")
    unset = W("path", "\0", 1)
    return [
        _row("path of 255 bytes", W("path", "/" * 255), unset),
        _row("path of 256 bytes", W("path", "/" * 256, "ENOSPC")),
        _row("path found", Step(("path", "custom", ""), "ok"), custom, START, unset),
        _row("path with a newline", Step(("path", "custom", "\n"), "ok"), custom, missing, unset),
        _row("path reads back", W("path", "/x\n"), R("path", "/x\n\n"), unset, R("path", "\n")),
        _row("path of a newline", W("path", "\n"), R("path", "\n\n"), START, unset),
        _row("path of two", Step(("path", "custom", ":/x"), "ok"), custom, missing, unset),
        _row("path, empty write", W("path", "/x"), W("path", "", 0), R("path", "/x\n"), unset),
        _row("mode and size of path", Step(("stat", "path"), "644 4096")),
    ]


def _starts() -> list[Row]:
    start = ("write", "state", "start")
    rows = []
    for name in (
        "text", "raw", "hex", "class-0.elf", "class-3.elf", "big-endian.elf", "tiny",
        "cut-header.elf", "cut-data.elf", "no-headers.elf", "headers-past-end.elf",
        "data-past-end.elf", "memsz-less.elf", "outside.elf", "spans-end.elf", "cut-trace.elf",
        "entry-past-end.elf", "devmem.elf",
    ):  # fmt: skip
        rows.append(_row(f"start {name}", W("firmware", name), Step(start, "EINVAL"), OFFLINE))
    rows.append(
        _row("start carveout-huge.elf", W("firmware", "carveout-huge.elf"), Step(start, "ENOMEM"))
    )
    for name in (
        "ok.elf", "dyn.elf", "rel.elf", "entry-outside.elf", "no-sections.elf", "no-load.elf",
        "table-version.elf", "table-reserved.elf", "table-cut.elf", "table-empty.elf",
        "vendor.elf", "unknown-entry.elf", "trace.elf", "trace-outside.elf",
    ):  # fmt: skip
        rows.append(_row(f"start {name}", NO_RECOVERY, W("firmware", name), Step(start, 5)))
    for name in ("riscv.elf", "x86-64.elf", "elf64.elf"):
        step = Step(start, 5).but_simulated("EINVAL", CORE)
        rows.append(_row(f"start {name}", W("firmware", name), step))
    return rows


def _life() -> list[Row]:
    slow = F("start_delay", 1.0)
    return [
        _row("start and stop", START, RUNNING, STOP, OFFLINE),
        _row("starts count", START, START, START, STOP, RUNNING, STOP, RUNNING, STOP, OFFLINE,
             W("state", "stop", "EINVAL")),
        _row("stop when offline", W("state", "stop", "EINVAL")),
        _row("detach when offline", W("state", "detach", "EINVAL")),
        _row("detach when running", START, W("state", "detach", "EINVAL"), RUNNING),
        _row("words that are states", W("state", "running", "EINVAL"), W("state", "offline", "EINVAL")),
        _row("stop when crashed", *CRASHED_FIRST, STOP, OFFLINE),
        _row("start when crashed", *CRASHED_FIRST, START, CRASHED, STOP, CRASHED, STOP, OFFLINE),
        _row("detach when crashed", *CRASHED_FIRST, W("state", "detach", "EINVAL")),
        _row("coredump when crashed", *CRASHED_FIRST, W("coredump", "enabled", "EBUSY")),
        _row("recover", *CRASHED_FIRST, W("recovery", "recover"), RUNNING, R("recovery", "disabled\n")),
        _row("enabled recovers", *CRASHED_FIRST, W("recovery", "enabled"), RUNNING,
             R("recovery", "enabled\n")),
        _row("recover when running", START, W("recovery", "recover"), RUNNING),
        _row("crash with recovery", START, CRASH, Step(("sleep", 0.5), "ok"), RUNNING, STOP, OFFLINE),
        _row("crash while offline", CRASH, Step(("sleep", 0.2), "ok"), OFFLINE),
        _row("recovery without the file", W("firmware", "gone.elf"), Step(("copy", "ok.elf", "gone.elf"), "ok"),
             NO_RECOVERY, START, CRASH, UNTIL_CRASHED, Step(("remove", "gone.elf"), "ok"),
             W("recovery", "recover"), OFFLINE, START, OFFLINE, W("state", "stop", "EINVAL")),
        _row("recovery with an empty file", W("firmware", "gone.elf"), Step(("copy", "ok.elf", "gone.elf"), "ok"),
             NO_RECOVERY, START, CRASH, UNTIL_CRASHED, Step(("copy", "empty", "gone.elf"), "ok"),
             W("recovery", "recover"), OFFLINE, START, OFFLINE, W("state", "stop", "EINVAL"),
             Step(("remove", "gone.elf"), "ok")),
        *(
            _row(f"the driver's start fails with {e}", F("start_error", e), W("state", "start", e), OFFLINE,
                 F("start_error", "0"), START)
            for e in ("EIO", "ETIMEDOUT", "EBUSY", "ENOMEM")
        ),
        _row("the driver's stop fails", START, F("stop_error", "EIO"), W("state", "stop", "EIO"), RUNNING,
             F("stop_error", "0")),
        _row("a stop that failed, again", START, F("stop_error", "EIO"), W("state", "stop", "EIO"),
             F("stop_error", "0"), STOP, OFFLINE),
        _row("a slow start", slow, Step(("behind start", "read", "state"), ["offline\n", "at once", 5]), RUNNING),
        _row("a slow start, firmware", slow,
             Step(("behind start", "write", "firmware", "x"), ["EBUSY", "waits", 5])),
        _row("a slow start, stop", slow, Step(("behind start", "write", "state", "stop"), [4, "waits", 5]), OFFLINE),
        _row("a slow start, start", slow, Step(("behind start", "write", "state", "start"), [5, "waits", 5]),
             STOP, RUNNING, STOP, OFFLINE),
        _row("a slow start, recovery", slow,
             Step(("behind start", "write", "recovery", "disabled"), [8, "at once", 5])),
        _row("a slow start, coredump", slow,
             Step(("behind start", "write", "coredump", "enabled"), [7, "at once", 5])),
        _row("unprivileged", *(
            Step(("unprivileged", "write", a, "x"), "EACCES")
            for a in ("state", "firmware", "recovery", "coredump", "name", "path", "debug:crash")
        ), Step(("unprivileged", "read", "state"), "offline\n"),
            Step(("unprivileged", "read", "debug:name"), "EACCES")),
        _row("unprivileged after chmod", Step(("chmod", "state", 0o666), "ok"),
             Step(("unprivileged", "write", "state", "start"), 5), RUNNING,
             Step(("chmod", "state", 0o644), "ok")),
    ]  # fmt: skip


def _debug() -> list[Row]:
    traced = W("firmware", "trace.elf")
    outside = W("firmware", "trace-outside.elf")
    return [
        _row("trace", traced, Step(("read", "debug:trace0"), "ENOENT"), START, R("debug:trace0", ""),
             STOP, Step(("read", "debug:trace0"), "ENOENT")),
        _row("two traces", W("firmware", "two-traces.elf"), START, R("debug:trace0", ""),
             R("debug:trace1", ""), Step(("read", "debug:trace2"), "ENOENT")),
        _row("trace when crashed", traced, *CRASHED_FIRST, R("debug:trace0", "")),
        _row("trace after stop", traced, START, Step(("outlives", "debug:trace0", "stop"), ["", "EIO"])),
        _row("trace outside memory", outside, START, R("debug:trace0", "Trace  not available\n")),
        _row("mode of trace", traced, START, Step(("stat", "debug:trace0"), "400 0")),
        _row("debugfs name", START, Step(("stat", "debug:name"), "400 0")),
        _row("crash, no number", W("debug:crash", "x", "EINVAL"), W("debug:crash", "", "EINVAL").but_simulated(0, "Linux does not hand empty writes to FUSE")),
        _row("crash, odd numbers", W("debug:crash", "0x1\n"), W("debug:crash", "99"),
             W("debug:crash", "-1", "EINVAL"), W("debug:crash", "99999999999", "ERANGE")),
        _row("debugfs recovery", R("debug:recovery", "enabled\n"), W("debug:recovery", "disabled\n"),
             R("recovery", "disabled\n"), W("debug:recovery", "e"), R("recovery", "enabled\n"),
             W("debug:recovery", "x", "EINVAL")),
        _row("debugfs coredump", R("debug:coredump", "disabled\n"), W("debug:coredump", "enabled"),
             R("coredump", "enabled\n"), W("debug:coredump", "x", "EINVAL")),
        _row("coredump", W("coredump", "enabled"), *CRASHED_FIRST, Step(("dumps",), []),
             W("recovery", "recover"), Step(("dumps",), ["\x7fELF"]), Step(("free dumps",), "ok"),
             Step(("sleep", 0.3), "ok"), Step(("dumps",), [])),
    ]  # fmt: skip


def _attached() -> list[Row]:
    attached, detached = (R("state", f"{s}\n") for s in ("attached", "detached"))
    detach = W("state", "detach")
    rows = (
        ("first state", detached, R("firmware", "rproc-dsp-fw\n")),
        ("firmware when detached", W("firmware", "ok.elf", "EBUSY")),
        ("stop when detached", W("state", "stop", "EINVAL"), detached),
        ("detach when detached", W("state", "detach", "EINVAL"), detached),
        ("attach and detach", START, attached, detach, detached),
        ("firmware when attached", START, R("firmware", "unknown\n"), W("firmware", "x", "EBUSY")),
        ("attach counts", START, START, detach, attached, detach, detached),
        ("stop when attached", START, STOP, OFFLINE),
        ("start after that", START, STOP, W("firmware", "ok.elf"), START, RUNNING, STOP, OFFLINE),
        ("crash when attached", NO_RECOVERY, START, CRASH, UNTIL_CRASHED, STOP, OFFLINE),
    )
    return [_row(f"detached: {name}", *steps, processor="detached") for name, *steps in rows]


ROWS = [*_words(), *_firmware(), *_path(), *_starts(), *_life(), *_debug(), *_attached()]
