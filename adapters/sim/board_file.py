"""Board files: the YAML that says which processors a simulated board has.

    processors:
      - name: m4                  # what the kernel would call it
        core: cortex-m4           # a key of CORES in adapters/sim/spec.py, or none
        machine: mps2-an386       # the argument of QEMU's -M
        memory:                   # where firmware may be loaded, as the core sees it
          - {name: code, address: 0x0, size: 4M}
        console: uart             # the machine's first one; or uart2, ..., or none
        options: []               # further arguments for QEMU
        generic: {...}            # of machine generic alone: see adapters/sim/generic_board.py
        mailbox: {...}            # the same, for rpmsg: see adapters/sim/mailbox_board.py
        boot: off                 # or detached, attached: a boot loader started the core
        crashes: shown            # or logged: remoteproc-sim's driver only logs a crash, as TI's do
        faults: {start-delay: 0.5, start-error: EIO, stop-error: EBUSY, crash-after: 2}
      - {name: dsp, core: none, faults: {end-after: 2, exit-code: 3}}

A processor of `core: none` executes nothing, needs no QEMU and boots at once: for tests of
deployment, and for benchmarks. It prints nothing and runs until it is stopped or an injected fault
ends it. Firmware is checked as the kernel checks it. The processor takes code for any core, since
it executes none. Without `memory` it takes segments at any address. `machine`, `console` and
`options` are errors, since they are for QEMU.

After `end-after` seconds the firmware of any core ends by itself with `exit-code`, which is 0 if it
is not given. (remoteproc-sim shows no exit code: the kernel has no file for one.)

What is not understood is an error that names file, line and key.
"""

from __future__ import annotations

import os

from adapters.config.parsed_cache import read_parsed
from adapters.sim.spec import CORES, NO_CORE, InjectedFaults, ProcessorSpec
from domain.compatibility import Region
from domain.errors import InvalidRequest, NotFound
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from adapters.config.yaml_node import YamlNode

_FOR_QEMU = ("machine", "console", "options")
_GENERIC = "generic"  # the machine that a board file describes itself
_CONSOLES = ("uart", *(f"uart{number}" for number in range(1, 9)), "none")
_LARGEST_EXIT_CODE = 255

SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boards")


class BoardSpec(NamedTuple):
    """A board: its name, the real path of its file, its processors in the kernel's order."""

    name: str
    path: str
    processors: Sequence[ProcessorSpec]


def load_board(reference: str, directory: str = "", cache: str = "") -> BoardSpec:
    """Read a board: a shipped one by its bare name, else a file, relative to `directory`.

    `cache` is that of adapters.config.parsed_cache. Raises NotFound, and InvalidRequest with
    file, line and key of a mistake.
    """
    shipped = "/" not in reference and not reference.endswith((".yaml", ".yml"))
    path = os.path.join(*((SHIPPED, f"{reference}.yaml") if shipped else (directory, reference)))
    real = os.path.realpath(path)

    def parse(text: str) -> list[dict[str, Any]]:
        processors = parse_board(text, real).processors
        if not shipped:
            from adapters.sim.memory_map import check_memory_maps

            check_memory_maps(processors, real, cache and f"{cache}-memory")
        return [spec.to_json() for spec in processors]

    def build(values: Sequence[dict[str, Any]]) -> BoardSpec:
        return _board(real, [ProcessorSpec.from_json(value) for value in values])

    try:
        return read_parsed(path, cache, parse, build)
    except OSError as error:
        if shipped:
            names = sorted(name.removesuffix(".yaml") for name in os.listdir(SHIPPED))
            known = f"shipped are {', '.join(names)}; a path has a slash or ends in .yaml"
            raise NotFound(f"no board is called {reference!r}", hint=known) from None
        raise NotFound(f"cannot read board file {path}: {error.strerror}") from error


