"""The key `generic` of a board file: a vendor's memory map, simulated by QEMU as far as it goes.

    - name: m7
      core: cortex-m7              # Cortex-M, -R or -A
      machine: generic
      memory:
        - {name: itcm, address: 0x0, size: 128K}
        - {name: ocram, address: 0x20200000, size: 128K, alias-of: 0x900000}   # the same memory
      generic:
        interrupts: 160            # Cortex-M: lines of the NVIC; 240 if not given
        vectors: 0x0               # Cortex-M: where it reads its vectors; 0 if not given
        clock: 800000000           # Cortex-M: Hz of SysTick; 100 MHz if not given
        registers:                 # they read as what was written, before that as 0
          - {address: 0x30000000, size: 256M}
        constants: {0x30360098: 0x190032}   # registers that always read as this
        uarts:                     # all of them print on the console; the first gets the input
          - address: 0x30890000
            size: 64K
            transmit: 0x40         # offset of the register into which bytes are written
            receive: 0x0           # offset of the register from which bytes are read
            receive-bits: 0x8000   # bits that a received byte is read with
            idle: {0x94: 0x2000}   # status registers by offset, while nothing was received
            received: {0x94: 0x2200}        # the same while there is a byte; as idle if not given
            latch: {0xc: 0x80}     # while such a bit is set, both registers are others
            interrupt: 29          # Cortex-M: high while there is a byte

Memory hides UARTs, and UARTs hide registers, where they overlap.
"""

from __future__ import annotations

from adapters.config.yaml_node import YamlNode
from adapters.sim.spec import CORES
from domain.compatibility import Region
from domain.elf import EM_AARCH64, EM_ARM

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LAST = 0xFFFFFFFF
_NOWHERE = 0xFFFFFFFF
_INTERRUPTS = 240
MOST_INTERRUPTS = 480
_HERTZ = 100_000_000
_MOST = 64  # UARTs, constants, areas of registers
_STATES = 8  # status registers of one UART
_CORE_KEYS = ("interrupts", "vectors", "clock")
_MEMORY_KEYS = ("name", "address", "size")
_UART_KEYS = (
    *("address", "size", "transmit", "receive", "receive-bits"),
    *("idle", "received", "latch", "interrupt"),
)


def describe(item: YamlNode, keys: Mapping[str, YamlNode], named: bool) -> str:
    """Return the description that generic-machine.so takes, of a processor of the board file.

    `named`: its machine is `generic`. Raises InvalidRequest.
    """
    if not named:
        keys["generic"].fail("generic has no effect on another machine", "write machine: generic")
    if "generic" not in keys:
        item.fail("machine generic lacks the key 'generic'")
    core = CORES.get(keys["core"].text())
    if core is None or core.core.machine not in (EM_ARM, EM_AARCH64):
        keys["core"].fail(
            f"machine generic has no core {keys['core'].text()!r}", "take an Arm core"
        )
    mapping = keys["generic"].mapping((*_CORE_KEYS, "registers", "constants", "uarts"), ())
    parts = [_core(core.model, mapping)] if core.has_vectors else []
    for key in () if core.has_vectors else _CORE_KEYS:
        if key in mapping:
            mapping[key].fail(f"{key} has no effect on {core.core.name}", "take the key out")
    parts += _memory(keys["memory"])
    for each in _few(mapping, "registers"):
        address, size = _place(each.mapping(("address", "size"), ("address", "size")))
        parts.append(f"registers {address:x} {size:x}")
    if "constants" in mapping:
        constants = _numbers(mapping["constants"], _MOST)
        parts += (f"constant {at:x} {value:x}" for at, value in constants)
    for each in _few(mapping, "uarts"):
        parts += _uart(each, core.has_vectors)
    return ";".join(parts)


def _few(keys: Mapping[str, YamlNode], key: str) -> Sequence[YamlNode]:
    items = keys[key].items() if key in keys else []
    if len(items) > _MOST:
        keys[key].fail(f"{key} has more than {_MOST} items")
    return items


