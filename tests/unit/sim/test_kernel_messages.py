"""The simulated kernel logs the lines that Linux 6.1 was seen to log.

Left out are lines of distributions (`firmware: direct-loading`), of drivers (`no usable resource
table`), and of parent devices.
"""

import errno
import time

import pytest

from adapters.sim.board_file import load_board
from adapters.sim.loader import to_memfd
from adapters.sim.remoteproc import RemoteProc
from adapters.sim.spec import InjectedFaults
from domain.compatibility import Region
from domain.processor import RUNNING
from tests.elf_builder import FLASH, Load, elf, resource_table, vdev
from tests.kernel_table.images import IMAGES

LEVELS = {3: "err", 4: "warn", 6: "info"}
MEMORY = (Region("code", 0, 0x100000), Region("data", 0x2000_0000, 0x100000))
RESOURCES = "err Failed to process resources: -22"
VRING = (0xFFFF_FFFF, 4096, 8)
SEGMENTS = "err Failed to load program segments: -22"


class Bench:
    """A processor with given firmware files, and the log of all its messages."""

    def __init__(self, files, boot="off", **faults):
        self.files = files
        self.lines = []
        spec = load_board("cortex-m3").processors[0]
        spec = spec._replace(name="m4", memory=MEMORY, faults=InjectedFaults(**faults), boot=boot)
        self.rproc = RemoteProc(spec, self.find, self.printk)
        self.news()

    def find(self, name):
        if ".." in name:
            raise OSError(errno.EINVAL, "")
        if name not in self.files:
            raise OSError(errno.ENOENT, "")
        return to_memfd([self.files[name]])

    def printk(self, level, text, device=""):
        self.lines.append(f"{LEVELS[level]} {text}")

    def news(self):
        news, self.lines = self.lines, []
        return news

    def start(self, name="ok.elf"):
        self.rproc.write_firmware(name)
        self.rproc.write_state("start")
        return self.news()

    def refused(self, name="ok.elf"):
        with pytest.raises(OSError) as caught:
            self.start(name)
        assert self.rproc.state == "offline"
        return caught.value.errno, self.news()


@pytest.fixture
def make():
    made = []

    def make(files=IMAGES, **more):
        made.append(Bench(files, **more))
        return made[-1]

    yield make
    for bench in made:
        if bench.rproc.execution:
            bench.rproc.execution.close()


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("text", 22, ["err Image is corrupted (bad magic)"]),
        ("raw", 22, ["err Image is corrupted (bad magic)"]),
        ("hex", 22, ["err Image is corrupted (bad magic)"]),
        ("class-0.elf", 22, ["err Unsupported class: 0"]),
        ("class-3.elf", 22, ["err Unsupported class: 3"]),
        ("big-endian.elf", 22, ["err Unsupported firmware endianness"]),
        ("tiny", 22, ["err Image is too small"]),
        ("cut-header.elf", 22, ["err Image is too small"]),
        ("no-headers.elf", 22, ["err No loadable segments"]),
        ("headers-past-end.elf", 22, ["err Firmware size is too small"]),
        ("cut-data.elf", 22, ["booting", "err truncated fw: need 0x94 avail 0x64", SEGMENTS]),
        ("data-past-end.elf", 22,
         ["booting", "err truncated fw: need 0x1054 avail 0x94", SEGMENTS]),
        ("memsz-less.elf", 22, ["booting", "err bad phdr filesz 0x40 memsz 0x8", SEGMENTS]),
        ("outside.elf", 22, ["booting", "err bad phdr da 0x60000000 mem 0x4", SEGMENTS]),
        ("spans-end.elf", 22, ["booting", "err bad phdr da 0x20000000 mem 0x100001", SEGMENTS]),
        ("cut-trace.elf", 22, ["booting", "err trace rsc is truncated", RESOURCES]),
        ("entry-past-end.elf", 22, ["booting", "err rsc table is truncated", RESOURCES]),
        ("devmem.elf", 22, ["booting", RESOURCES]),
        ("carveout-huge.elf", 12,
         ["booting", "err Unable to allocate carveout huge: -12",
          "err Failed to allocate associated carveouts: -12"]),
    ],
)  # fmt: skip
def test_firmware_is_refused_in_the_kernels_words(make, name, number, words):
    booting = f"info Booting fw image {name}, size {len(IMAGES[name])}"
    words = [booting if line == "booting" else line for line in words]
    assert make().refused(name) == (
        number,
        ["info powering up m4", *words, f"err Boot failed: -{number}"],
    )


