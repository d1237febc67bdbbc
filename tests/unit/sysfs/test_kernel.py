"""The adapter for processors of a real kernel. Runs in a guest: see test_guests.py."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import signal
import sys
import time

import pytest

from adapters.sysfs.board import SysfsBoard
from adapters.sysfs.policy import Policy
from adapters.sysfs.processor import open_processor
from domain.annotations import ProcessorOptions
from domain.errors import ProcessorFault, WrongState
from domain.firmware import FirmwareImage
from tests.contract.children import kill
from tests.elf_builder import FLASH, Load, elf, resource_table, trace
from tests.waiting import wait_until

if not os.path.isdir("/sys/bus/platform/drivers/rproc_test"):
    pytest.skip("needs the processors of tests/board", allow_module_level=True)

TABLE = resource_table(trace(0x2000_1000, 0x100))
RAM = Load(0x2000_0000, memory_size=0x2000)  # so that the kernel clears the trace buffer
PLAIN = elf([FLASH, RAM], table=TABLE)
OURS = "/lib/firmware/remoteproc-runtime"


class Bench:
    """One real processor, and switches for what its firmware or hardware does next."""

    def __init__(self, name, place):
        self.board = SysfsBoard(default=Policy(coredumps=f"{place}/dumps"))
        self.name = name
        self.place = place
        self.find()

    def find(self):
        """Find it by name: whenever its driver is bound it may get another number."""
        self.info = next(p for p in self.board.processors() if p.name == self.name)
        self.sys = f"/sys/class/remoteproc/{self.info.device}"

    def open(self, **options):
        return open_processor(self.board.open_args(self.info.device, ProcessorOptions(**options)))

    def image(self, data=PLAIN):
        path = f"{self.place}/firmware"
        with open(path, "wb") as file:
            file.write(data)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return FirmwareImage("fw.elf", len(data), digest, path)

    def running(self, data=PLAIN, **options):
        processor = self.open(**options)
        image = self.image(data)
        processor.check(image)
        claim = processor.plan_claim("box", image)
        processor.load(claim, image)
        processor.start()
        return processor, claim

    def get(self, name):
        with open(f"{self.sys}/{name}") as file:
            return file.read().rstrip("\n")

    def set(self, name, value):
        descriptor = os.open(f"{self.sys}/{name}", os.O_WRONLY)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)

    def rebind(self):
        """Bind the driver anew: the only way out where the kernel's count went wrong."""
        device = os.path.basename(os.path.realpath(f"{self.sys}/device"))
        for word in ("unbind", "bind"):
            with open(f"/sys/bus/platform/drivers/rproc_test/{word}", "w") as file:
                file.write(device)
        self.find()

    def reset(self):
        for knob in ("start_errno", "stop_errno", "start_delay_ms"):
            self.set(f"device/{knob}", "0")
        self.set("recovery", "recover")  # waits for the end of one that is under way
        while self.get("state") in ("running", "crashed"):
            self.set("state", "stop")
        self.set("recovery", "enabled")
        self.set("coredump", "disabled")
        if self.get("state") == "offline":
            self.set("firmware", f"rproc-{self.info.name}-fw")


@contextlib.contextmanager
def fresh(name, place):
    """A processor in its first state, which it has again afterwards."""
    bench = Bench(name, place)
    bench.reset()
    yield bench
    bench.reset()


@pytest.fixture
def m4(tmp_path):
    with fresh("m4", tmp_path) as bench:
        yield bench


@pytest.fixture
def boot_loaded(tmp_path):
    """A core that the boot loader started: attached or detached."""
    bench = Bench("bl", tmp_path)
    if bench.get("state") == "attached":
        bench.set("state", "detach")
    if bench.get("state") != "detached":
        pytest.skip("a test has stopped that core for good")
    return bench


def stops_by_itself(bench):
    """The kernel stops a processor whose owner had /dev/remoteprocN open and was killed."""
    wait_until(lambda: bench.get("state") == "offline")


def published():
    return os.listdir(OURS) if os.path.isdir(OURS) else []


