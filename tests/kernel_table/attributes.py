"""Rows about reads and writes of attributes, the search for firmware, and checks of ELF files."""

from __future__ import annotations

from tests.kernel_table.steps import (
    CORE,
    CRASHED_FIRST,
    NO_RECOVERY,
    OFFLINE,
    RUNNING,
    START,
    R,
    Row,
    Step,
    W,
    row,
)


def words() -> list[Row]:
    rows = []
    for attribute, word, setup in (
        ("state", "start", ()),
        ("recovery", "enabled", ()),
        ("coredump", "inline", ()),
        ("state", "stop", (START,)),
        ("recovery", "recover", ()),
    ):
        for text, accepted in (
            ("{}", True),
            ("{}\n", True),
            ("{}\0", True),
            ("{}\n\n", False),
            (" {}", False),
            ("{} ", False),
            ("{}\r\n", False),
            ("x{}", False),
            ("{}x", False),
            ("{}\0x", True),
            ("{}\n\0", True),
            ("\n{}", False),
            ("\0{}", False),
        ):
            written = text.format(word)
            step = W(attribute, written, None if accepted else "EINVAL")
            rows.append(row(f"parse {attribute} {written!r}", *setup, step))
        in_capitals = W(attribute, word.upper(), "EINVAL")
        rows.append(row(f"parse {attribute} {word.upper()!r}", *setup, in_capitals))
        rows.append(
            row(
                f"partial writes {attribute} {word}",
                *setup,
                Step(("parts", attribute, word[:2], word[2:]), ["EINVAL", "EINVAL"]),
            )
        )
    for attribute in ("state", "firmware", "recovery", "coredump"):
        rows.append(row(f"empty write {attribute}", W(attribute, "", 0)))
        nothing = "EINVAL"
        rows.append(row(f"newline alone {attribute}", W(attribute, "\n", nothing)))
        rows.append(row(f"NUL alone {attribute}", W(attribute, "\0", nothing)))
        rows.append(row(f"4096 bytes {attribute}", *_long(attribute, 4096)))
        rows.append(row(f"5000 bytes {attribute}", *_long(attribute, 5000)))
    again = ["offline\n", "running\n"]
    rows += [
        row("pwrite at an offset", Step(("pwrite", "state", "start", 100), 5), RUNNING),
        row("append", Step(("open", "state", "append", "start"), 5), RUNNING),
        row("truncate", Step(("open", "state", "truncate", "start"), 5), RUNNING),
        row("truncate alone", Step(("truncate", "state"), "ok"), OFFLINE),
        row("writev is one write", Step(("writev", "state", "sta", "rt"), 5), RUNNING),
        row("second read is the end", Step(("reads", "state"), ["offline\n", "", "offline\n"])),
        row("pread at 0 refreshes", Step(("outlives", "state", "start"), again)),
        row("lseek refreshes", Step(("sought again", "state", "start"), again)),
        row("bytewise read", Step(("bytes", "firmware"), "ok.elf\n")),
        row("pread in the middle", Step(("pread", "state", 3), "line\n")),
        row("pread past the end", Step(("pread", "state", 100), "")),
        row("create", Step(("create", "nosuch"), "EACCES")),
        row("mkdir", Step(("mkdir", "nosuch"), "EPERM")),
        row("unlink", Step(("unlink", "state"), "EPERM")),
        row("rename", Step(("rename", "state", "other"), "EPERM")),
        row("missing", Step(("read", "nosuch"), "ENOENT")),
    ]
    return rows


def _long(attribute: str, count: int) -> tuple[Step, ...]:
    answer = min(count, 4096) if attribute == "firmware" else "EINVAL"
    return (Step(("write", attribute, "n" * count), answer),)