def parse_board(text: str, path: str) -> BoardSpec:
    """Parse a board file's text; `path` names it in errors. Raises InvalidRequest."""
    from adapters.config.yaml_node import compose

    root = compose(text, path, "the board")
    if root is None:
        raise InvalidRequest(f"{path}:1: is empty", hint="list the board's `processors`")
    board = root.mapping(("processors",), ("processors",))
    processors = [_processor(item) for item in board["processors"].items()]
    seen: dict[str, int] = {}
    for item, spec in zip(board["processors"].items(), processors, strict=True):
        if spec.name in seen:
            item.fail(f"processor {spec.name!r} is there already, in line {seen[spec.name]}")
        seen[spec.name] = item.line
    return _board(path, processors)


def _board(path: str, processors: Sequence[ProcessorSpec]) -> BoardSpec:
    name = os.path.basename(path).removesuffix(".yaml").removesuffix(".yml")
    return BoardSpec(name, path, tuple(processors))


def _processor(item: YamlNode) -> ProcessorSpec:
    known = (
        "name",
        "core",
        *_FOR_QEMU,
        "memory",
        "faults",
        "boot",
        "crashes",
        "generic",
        "mailbox",
    )
    keys = item.mapping(known, ("name", "core"))
    core = keys["core"].choice((*CORES, NO_CORE))
    if core != NO_CORE:
        item.mapping(known, ("machine", "memory"))
    else:
        for key in _FOR_QEMU:
            if key in keys:
                keys[key].fail(f"{key} has no effect on core {NO_CORE!r}", "take the key out")
    machine = keys["machine"].name() if "machine" in keys else ""
    generic = ""
    if machine == _GENERIC or _GENERIC in keys:
        from adapters.sim.generic_board import describe

        generic = describe(item, keys, machine == _GENERIC)
    memory = _memory(keys["memory"], bool(generic)) if "memory" in keys else ()
    mailbox = None
    if "mailbox" in keys:
        from adapters.sim.mailbox_board import read_mailbox

        mailbox = read_mailbox(keys, memory, generic)
    return ProcessorSpec(
        name=keys["name"].name(),
        core=core,
        machine=machine,
        generic=generic,
        memory=memory,
        mailbox=mailbox,
        console=keys["console"].choice(_CONSOLES) if "console" in keys else "uart",
        options=tuple(o.text() for o in keys["options"].items()) if "options" in keys else (),
        faults=_faults(keys["faults"]) if "faults" in keys else InjectedFaults(),
        boot=keys["boot"].choice(("off", "detached", "attached")) if "boot" in keys else "off",
        crashes=keys["crashes"].choice(("shown", "logged")) if "crashes" in keys else "shown",
    )


def _memory(value: YamlNode, generic: bool) -> tuple[Region, ...]:
    from adapters.config.yaml_node import ADDRESS_END

    regions: list[Region] = []
    for item in value.items():
        needed = ("name", "address", "size")
        keys = item.mapping((*needed, "alias-of") if generic else needed, needed)
        region = Region(
            keys["name"].name(), keys["address"].number(), keys["size"].number(units=True)
        )
        if not region.size or region.address + region.size > ADDRESS_END:
            keys["size"].fail(f"size of memory {region.name!r} is out of range")
        for other in regions:
            if (
                region.address < other.address + other.size
                and other.address < region.address + region.size
            ):
                item.fail(f"memory {region.name!r} overlaps memory {other.name!r}")
        regions.append(region)
    return tuple(regions)


def _faults(value: YamlNode) -> InjectedFaults:
    keys = value.mapping(
        ("start-delay", "start-error", "stop-error", "crash-after", "end-after", "exit-code"), ()
    )
    end_after = keys["end-after"].seconds() if "end-after" in keys else 0.0
    exit_code = keys["exit-code"].number() if "exit-code" in keys else 0
    if exit_code > _LARGEST_EXIT_CODE:
        keys["exit-code"].fail(f"exit-code {exit_code} is over {_LARGEST_EXIT_CODE}")
    if exit_code and not end_after:
        keys["exit-code"].fail("exit-code has no effect without end-after")
    return InjectedFaults(
        start_delay=keys["start-delay"].seconds() if "start-delay" in keys else 0.0,
        start_error=keys["start-error"].errno() if "start-error" in keys else "",
        stop_error=keys["stop-error"].errno() if "stop-error" in keys else "",
        crash_after=keys["crash-after"].seconds() if "crash-after" in keys else 0.0,
        end_after=end_after,
        exit_code=exit_code,
    )