def _core(model: str, keys: Mapping[str, YamlNode]) -> str:
    interrupts = keys["interrupts"].number() if "interrupts" in keys else _INTERRUPTS
    vectors = keys["vectors"].number() if "vectors" in keys else 0
    hertz = keys["clock"].number() if "clock" in keys else _HERTZ
    if not 0 < interrupts <= MOST_INTERRUPTS:
        keys["interrupts"].fail(f"interrupts {interrupts} is not 1 to {MOST_INTERRUPTS}")
    if vectors % 128 or vectors > _LAST:
        keys["vectors"].fail(f"vectors {vectors:#x} is no multiple of 128")
    if not 0 < hertz <= 10_000_000_000:
        keys["clock"].fail(f"clock {hertz} is not 1 to 10000000000")
    return f"core {model}-arm-cpu {interrupts:x} {vectors:x} {hertz:x}"


def _memory(memory: YamlNode) -> Iterator[str]:
    real: list[Region] = []
    aliases: list[tuple[YamlNode, int, int]] = []
    for each in memory.items():
        keys = each.mapping((*_MEMORY_KEYS, "alias-of"), _MEMORY_KEYS)
        address, size = _place(keys)
        if "alias-of" in keys:
            aliases.append((keys["alias-of"], address, size))
        else:
            real.append(Region("", address, size))
            yield f"ram {address:x} {size:x} {address:x}"
    for node, address, size in aliases:
        other = node.number()
        if not any(region.holds(other, size) for region in real):
            node.fail(f"alias-of {other:#x}: there is no memory of {size:#x} bytes")
        yield f"ram {address:x} {size:x} {other:x}"


def _place(keys: Mapping[str, YamlNode]) -> tuple[int, int]:
    address, size = keys["address"].number(), keys["size"].number(units=True)
    if not size or address + size > _LAST + 1:
        keys["size"].fail(f"size {size:#x} at {address:#x} is out of range")
    return address, size


def _numbers(values: YamlNode, most: int) -> Iterator[tuple[int, int]]:
    pairs = values.pairs()
    if len(pairs) > most:
        values.fail(f"{values.key} has more than {most} registers")
    for key, value in pairs.items():
        try:
            at = int(key, 0)
        except ValueError:
            value.fail(f"{key!r} is no address or offset", "write one such as 0x94")
        if not 0 <= at <= _LAST or at % 4 or value.number() > _LAST:
            value.fail(f"{key}: {value.text()} is no register of 32 bits", "use multiples of 4")
        yield at, value.number()


def _uart(item: YamlNode, vectored: bool) -> Iterator[str]:
    keys = item.mapping(_UART_KEYS, ("address", "size", "transmit"))
    address, size = _place(keys)
    line = -1
    if "interrupt" in keys:
        line = keys["interrupt"].number()
        if not vectored or line >= MOST_INTERRUPTS:
            keys["interrupt"].fail("interrupt must be a line of a Cortex-M's NVIC")
    for key in ("transmit", "receive"):
        if key in keys and keys[key].number() >= size:
            keys[key].fail(f"{key} {keys[key].text()} is outside of the UART")
    receive = keys["receive"].number() if "receive" in keys else _NOWHERE
    yield f"uart {address:x} {size:x} {keys['transmit'].number():x} {receive:x} {line}"
    idle = dict(_numbers(keys["idle"], _STATES)) if "idle" in keys else {}
    received = dict(_numbers(keys["received"], _STATES)) if "received" in keys else {}
    if len({**idle, **received}) > _STATES:
        keys["received"].fail(f"a UART has at most {_STATES} status registers")
    for at in {**idle, **received}:
        first = idle.get(at, 0)
        yield f"status {at:x} {first:x} {received.get(at, first):x}"
    if "latch" in keys:
        for at, bits in _numbers(keys["latch"], 1):
            if at >= size:
                keys["latch"].fail(f"latch {at:#x} is outside of the UART")
            yield f"latch {at:x} {bits:x}"
    if "receive-bits" in keys:
        yield f"with {keys['receive-bits'].number() & _LAST:x}"
