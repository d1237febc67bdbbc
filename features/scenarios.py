"""What a scenario needs that not every backend has.

The feature files are for hardware engineers; this file keeps for pytest what they need not read.
Rules are named by their codes, scenarios by their titles. features/test_style.py fails if a rule
or a scenario does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum


class Ability(Enum):
    """What not every backend has. The value completes the sentence: "this backend lacks ..."."""

    ANY_BOARD = "boards with exactly the processors that a scenario names"
    EMPTY_BOARD = "boards without processors"
    FAULTS = "processors that can be made to refuse or to be slow"
    REPAIRS = "faults that can be removed while a container exists"
    BOOT_LOADER = "processors that a boot loader has started"
    BOOT_LOADER_OUTPUT = "firmware of a boot loader that prints"
    KNOWN_CORE = "processors whose core the runtime knows"
    CORE_KNOWN_TO_DRIVER = "processors whose core only the driver knows"
    DRIVER_REMOVAL = "drivers that can be removed"

    SAMPLE_FIRMWARE = "the sample firmware of this project"
    FIRMWARE_ENDS = "firmware that can end by itself"
    EXIT_CODES = "exit codes of firmware"
    INPUT = "a console that takes input"

    CRASH = "a way to crash a processor from outside"
    CRASH_OF_A_KIND = "a way to crash a processor by a given kind of fault"
    CORE_DUMP = "core dumps"
    KERNEL_RECOVERY = "recovery by the kernel"
    KERNEL_LOG = "a kernel log"

    STATE_WITHOUT_RUNTIME = "a way to read a processor's state without the runtime"
    RELEASE_BY_KERNEL = "a kernel that stops the processor of a dead supervisor (/dev/remoteprocN)"
    NO_RELEASE_BY_KERNEL = "a kernel without /dev/remoteprocN"

    OTHER_USERS = "a way to start a processor without the runtime"
    OTHER_USERS_AT_ANY_TIME = "a way to start or stop a processor while a container uses it"

    FIRMWARE_DIRECTORY = "a firmware directory that can be made read-only or full"
    FIRMWARE_DIRECTORY_WATCH = "a way to watch the firmware directory"


EVERY_SCENARIO = "(every scenario)"

NEEDS: Mapping[str, Mapping[str, tuple[Ability, ...]]] = {
    "ATT001": {
        EVERY_SCENARIO: (Ability.BOOT_LOADER,),
        "The output of the boot loader's firmware is logged": (Ability.BOOT_LOADER_OUTPUT,),
    },
    "CON001": {
        EVERY_SCENARIO: (Ability.INPUT,),
        "A crash while the console is in use ends the container": (Ability.CRASH,),
        "Firmware that the kernel has recovered answers again": (Ability.KERNEL_RECOVERY,),
    },
    "COR001": {EVERY_SCENARIO: (Ability.CORE_DUMP,)},
    "DEP001": {
        "The list of processors shows each processor, its state and its container": (
            Ability.ANY_BOARD,
        ),
    },
    "DEP002": {
        EVERY_SCENARIO: (Ability.ANY_BOARD,),
        "On a board without processors, a deployment is refused": (Ability.EMPTY_BOARD,),
    },
    "DEP003": {
        "Where the runtime knows the core, firmware that <defect> is refused": (
            Ability.KNOWN_CORE,
        ),
        "Where only the driver knows the core, the start is refused": (
            Ability.CORE_KNOWN_TO_DRIVER,
        ),
    },
    "DRV001": {EVERY_SCENARIO: (Ability.DRIVER_REMOVAL,)},
    "EXI001": {
        "Firmware that <behaviour> without a stop ends with status <status>": (
            Ability.FIRMWARE_ENDS,
        ),
        "Firmware that <behaviour> gives the status and the reason": (Ability.EXIT_CODES,),
        "In the foreground, firmware that <behaviour> ends the command with exit status <status>": (
            Ability.EXIT_CODES,
        ),
    },
    "LOG001": {
        "The log can be read later": (Ability.SAMPLE_FIRMWARE,),
        "Each container has its own log": (Ability.SAMPLE_FIRMWARE,),
    },
    "ORP002": {
        "The kernel stops the processor at once": (Ability.RELEASE_BY_KERNEL,),
        "The next command stops the processor: <command>": (
            Ability.STATE_WITHOUT_RUNTIME,
            Ability.NO_RELEASE_BY_KERNEL,
        ),
    },
    "OWN001": {
        "A processor that runs another user's firmware is left alone": (Ability.OTHER_USERS,),
        "Deleting a container leaves another user's processor alone": (Ability.OTHER_USERS,),
    },
    "OWN002": {
        EVERY_SCENARIO: (Ability.OTHER_USERS_AT_ANY_TIME,),
        "A processor that another user is just starting is left alone": (Ability.FAULTS,),
    },
    "PUB001": {
        "Without a firmware directory that can be written, a container is refused": (
            Ability.FIRMWARE_DIRECTORY,
        ),
        "Without room in the firmware directory, a start is refused": (Ability.FIRMWARE_DIRECTORY,),
        "A firmware file is complete when it appears": (Ability.FIRMWARE_DIRECTORY_WATCH,),
        "A firmware file does not change until it is removed after the stop": (
            Ability.FIRMWARE_DIRECTORY_WATCH,
        ),
        "A firmware file does not change when the kernel recovers the processor": (
            Ability.FIRMWARE_DIRECTORY_WATCH,
            Ability.KERNEL_RECOVERY,
        ),
    },
    "REC001": {
        "A crash by <kind> ends the container": (
            Ability.CRASH_OF_A_KIND,
            Ability.STATE_WITHOUT_RUNTIME,
        ),
        "With recovery by the kernel, a crash does not end the container": (
            Ability.KERNEL_RECOVERY,
        ),
        "Each recovery is reported": (Ability.KERNEL_RECOVERY, Ability.KERNEL_LOG),
        "The output of recovered firmware is also logged": (Ability.KERNEL_RECOVERY,),
        "Recovered firmware can be stopped": (Ability.KERNEL_RECOVERY,),
    },
    "STA001": {
        "A start that the driver refuses fails with the driver's reason": (Ability.FAULTS,),
        "A refused start does not prevent the next start": (Ability.FAULTS,),
    },
    "STA002": {
        "A crash ends the container without a command": (Ability.CRASH,),
    },
    "STA003": {
        "A start returns when the processor runs, even after a long time": (Ability.FAULTS,),
        "A container whose stop the driver refuses runs on": (Ability.REPAIRS,),
        "A stop succeeds after the driver refused an earlier one": (Ability.REPAIRS,),
        "A delete by force fails as long as the driver refuses to stop": (Ability.REPAIRS,),
    },
}

# The runtime decides these before any processor starts, so that a slow kernel can leave them out:
# pytest -m "not before_any_kernel".
BEFORE_ANY_KERNEL: Mapping[str, frozenset[str]] = {
    "DEP002": frozenset(
        (
            "On a board with several processors, a deployment must name one",
            "A processor that the board does not have is refused",
            "On a board without processors, a deployment is refused",
        )
    ),
    "POL001": frozenset(
        (
            "What the configuration does not allow is refused: <annotation> = <value>",
            "A processor that the configuration gives to others is refused",
            "Under Podman, an image cannot choose a processor that takes no annotations of images",
        )
    ),
    "SIG001": frozenset(
        (
            "Firmware that is <kind> is refused",
            "Firmware whose digest the configuration does not list is refused",
        )
    ),
    "HOS001": frozenset(
        (
            "Firmware that is a link to <target> of the host is refused",
            "A link to good firmware outside the image is refused: <way>",
            "An entry point that leads out of the image is refused: <path>",
            "Firmware that is a FIFO does not block the runtime",
            "Firmware that is a directory is refused",
            "A file name with a line break does not add a line to the log",
            "An image without an entry point is refused",
            "A container id with forbidden characters is refused: <id>",
            "An unknown annotation of the runtime is refused",
            "Annotations for other programs are ignored",
        )
    ),
}


def needs(rule: str, title: str) -> list[Ability]:
    """Return what a scenario needs."""
    of_rule = NEEDS.get(rule, {})
    return [*of_rule.get(EVERY_SCENARIO, ()), *of_rule.get(title, ())]


def before_any_kernel(rule: str, title: str) -> bool:
    """Return whether the runtime decides a scenario before any processor starts."""
    return title in BEFORE_ANY_KERNEL.get(rule, ())


def named() -> Iterable[tuple[str, str]]:
    """Return rule and title of each scenario that is named here."""
    for rule, titles in (*NEEDS.items(), *BEFORE_ANY_KERNEL.items()):
        yield from ((rule, title) for title in titles)