def firmware() -> list[Row]:
    rows = [
        row(
            "first values",
            *(
                R(a, v)
                for a, v in (
                    ("state", "offline\n"),
                    ("recovery", "enabled\n"),
                    ("coredump", "disabled\n"),
                    ("firmware", "ok.elf\n"),
                )
            ),
        ),
        *(
            row(f"mode and size of {a}", Step(("stat", a), f"{m} 4096"))
            for a, m in (
                ("state", "644"),
                ("firmware", "644"),
                ("recovery", "644"),
                ("coredump", "644"),
                ("name", "444"),
            )
        ),
        row("firmware with a newline inside", W("firmware", "a\nb"), R("firmware", "a\n")),
        row("firmware with a NUL inside", W("firmware", "a\0b"), R("firmware", "a\n")),
        row("firmware with spaces", W("firmware", " a b\n"), R("firmware", " a b\n"), START),
        row("firmware of 4094 bytes", W("firmware", "n" * 4094), R("firmware", "n" * 4094 + "\n")),
        row("firmware of 4095 bytes", W("firmware", "n" * 4095), R("firmware", "n" * 4095)),
        row("firmware of 5000 bytes", *_long("firmware", 5000), R("firmware", "n" * 4095)),
        row("name", R("name", "m4\n")),
        row("name is read-only", Step(("write", "name", "x"), "EACCES")),
    ]
    for state, first in (("running", (START,)), ("crashed", CRASHED_FIRST)):
        rows.append(row(f"firmware while {state}", *first, W("firmware", "ok.elf", "EBUSY")))
    for name, answer in (
        ("nosuch.elf", "ENOENT"),
        ("dangling.elf", "ENOENT"),
        ("/lib/firmware/ok.elf", "ENOENT"),
        ("loop.elf", "ELOOP"),
        ("ok.elf/x", "ENOTDIR"),
        ("empty", "EINVAL"),
        *((f"place-{number}.elf", 5) for number in range(1, 5)),
        ("is-directory", "EINVAL"),
        ("sub/x.elf", 5),
        ("./ok.elf", 5),
        ("sub//x.elf", 5),
        ("/ok.elf", 5),
        ("sub/../ok.elf", "EINVAL"),
        ("../outside.elf", "EINVAL"),
        ("..", "EINVAL"),
        ("x..y", "ENOENT"),
        ("link-out.elf", 5),
        ("mode-0000.elf", 5),
        ("n" * 251, 5),
        ("n" * 255, 5),
        ("m" * 252, "ENOENT"),
        ("m" * 253, "ENAMETOOLONG"),
        ("m" * 255, "ENAMETOOLONG"),
        ("m" * 256, "ENAMETOOLONG"),
        ("packed.elf", 5),
        ("first.elf", 5),
        ("a/" * 2000, "ENOENT"),
        ("a/" * 2040, "ENAMETOOLONG"),
    ):
        shown = name if len(name) < 40 else f"{name[:2]}... of {len(name)} bytes"
        rows.append(
            row(f"load {shown}", W("firmware", name), Step(("write", "state", "start"), answer))
        )
    start, fifo = ("state", "start"), W("firmware", "fifo")
    fed = Step(("meanwhile", *start, ("feed", "fifo")), ["ok", "EINVAL"])
    elsewhere = W("firmware", "only-elsewhere.elf")
    return [
        *rows,
        row("load a FIFO, be killed", fifo, Step(("killed write", *start), "blocked"), OFFLINE),
        row("load a FIFO, a signal", fifo, Step(("interrupted", "write", *start), "EINTR")),
        row("load a FIFO with a writer", fifo, fed),
        row("load from a chroot without it", Step(("elsewhere", "chroot", *start), 5)),
        row("load from a namespace without it", Step(("elsewhere", "namespace", *start), 5)),
        *(
            row(f"load what a {kind} has", elsewhere, Step(("elsewhere", kind, *start), "ENOENT"))
            for kind in ("chroot", "namespace")
        ),
    ]


def path() -> list[Row]:
    custom, first = W("firmware", "custom.elf"), W("firmware", "place-0.elf")
    missing = Step(("write", "state", "start"), "ENOENT")
    unset = W("path", "\0", 1)
    return [
        row("path comes first", Step(("path", "custom", ""), "ok"), first, START, unset),
        row("path that is relative", W("path", "lib/custom"), custom, START, unset),
        row("path of 255 bytes", W("path", "/" * 255), unset),
        row("path of 256 bytes", W("path", "/" * 256, "ENOSPC")),
        row("path found", Step(("path", "custom", ""), "ok"), custom, START, unset),
        row("path with a newline", Step(("path", "custom", "\n"), "ok"), custom, missing, unset),
        row("path reads back", W("path", "/x\n"), R("path", "/x\n\n"), unset, R("path", "\n")),
        row("path of a newline", W("path", "\n"), R("path", "\n\n"), START, unset),
        row("path of two", Step(("path", "custom", ":/x"), "ok"), custom, missing, unset),
        row("path, empty write", W("path", "/x"), W("path", "", 0), R("path", "/x\n"), unset),
        row("mode and size of path", Step(("stat", "path"), "644 4096")),
    ]


def starts() -> list[Row]:
    start = ("write", "state", "start")
    rows = []
    for name in (
        "text",
        "raw",
        "hex",
        "class-0.elf",
        "class-3.elf",
        "big-endian.elf",
        "tiny",
        "cut-header.elf",
        "cut-data.elf",
        "no-headers.elf",
        "headers-past-end.elf",
        "data-past-end.elf",
        "memsz-less.elf",
        "outside.elf",
        "spans-end.elf",
        "cut-trace.elf",
        "entry-past-end.elf",
        "devmem.elf",
    ):
        rows.append(row(f"start {name}", W("firmware", name), Step(start, "EINVAL"), OFFLINE))
    rows.append(
        row("start carveout-huge.elf", W("firmware", "carveout-huge.elf"), Step(start, "ENOMEM"))
    )
    for name in (
        "ok.elf",
        "dyn.elf",
        "rel.elf",
        "entry-outside.elf",
        "no-sections.elf",
        "no-load.elf",
        "table-version.elf",
        "table-reserved.elf",
        "table-cut.elf",
        "table-empty.elf",
        "vendor.elf",
        "unknown-entry.elf",
        "trace.elf",
        "trace-outside.elf",
    ):
        rows.append(row(f"start {name}", NO_RECOVERY, W("firmware", name), Step(start, 5)))
    for name in ("riscv.elf", "x86-64.elf", "elf64.elf"):
        step = Step(start, 5).but_simulated("EINVAL", CORE)
        rows.append(row(f"start {name}", W("firmware", name), step))
    return rows
