"""The key `mailbox` of a board file: what firmware and Linux ring each other with, for rpmsg.

machine: generic
mailbox:
  kind: stm32-ipcc                     # or imx-mu, imx-mu2 (i.MX 93), ti-mailbox
  address: 0x4c001000                  # of the registers, as the core sees them
  irqs: [103, 104]                     # of the NVIC: received, and sent if that is another one
  vrings: [0x10040000, 0x10041000]     # where queues are if the firmware lets the host choose
  buffers: {address: 0x10042000, size: 16K}    # 512 bytes each, as many both ways as a queue has
"""

from __future__ import annotations

from adapters.sim.generic_board import MOST_INTERRUPTS
from adapters.sim.spec import MAILBOXES, Mailbox

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from adapters.config.yaml_node import YamlNode
    from domain.compatibility import Region

_KEYS = ("kind", "address", "irqs", "vrings", "buffers")
_PAGE = 4096
_REGISTERS = 0x1000  # bytes, at most
_END = 1 << 32


def read_mailbox(keys: Mapping[str, YamlNode], memory: Sequence[Region], generic: str) -> Mailbox:
    """Return the mailbox of a processor of the board file. Raises InvalidRequest."""
    item = keys["mailbox"]
    if not generic.startswith("core "):
        item.fail("mailbox has an effect on a Cortex-M of machine generic alone", "take it out")
    for region in memory:
        if region.size % _PAGE or region.address % _PAGE:
            item.fail(f"memory {region.name!r} is no multiple of 4K, which a mailbox needs")
    found = item.mapping(_KEYS, _KEYS)
    address = found["address"].number()
    if address % 4 or address + _REGISTERS > _END:
        found["address"].fail(f"address {address:#x} is no register of 32 bits")
    irqs = tuple(each.number() for each in found["irqs"].items())
    if not 1 <= len(irqs) <= 2 or max(irqs) >= MOST_INTERRUPTS:
        found["irqs"].fail("irqs must be one or two lines of the NVIC")
    lines = int(generic.split()[2], 16)
    if max(irqs) >= lines:
        found["irqs"].fail(f"irqs: the core has {lines} interrupts")
    vrings = tuple(each.number() for each in found["vrings"].items())
    if len(vrings) != 2:
        found["vrings"].fail("vrings must be two addresses")
    place = found["buffers"].mapping(("address", "size"), ("address", "size"))
    buffers, size = place["address"].number(), place["size"].number(units=True)
    for at, length in ((buffers, size), *((vring, 1) for vring in vrings)):
        if not size or not any(region.holds(at, length) for region in memory):
            item.fail(f"{at:#x}, for vrings or buffers, is in no memory of the processor")
    return Mailbox(found["kind"].choice(MAILBOXES), address, irqs, vrings, buffers, size)