def test_life(m4):
    before = {name: m4.get(name) for name in ("firmware", "recovery", "coredump", "state")}
    processor, claim = m4.running()
    assert (processor.name, processor.device) == ("m4", m4.info.device)
    assert processor.state() == "running" == m4.get("state")
    assert m4.get("recovery") == "disabled"
    (leaf,) = published()
    assert m4.get("firmware") == f"remoteproc-runtime/{leaf}"
    with open(f"{OURS}/{leaf}", "rb") as file:
        assert file.read() == PLAIN
    processor.stop()
    processor.release(claim)
    processor.release(claim)
    assert {name: m4.get(name) for name in before} == before
    assert published() == []
    assert processor.remarks() == []


def test_output_comes_once_and_survives_wrapping(m4):
    processor, claim = m4.running()
    expected = b""
    for i in range(60):
        line = f"line {i} says something\n"
        m4.set("device/trace", line)
        expected += line.encode()
        got = processor.console.read_output()
        assert got == line.encode(), i
        assert processor.console.read_output() == b""
    processor.stop()
    assert processor.console.read_output() == b""
    processor.release(claim)


def test_crash_is_reported_with_its_type(m4):
    processor, claim = m4.running()
    m4.set("device/trace", "last words\n")
    m4.set("device/crash", "watchdog")
    wait_until(lambda: processor.state() == "crashed")
    assert processor.console.read_output() == b"last words\n"
    firmware_exit = processor.firmware_exit()
    assert (firmware_exit.crashed, firmware_exit.reason) == (True, "watchdog")
    processor.release(claim)
    assert (m4.get("state"), m4.get("recovery")) == ("offline", "enabled")
    assert published() == []


def test_core_dump_is_saved(m4):
    processor, claim = m4.running(coredump="enabled")
    assert m4.get("coredump") == "enabled"
    m4.set("device/trace", "before\n")
    m4.set("device/crash", "fatal")
    wait_until(lambda: processor.state() == "crashed")
    firmware_exit = processor.firmware_exit()
    assert firmware_exit.crashed and "fatal error; core dump of " in firmware_exit.reason
    path = firmware_exit.reason.rpartition(" ")[2]
    assert os.path.dirname(path) == f"{m4.place}/dumps" and "/box-" in path
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(path, "rb") as file:
        assert file.read(5) == b"\x7fELF\x01"
    assert m4.get("state") == "offline", "the restart that the dump took is over"
    assert processor.console.read_output() == b"before\n"
    processor.release(claim)
    assert m4.get("coredump") == "disabled"
    assert not os.path.isdir("/sys/class/devcoredump") or not [
        name for name in os.listdir("/sys/class/devcoredump") if name.startswith("devcd")
    ]


def test_kernel_recovery_goes_on_and_is_reported(m4):
    processor, claim = m4.running(recovery="kernel")
    assert m4.get("recovery") == "enabled"
    m4.set("device/trace", "first life\n")
    assert processor.console.read_output() == b"first life\n"
    m4.set("device/crash", "mmufault")
    remarks = []

    def reported():
        assert processor.state() == "running"
        remarks.extend(processor.remarks())
        return remarks

    wait_until(reported)
    assert remarks == ["m4: crashed: mmufault; left to the kernel's recovery"]
    wait_until(lambda: m4.get("state") == "running")
    m4.set("device/trace", "second life\n")
    found = b""

    def heard():
        nonlocal found
        processor.state()
        found += processor.console.read_output()
        return found

    wait_until(heard)
    assert found == b"second life\n"
    processor.stop()
    processor.release(claim)


def test_kernel_recovery_saves_a_core_dump(m4):
    processor, claim = m4.running(recovery="kernel", coredump="enabled")
    m4.set("device/crash", "watchdog")
    remarks = []

    def saved():
        assert processor.state() == "running"
        remarks.extend(processor.remarks())
        return len(remarks) > 1

    wait_until(saved)
    assert "core dump of " in remarks[1] and os.path.exists(remarks[1].rpartition(" ")[2])
    processor.stop()
    processor.release(claim)


