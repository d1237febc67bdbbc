"""From the name of a firmware to a processor that runs it, with the kernel's rules and words.

Source: Linux 6.1 drivers/remoteproc/remoteproc_core.c (rproc_boot, rproc_fw_boot, rproc_start),
drivers/base/firmware_loader/main.c for what is said of files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from errno import EINVAL, ETIMEDOUT

from adapters.sim import loader
from adapters.sim.kernel_log import KernelLogWriter, number
from adapters.sim.qemu import QemuProcess
from adapters.sim.spec import InjectedFaults, ProcessorSpec, errno_of
from domain.errors import FirmwareUnfit, HostFault
from domain.resource_table import Trace

Finder = Callable[[str], bytes]
"""Returns the content of a firmware file by its name. Raises OSError."""


def failure(number: int, detail: str = "") -> OSError:
    """Return an OSError with the kernel's errno and more words than the kernel has."""
    return OSError(number, detail or os.strerror(number))


def request(name: str, find: Finder, log: KernelLogWriter) -> bytes:
    """Find a firmware file."""
    try:
        return find(name)
    except (OSError, HostFault) as error:
        if number(error) == EINVAL and ".." in name.split("/"):
            log.warning(f"Firmware load for '{name}' refused, path contains '..' component")
        else:
            log.warning(f"Direct firmware load for {name} failed with error -{number(error)}")
        log.failed("request_firmware failed", error)
        raise


def check(
    name: str, data: bytes, spec: ProcessorSpec, log: KernelLogWriter, *, again: bool
) -> tuple[Trace, ...]:
    """Return the trace buffers of a firmware that can be loaded; `again` in a recovery."""
    booting = f"Booting fw image {name}, size {len(data)}"
    try:
        traces = loader.check(data, spec, os.path.basename(name))
    except FirmwareUnfit as error:
        from adapters.sim import kernel_messages

        insane = kernel_messages.sanity(data)
        if not (insane or again):
            log.info(booting)
        for words in [insane] if insane else kernel_messages.later(data, spec.memory):
            log.error(words)
        raise failure(loader.errno_of(error), str(error)) from error
    if not again:
        log.info(booting)
    return traces


def meet(faults: InjectedFaults, what: str, log: KernelLogWriter) -> None:
    """Be as slow as the processor's faults want it, and fail if they do."""
    time.sleep(faults.start_delay)
    if faults.start_error:
        raise log.failed(what, failure(errno_of(faults.start_error), "an injected fault"))


def run(data: bytes, spec: ProcessorSpec, log: KernelLogWriter) -> QemuProcess:
    """Let a processor execute a firmware that was checked."""
    what = f"can't start rproc {spec.name}"
    file = loader.as_file(data)
    try:
        machine = QemuProcess(spec, file)
    except (OSError, HostFault) as error:
        log.failed(what, error)
        raise
    finally:
        os.close(file)
    if not machine.resume():
        machine.close()
        raise log.failed(what, failure(ETIMEDOUT, "the simulator (QEMU) does not answer"))
    return machine
