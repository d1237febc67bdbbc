"""Boots a simulated processor from the name of a firmware file, as the kernel boots a real one.

Source: Linux 6.1 drivers/remoteproc/remoteproc_core.c (rproc_boot, rproc_fw_boot, rproc_start),
drivers/base/firmware_loader/main.c for the log messages about files.
"""

from __future__ import annotations

import os
import time
from errno import EINVAL, ETIMEDOUT

from adapters.sim import loader
from adapters.sim.idle_execution import IdleExecution
from adapters.sim.kernel_log import KernelLogWriter, error_number
from adapters.sim.spec import NO_CORE, InjectedFaults, ProcessorSpec, errno_of
from domain.errors import FirmwareUnfit, HostFault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sim.execution import Execution
    from adapters.sim.qemu_users import QemuUsers

    Finder = Callable[[str], int]
    """Returns a descriptor of a firmware file, which nobody changes, by the firmware's name.

    The caller closes the descriptor. Raises OSError.
    """


def os_error(number: int, detail: str = "") -> OSError:
    """Return an OSError with the kernel's errno; `detail` is text that the kernel does not have."""
    return OSError(number, detail or os.strerror(number))


def request_firmware(name: str, find: Finder, log: KernelLogWriter) -> int:
    """Return what `find` returns; log its error."""
    try:
        return find(name)
    except (OSError, HostFault) as error:
        if error_number(error) == EINVAL and ".." in name.split("/"):
            log.warning(f"Firmware load for '{name}' refused, path contains '..' component")
        else:
            log.warning(f"Direct firmware load for {name} failed with error -{error_number(error)}")
        log.failed("request_firmware failed", error)
        raise


def check_firmware(
    name: str, data: loader.Content, spec: ProcessorSpec, log: KernelLogWriter, *, recovering: bool
) -> loader.Resources:
    """Return the resources of a firmware, having checked that it can be loaded.

    `recovering`: the kernel loads it again after a crash, and logs less. Raises OSError.
    """
    booting = f"Booting fw image {name}, size {len(data)}"
    try:
        resources = loader.check_firmware(data, spec, os.path.basename(name))
    except FirmwareUnfit as error:
        from adapters.sim import kernel_messages

        sanity_error = kernel_messages.sanity_error(data)
        if not sanity_error and isinstance(error, loader.WrongCore):
            sanity_error = error.message  # the kernel itself would load it
        if not (sanity_error or recovering):
            log.info(booting)
        for words in (
            [sanity_error] if sanity_error else kernel_messages.load_errors(data, spec.memory)
        ):
            log.error(words)
        raise os_error(loader.kernel_errno(error), str(error)) from error
    if not recovering:
        log.info(booting)
    return resources


def inject_fault(faults: InjectedFaults, what: str, log: KernelLogWriter) -> None:
    """Wait for the injected start delay; raise the injected start error, if there is one."""
    time.sleep(faults.start_delay)
    if faults.start_error:
        raise log.failed(what, os_error(errno_of(faults.start_error), "an injected fault"))


def execute(file: int, spec: ProcessorSpec, log: KernelLogWriter, users: QemuUsers) -> Execution:
    """Start to execute the checked firmware in the file. Raises OSError, HostFault."""
    if spec.core == NO_CORE:
        return IdleExecution()
    from adapters.sim.qemu import QemuProcess  # the commands, which only check, do not need it

    what = f"can't start rproc {spec.name}"
    try:
        qemu = QemuProcess(spec, file, users)
    except (OSError, HostFault) as error:
        log.failed(what, error)
        raise
    if not qemu.resume():
        qemu.close()
        raise log.failed(what, os_error(ETIMEDOUT, "the simulator (QEMU) does not answer"))
    if qemu.rpmsg and qemu.rpmsg.device:
        log.rpmsg_is_online()
    return qemu