@pytest.mark.parametrize("way", ["stop", "release"])
def test_a_stop_amid_kernel_recovery_waits_for_its_end(m4, way):
    processor, claim = m4.running(recovery="kernel")
    m4.set("device/start_delay_ms", "2000")
    m4.set("device/crash", "watchdog")
    wait_until(lambda: m4.get("state") == "offline")
    if way == "stop":
        processor.stop()
    processor.release(claim)
    m4.set("recovery", "recover")  # waits for the end of a recovery that would be under way still
    assert m4.get("state") == "offline"


def test_kernel_recovery_that_fails_ends_it(m4):
    processor, claim = m4.running(recovery="kernel")
    m4.set("device/start_errno", "5")
    m4.set("device/crash", "watchdog")
    wait_until(lambda: processor.state().ended, seconds=15)
    firmware_exit = processor.firmware_exit()
    assert firmware_exit.crashed and firmware_exit.reason == "the kernel has not recovered it"
    m4.set("device/start_errno", "0")
    processor.release(claim)
    assert published() == []
    m4.rebind()


@pytest.mark.parametrize("number, words", [(5, "EIO"), (110, "ETIMEDOUT"), (16, "EBUSY")])
def test_failed_start_has_the_kernels_word(m4, number, words):
    m4.set("device/start_errno", str(number))
    with pytest.raises(ProcessorFault, match=f"cannot start processor m4: .*{words}") as caught:
        m4.running()
    assert caught.value.errno == number
    assert f"can't start rproc m4: -{number}" in str(caught.value)
    claim = m4.open().plan_claim("box", m4.image())
    m4.open().release({**claim, "firmware": m4.get("firmware")})
    assert m4.get("state") == "offline" and published() == []


def test_firmware_outside_memory_has_the_kernels_word(m4):
    with pytest.raises(ProcessorFault, match=r"EINVAL.*bad phdr da 0x90000000"):
        m4.running(elf([Load(0x9000_0000, b"code")], table=TABLE))


def test_failed_stop_is_reported_and_leaves_the_claim_to_be_released(m4):
    processor, claim = m4.running()
    m4.set("device/stop_errno", "16")
    with pytest.raises(ProcessorFault, match=r"cannot stop processor m4: .*EBUSY"):
        processor.stop()
    with pytest.raises(ProcessorFault):
        processor.release(claim)
    assert processor.state() == "running" and len(published()) == 1
    m4.set("device/stop_errno", "0")
    processor.release(claim)
    assert m4.get("state") == "offline" and published() == []


def test_stop_is_repeated_while_others_count(m4):
    processor, claim = m4.running()
    for _ in range(3):
        m4.set("state", "start")
    processor.stop()
    assert m4.get("state") == "offline"
    processor.release(claim)


def test_start_is_never_written_where_it_only_counts(m4):
    processor = m4.open()
    image = m4.image()
    claim = processor.plan_claim("box", image)
    processor.load(claim, image)
    m4.set("state", "start")  # somebody is faster
    with pytest.raises(ProcessorFault, match="m4: it is running, not offline"):
        processor.start()
    m4.set("state", "stop")
    assert m4.get("state") == "offline", "one stop is enough: the start was not written"
    processor.release(claim)


def test_rival_neither_loads_nor_stops_nor_removes(m4):
    processor, claim = m4.running()
    rival = m4.open()
    other = m4.image(elf([FLASH]))
    theirs = rival.plan_claim("rival", other)
    with pytest.raises(ProcessorFault) as caught:
        rival.load(theirs, other)
    assert caught.value.errno == errno.EBUSY
    rival.release(theirs)
    assert processor.state() == "running" and published() == [claim["firmware"].split("/")[1]]
    processor.stop()
    with pytest.raises(ProcessorFault) as caught:
        processor.stop()
    assert caught.value.errno == errno.EINVAL
    processor.release(claim)


def test_stopped_by_somebody_else(m4):
    processor, claim = m4.running()
    m4.set("state", "stop")
    assert processor.state().ended
    firmware_exit = processor.firmware_exit()
    assert (firmware_exit.crashed, firmware_exit.reason) == (
        False,
        "it ended by itself, or somebody else stopped it",
    )
    processor.release(claim)


