"""Checks of the processors, and of what the kernel shows of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from domain.diagnosis.finding import FAIL, OK, WARN, Finding
from domain.diagnosis.host import Host, ProcessorFacts
from domain.processor import DRIVERS_OWN, NOT_THIS_USERS, ProcessorState

_TAKE = (
    "the kernel has started it at boot, or another program: annotation remoteproc.attached = "
    "`replace` stops it first, and `borrow` starts it again at the end, if the configuration allows"
)
_STATES = {
    "offline": (OK, "free", ""),
    "running": (WARN, "it runs firmware that no container started", _TAKE),
    "attached": (
        WARN,
        "it runs the boot loader's firmware",
        "annotation remoteproc.attached: `take` replaces it, `keep` keeps it; the configuration "
        "must allow the value",
    ),
    "detached": (
        WARN,
        "the boot loader has started it, and the kernel does not watch it",
        "annotation remoteproc.attached: `take` or `keep`; the configuration must allow the value",
    ),
    "crashed": (
        WARN,
        "its firmware has crashed",
        "a start begins anew after: echo stop >/sys/class/remoteproc/{device}/state",
    ),
    "suspended": (WARN, "it is suspended", "resume the system, or see its driver"),
}
# Source: Linux drivers/remoteproc/ti_k3_r5_remoteproc.c.
_R5 = (
    "in split mode start core 0 of a cluster first and stop it last (else EPERM); a core that the "
    "boot loader started can only be kept; a crash is only logged, so /dev/kmsg must be readable"
)


def processors(host: Host) -> Iterator[Finding]:
    """There are processors, each can be controlled and named, and is free."""
    if host.board.problem:
        yield Finding(FAIL, "processors", host.board.problem, "see the kernel's log")
        return
    if not host.board.processors:
        yield Finding(
            FAIL,
            "processors",
            "this board has no remote processors",
            "load the kernel's remoteproc driver, check the device tree, or configure "
            "`backend: sim`",
        )
    for each in host.board.processors:
        yield from _processor(each, host.board.backend)
    for name, times in Counter(each.name for each in host.board.processors).items():
        if times > 1:
            there = " or ".join(
                p.parent or p.device for p in host.board.processors if p.name == name
            )
            text = f"{times} processors are named {name}"
            yield Finding(WARN, "processors", text, f"name {there} in remoteproc.name")


def _processor(each: ProcessorFacts, backend: str) -> Iterator[Finding]:
    subject = f"{each.name} ({each.device})"
    if each.read_only:
        advice = "another driver owns it: use that driver, or keep it from binding"
        yield Finding(WARN, subject, DRIVERS_OWN, advice)
    elif not each.writable:
        advice = "run as root, or let this user write the attributes (docs/rootless.md)"
        yield Finding(WARN, subject, NOT_THIS_USERS, advice)
    if each.owner:
        yield Finding(OK, subject, f"{each.state}, container {each.owner} has it")
    elif each.left_by:
        advice = f"remoteproc-runtime release {each.device}"
        text = f"{each.state}, left by {each.left_by}, whose supervisor died"
        yield Finding(WARN, subject, text, advice)
    else:
        known = ProcessorState(each.state).known
        odd = f"its state is {each.state}" + ("" if known else ", which is unknown here")
        level, text, advice = _STATES.get(each.state, (WARN, odd, "see its driver"))
        yield Finding(level, subject, text, advice.format(device=each.device))
    if backend != "sysfs":
        return
    if each.recovery or each.coredump:
        text = f"recovery {each.recovery or '-'}, coredump {each.coredump or '-'}"
        yield Finding(OK, subject, text)
    if not each.character_device:
        text = f"there is no /dev/{each.device}"
        advice = "if a supervisor is killed, its firmware runs until the next command"
        yield Finding(WARN, subject, text, advice)
    if each.name.endswith(".r5f"):
        yield Finding(WARN, subject, "a core of a TI K3 R5F cluster", _R5)


def debugfs(host: Host) -> Iterator[Finding]:
    """Trace buffers can be read."""
    advice = "mount -t debugfs debugfs /sys/kernel/debug; without it logs have no trace output"
    yield from _of_the_kernel(host, "debugfs", host.board.debugfs_problem, "mounted", advice)


def kernel_log(host: Host) -> Iterator[Finding]:
    """The kernel's reasons can be told, and crashes noticed at once."""
    advice = "errors come without the kernel's words, and the state is read ten times a second"
    yield from _of_the_kernel(host, "kernel log", host.board.log_problem, "readable", advice)


def _of_the_kernel(
    host: Host, subject: str, problem: str, fine: str, advice: str
) -> Iterator[Finding]:
    if host.board.backend == "sysfs":
        yield Finding(WARN, subject, problem, advice) if problem else Finding(OK, subject, fine)