def test_the_cores_driver_refuses_firmware_for_another_core(make):
    number, lines = make().refused("riscv.elf")
    assert number == errno.EINVAL
    assert lines == [
        "info powering up m4",
        "err riscv.elf is 32-bit RISC-V code, but cortex-m3 executes 32-bit ARM code",
        "err Boot failed: -22",
    ]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (vdev(VRING, VRING, VRING), "too many vrings: 3"),
        (vdev(VRING, VRING)[:40], "vdev rsc is truncated"),
        (vdev(VRING, (0, 4096, 0)), "invalid qsz (0) or alignment (4096)"),
        (vdev()[:26] + b"\x01\x00", "vdev rsc has non zero reserved bytes"),
    ],
)
def test_devices_are_refused_in_the_kernels_words(make, entry, words):
    image = elf([FLASH, Load(0x2000_0000, memory_size=64)], table=resource_table(entry))
    _, lines = make({"fw": image}).refused("fw")
    assert lines[2:] == [f"err {words}", RESOURCES, "err Boot failed: -22"]


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("nowhere", 2, "Direct firmware load for nowhere failed with error -2"),
        ("../x", 22, "Firmware load for '../x' refused, path contains '..' component"),
    ],
)
def test_a_file_that_is_not_found(make, name, number, words):
    assert make().refused(name) == (
        number,
        ["info powering up m4", f"warn {words}", f"err request_firmware failed: -{number}",
         f"err Boot failed: -{number}"],
    )  # fmt: skip


def test_a_life_with_crashes(make):
    bench = make()
    size = len(IMAGES["ok.elf"])
    assert bench.start() == [
        "info powering up m4",
        f"info Booting fw image ok.elf, size {size}",
        "info remote processor m4 is now up",
    ]
    bench.rproc.write_state("start")
    bench.rproc.write_state("stop")
    assert bench.news() == [], "they only count"
    bench.rproc.crash("watchdog, injected")
    recovery = [
        "err recovering m4",
        "info stopped remote processor m4",
        "info remote processor m4 is now up",
    ]
    crash = ["err crash detected in m4: type {}", "err handling crash #{} in m4"]
    assert bench.news() == [crash[0].format("watchdog"), crash[1].format(1), *recovery]
    bench.rproc.write_recovery("disabled")
    bench.rproc.crash("mmufault, injected")
    assert bench.news() == [crash[0].format("mmufault"), crash[1].format(2)]
    bench.rproc.crash("fatal error, injected")
    assert bench.news() == [crash[0].format("fatal error")], "only the first one is handled"
    bench.rproc.write_recovery("recover")
    assert bench.news() == recovery
    bench.rproc.crash("unknown, injected")
    assert bench.news() == [crash[0].format("unknown"), crash[1].format(3)]
    bench.rproc.write_state("stop")
    assert bench.news() == ["info stopped remote processor m4"]
    bench.rproc.crash("watchdog")
    assert bench.news() == [crash[0].format("watchdog")], "though it is off"


def test_a_crash_of_the_firmwares_own(make, samples):
    files = {}
    for name in ("watchdog", "crash"):
        with open(f"{samples}/cortex-m3/{name}.elf", "rb") as file:
            files[name] = file.read()
    spec = load_board("cortex-m3").processors[0]
    for name, kind in (("watchdog", "watchdog"), ("crash", "fatal error")):
        bench = make(files)
        bench.rproc.spec = spec._replace(name="m4")
        bench.rproc.recovery = False
        bench.start(name)
        deadline = time.monotonic() + 20
        while bench.rproc.state == RUNNING and time.monotonic() < deadline:
            bench.rproc.poll()
            time.sleep(0.01)
        assert bench.news() == [
            f"err crash detected in m4: type {kind}",
            "err handling crash #1 in m4",
        ]


def test_faults(make):
    bench = make(start_error="EIO")
    assert bench.refused()[1][2:] == ["err can't start rproc m4: -5", "err Boot failed: -5"]
    bench = make(stop_error="EBUSY")
    bench.start()
    with pytest.raises(OSError):
        bench.rproc.write_state("stop")
    assert bench.news() == ["err can't stop rproc: -16"]


def test_a_recovery_that_fails(make):
    bench = make({"ok.elf": IMAGES["ok.elf"]})
    bench.start()
    del bench.files["ok.elf"]
    bench.rproc.crash("watchdog")
    assert bench.news()[3:] == [
        "info stopped remote processor m4",
        "warn Direct firmware load for ok.elf failed with error -2",
        "err request_firmware failed: -2",
    ]


def test_a_boot_loaders_core(make):
    bench = make(boot="detached")
    bench.rproc.write_state("start")
    attached = ["info attaching to m4", "info remote processor m4 is now attached"]
    assert bench.news() == attached
    bench.rproc.write_state("start")
    bench.rproc.write_state("detach")
    assert bench.news() == []
    bench.rproc.write_state("detach")
    assert bench.news() == ["info detached remote processor m4"]
    bench.rproc.write_state("start")
    bench.news()
    bench.rproc.write_state("stop")
    assert bench.news() == ["info stopped remote processor m4"]


def test_words_that_the_kernel_does_not_know(make):
    bench = make()
    for write in (bench.rproc.write_state, bench.rproc.write_coredump, bench.rproc.write_recovery):
        with pytest.raises(OSError):
            write("{bogus}")
    assert bench.news() == [
        "err Unrecognised option: {bogus}",
        "err Invalid coredump configuration",
    ]