def test_another_process_releases_for_the_dead(m4):
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        _, claim = m4.running()
        os.write(theirs, repr(dict(claim)).encode())
        signal.pause()
    claim = eval(os.read(ours, 4096).decode())
    kill(child)
    if not os.path.exists(f"/dev/{m4.info.device}"):
        assert m4.get("state") == "running"
    m4.open().release(claim)
    m4.open().release(claim)
    assert (m4.get("state"), m4.get("recovery")) == ("offline", "enabled")
    assert m4.get("firmware") == "rproc-m4-fw" and published() == []


SIDE_EFFECTS = ("open", "os.rename", "os.remove", "os.mkdir", "fcntl.ioctl")


def kill_before(number):
    """Kill this process by SIGKILL before its n-th side effect or read of a file."""
    left = number

    def hook(event, arguments):
        nonlocal left
        if event in SIDE_EFFECTS:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


@pytest.mark.parametrize("options", [{}, {"coredump": "enabled", "recovery": "kernel"}])
@pytest.mark.parametrize("when", ["starting", "ending"])
def test_killed_anywhere_and_released_by_another(m4, when, options):
    image = m4.image()
    before = {name: m4.get(name) for name in ("firmware", "recovery", "coredump", "state")}
    number, survived = 0, False
    while not survived:
        number += 1
        claim = m4.open(**options).plan_claim("box", image)
        child = os.fork()
        if child == 0:
            processor = m4.open(**options)
            if when == "starting":
                kill_before(number)
            processor.load(processor.plan_claim("box", image), image)
            processor.start()
            if when == "ending":
                kill_before(number)
                processor.stop()
                processor.release(claim)
            os._exit(0)
        survived = os.waitpid(child, 0)[1] == 0
        m4.open().release(claim)
        assert {name: m4.get(name) for name in before} == before, number
        assert published() == [], number
    assert number > {"starting": 8, "ending": 2}[when]


def test_eight_lives_leave_no_descriptor(m4):
    descriptors = None
    for _ in range(8):
        processor, claim = m4.running()
        processor.stop()
        processor.release(claim)
        del processor
        now = sorted(os.listdir("/proc/self/fd"))
        descriptors = descriptors or now
        assert now == descriptors


@pytest.fixture
def start_theirs(m4):
    """Starts firmware as another program does."""
    path = "/lib/firmware/theirs.elf"
    with open(path, "wb") as file:
        file.write(PLAIN)

    def start():
        m4.set("firmware", "theirs.elf")
        m4.set("state", "start")

    yield start
    os.unlink(path)


def test_release_leaves_what_somebody_else_runs(m4, start_theirs):
    processor, claim = m4.running()
    processor.stop()
    start_theirs()
    m4.open().release(claim)
    assert (m4.get("state"), m4.get("firmware")) == ("running", "theirs.elf")


@pytest.mark.parametrize("attached, after", [("replace", "offline"), ("borrow", "running")])
def test_a_processor_is_taken_amid_kernel_recovery(m4, start_theirs, attached, after):
    start_theirs()
    m4.set("device/start_delay_ms", "2000")
    m4.set("device/crash", "watchdog")
    wait_until(lambda: m4.get("state") == "offline")
    processor, claim = m4.running(attached=attached)
    assert m4.get("state") == "running"
    processor.release(claim)
    assert (m4.get("state"), m4.get("firmware")) == (after, "theirs.elf")


