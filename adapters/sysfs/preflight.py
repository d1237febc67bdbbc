"""Checks firmware before the kernel loads it: the whole file, and its resource table."""

from __future__ import annotations

import os

from adapters.sysfs.attributes import read_attribute
from adapters.sysfs.policy import Policy
from domain.errors import FirmwareUnfit, HostFault, host_fault, reason
from domain.firmware import FirmwareImage

# imx_rproc on an i.MX93 dereferences NULL for firmware without a table after one that had one.
_REFUSE = (b"fsl,imx93-cm33",)
# imx_dsp_rproc refused it at first (EINVAL) and warns in newer kernels.
_WARN = (b"fsl,imx8qxp-hifi4", b"fsl,imx8qm-hifi4", b"fsl,imx8mp-hifi4", b"fsl,imx8ulp-hifi4")
_NO_TABLE = "add a .resource_table section, an empty table will do, or set the processor's policy"


def table_rule(processor: str) -> str:
    """Return the default rule of the processor in this sysfs directory.

    `refuse`, `warn` or `ignore`: what to do with firmware without a resource table.
    """
    try:
        compatible = read_attribute(f"{processor}/device/of_node/compatible").split(b"\0")
    except FileNotFoundError:
        return "ignore"  # no device tree
    except OSError as error:
        raise host_fault(f"cannot read what processor {processor} is", error) from error
    if any(word in _REFUSE for word in compatible):
        return "refuse"
    return "warn" if any(word in _WARN for word in compatible) else "ignore"


def check_firmware(firmware: FirmwareImage, policy: Policy, processor: str, name: str) -> str:
    """Return a warning, `` for none. Raises FirmwareUnfit, HostFault.

    `processor` is the processor's directory in sysfs, `name` its name.
    """
    if firmware.size > policy.size_limit:
        raise FirmwareUnfit(
            f"{firmware.name} has {firmware.size} bytes, over the limit of {policy.size_limit} "
            f"for processor {name}",
            hint="strip it of debug sections, or raise `size-limit` in the configuration",
        )
    rule = policy.resource_table
    if rule == "auto":
        rule = table_rule(processor)
    lack = _missing_table(firmware, policy)
    if not lack or rule == "ignore":
        return ""
    if rule == "refuse":
        raise FirmwareUnfit(f"{lack}, which processor {name} needs", hint=_NO_TABLE)
    return f"{lack}; processor {name} may need one"


def _missing_table(firmware: FirmwareImage, policy: Policy) -> str:
    """Check the whole file; return a message if it has no resource table, else ``."""
    from mmap import PROT_READ, mmap

    from domain.elf import read_elf
    from domain.resource_table import UnusableTable, parse

    try:
        descriptor = os.open(firmware.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if policy.images == "any" and os.pread(descriptor, 4, 0) != b"\x7fELF":
                return ""  # a format that only the driver knows
            data: mmap | bytes = mmap(descriptor, 0, prot=PROT_READ) if firmware.size else b""
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        word = reason(error) if isinstance(error, OSError) else "it is empty"
        raise HostFault(f"cannot read firmware {firmware.path}: {word}") from error
    facts = read_elf(data, firmware.name)
    if facts.resource_table is None:
        return f"{firmware.name} has no resource table"
    try:
        parse(facts.resource_table, firmware.name)
    except UnusableTable as error:
        return f"{error.message}, as good as none"
    return ""