def test_slow_start_is_not_disturbed_by_signals(m4):
    m4.set("device/start_delay_ms", "300")
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(time.monotonic()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        processor, claim = m4.running()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen and processor.state() == "running"
    processor.stop()
    processor.release(claim)


def test_driver_removed_while_running(m4):
    processor, claim = m4.running()
    device = os.path.basename(os.path.realpath(f"{m4.sys}/device"))
    with open("/sys/bus/platform/drivers/rproc_test/unbind", "w") as file:
        file.write(device)
    try:
        assert processor.state() == "deleted"
        assert processor.firmware_exit().crashed
        processor.console.read_output()
        processor.release(claim)
        assert published() == []
    finally:
        with open("/sys/bus/platform/drivers/rproc_test/bind", "w") as file:
            file.write(device)
        m4.find()


def test_boot_loaded_core_is_refused_kept_and_taken(boot_loaded):
    bench = boot_loaded
    assert not bench.open().available()
    kept = bench.open(attached="keep")
    assert kept.available() and bench.open(attached="take").available()
    image = bench.image()
    claim = kept.plan_claim("box", image)
    kept.load(claim, image)
    kept.start()
    assert kept.state() == "attached" == bench.get("state") and not published()
    assert not bench.open().available()
    bench.set("device/trace", "alive\n")
    assert kept.console.read_output() == b"alive\n"
    kept.stop()
    kept.release(claim)
    assert (bench.get("state"), bench.get("recovery")) == ("detached", "enabled")

    taken, claim = bench.running(attached="take")
    assert taken.state() == "running" and len(published()) == 1
    taken.stop()
    taken.release(claim)
    assert bench.get("state") == "offline" and published() == []

    again = bench.open(attached="keep")
    claim = again.plan_claim("box", image)
    with pytest.raises(WrongState, match="nothing runs there to attach to"):
        again.load(claim, image)


def test_firmware_path_parameter_is_followed(m4, tmp_path):
    parameter = "/sys/module/firmware_class/parameters/path"
    place = tmp_path / "firmware-of-ours"
    place.mkdir()
    try:
        with open(parameter, "w") as file:
            file.write(str(place))
        processor, claim = m4.running()
        assert len(os.listdir(place / "remoteproc-runtime")) == 1 and not published()
        processor.release(claim)
        assert os.listdir(place / "remoteproc-runtime") == []
        with open(parameter, "w") as file:
            file.write(f"{place}\n")  # older kernels never find that directory
        processor, claim = m4.running()
        processor.release(claim)
    finally:
        with open(parameter, "w") as file:
            file.write("\0")


def test_unprivileged_listing_and_refusal(m4):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setuid(65534)
            (info,) = (p for p in SysfsBoard().processors() if p.name == "m4")
            assert info.state == "offline" and info.note == "this user may not control it"
            try:
                m4.open()._claims._set("firmware", "x")
            except ProcessorFault as error:
                status = 0 if "EACCES" in str(error) and "run as root" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not glob.glob("/dev/remoteproc*"), reason="CONFIG_REMOTEPROC_CDEV")
def test_kernel_stops_it_when_the_owner_is_killed(m4):
    child = os.fork()
    if child == 0:
        m4.running()
        signal.pause()
    wait_until(lambda: m4.get("state") == "running")
    time.sleep(0.1)
    kill(child)
    stops_by_itself(m4)


@pytest.mark.skipif(not glob.glob("/dev/remoteproc*"), reason="CONFIG_REMOTEPROC_CDEV")
def test_shutdown_on_release_is_cleared_after_release(m4, start_theirs):
    processor, claim = m4.running()
    processor.stop()
    processor.release(claim)
    m4.set("firmware", claim["firmware"])
    start_theirs()
    os.close(os.open(f"/dev/{m4.info.device}", os.O_RDWR))
    assert m4.get("state") == "running", "a close by anyone would stop it"


@pytest.mark.skipif(not glob.glob("/dev/remoteproc*"), reason="CONFIG_REMOTEPROC_CDEV")
@pytest.mark.parametrize("tries", [False, True])
def test_rival_does_not_clear_shutdown_on_release(m4, tries):
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        m4.running()
        os.write(theirs, b"x")
        signal.pause()
    os.read(ours, 1)
    rival = m4.open()
    theirs = rival.plan_claim("rival", m4.image(elf([FLASH])))
    if tries:
        with pytest.raises(ProcessorFault):
            rival.start()
    rival.release(theirs)
    assert m4.get("state") == "running"
    kill(child)
    stops_by_itself(m4)


@pytest.mark.skipif(not glob.glob("/dev/remoteproc*"), reason="CONFIG_REMOTEPROC_CDEV")
def test_release_of_another_claim_leaves_shutdown_on_release(m4):
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        other = m4.open().plan_claim("other", m4.image(elf([FLASH])))
        processor, _ = m4.running()
        processor.release(other)
        os.write(theirs, b"x")
        signal.pause()
    os.read(ours, 1)
    assert m4.get("state") == "running"
    kill(child)
    stops_by_itself(m4)
