"""What benches have in common whose processors are the kernel's, or look as if they were."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

from features.benches.host import HostBench
from features.benches.processes import Watched
from features.benches.watch import DirectoryWatch

CRASHES = ("mmufault", "watchdog", "fatal error")  # by their numbers in debugfs
_KEPT = ("state", "firmware", "recovery", "coredump")
_OURS = "remoteproc-runtime"


class TreeBench(HostBench):
    """Processors are those under `tree`, the place of /sys and /lib/firmware."""

    abilities = frozenset(
        (
            *("faults", "repairs", "strangers", "late-strangers", "crash-injection"),
            *("kernel-recovery", "coredumps", "boot-loaders", "direct-sight"),
            *("boards-of-any-kind", "firmware-watch", "sample-firmware"),
            *(("firmware-directories",) if os.geteuid() == 0 else ()),
        )
    )

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.tree = "/"
        self._before: dict[str, dict[str, str]] = {}
        self._strangers: dict[str, threading.Thread | None] = {}
        self._watch: DirectoryWatch | None = None
        self._mounted = False
        self._published_before: set[str] = set()

    # The board.

    def board(
        self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self.provide(processors, faults or {})
        self.write_config(processors)
        self._before = {name: self._looks(name) for name in processors}
        self._published_before = self._published()

    def write_config(self, processors: Sequence[str]) -> None:
        text = f"backend: sysfs\ntree: {self.tree}\nrun-directory: run\nprocessors:\n"
        for name in processors:
            text += f"  {name}: {{coredumps: {self.place}}}\n"
        with open(self.config, "w") as file:
            file.write(text if processors else text.replace("processors:\n", ""))

    def provide(self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]]) -> None:
        """Have just these processors in the tree."""
        raise NotImplementedError

    def set_fault(self, processor: str, fault: str, value: str) -> None:
        """Set one fault; `` for none."""
        raise NotImplementedError

    def repair(self, processor: str) -> None:
        for fault in ("start-error", "stop-error", "start-delay"):
            self.set_fault(processor, fault, "")

    # A processor, directly.

    def device(self, processor: str) -> str:
        """Return the kernel's name for it."""
        devices = f"{self.tree}/sys/class/remoteproc"
        for device in os.listdir(devices):
            with contextlib.suppress(OSError), open(f"{devices}/{device}/name") as file:
                if file.read() == f"{processor}\n":
                    return device
        raise LookupError(f"no processor {processor} in {devices}")

    def path(self, processor: str, attribute: str) -> str:
        return f"{self.tree}/sys/class/remoteproc/{self.device(processor)}/{attribute}"

    def read(self, processor: str, attribute: str) -> str:
        with open(self.path(processor, attribute)) as file:
            return file.read().rstrip("\n")

    def write(self, processor: str, attribute: str, value: str) -> None:
        write_attribute(self.path(processor, attribute), value)

    def hardware_state(self, processor: str) -> str:
        return self.read(processor, "state")

    def _looks(self, processor: str) -> dict[str, str]:
        return {attribute: self.read(processor, attribute) for attribute in _KEPT}

    # Other people.

    def start_by_hand(self, processor: str, *, wait: bool = True) -> None:
        name = f"theirs-{processor}.elf"
        shutil.copy(self.sample("prints and runs on").path, f"{self.tree}/lib/firmware/{name}")
        if self.read(processor, "state") == "offline":
            self.write(processor, "firmware", name)
        self._strangers[processor] = None
        if wait:
            self.write(processor, "state", "start")
            return
        starter = threading.Thread(target=self.write, args=(processor, "state", "start"))
        self._strangers[processor] = starter
        starter.start()
        time.sleep(0.2)  # until it is in the middle of it

    def stop_by_hand(self, processor: str) -> None:
        self.write(processor, "state", "stop")

    # Mishaps.

    def inject(self, processor: str, kind: str) -> None:
        """Have it crash, some time soon; for the kinds see CRASHES."""
        device = self.device(processor)
        path = f"{self.tree}/sys/kernel/debug/remoteproc/{device}/crash"
        write_attribute(path, str(CRASHES.index(kind)))

    def crash(self, container: str, kind: str = "fatal error") -> float:
        state = self.state(container)
        processor = state["annotations"]["remoteproc.name"]
        with Watched(state["pid"]) as supervisor:
            began = time.monotonic()
            self.inject(processor, kind)
            assert supervisor.wait(15), "the supervisor did not notice"
            return time.monotonic() - began

    def crash_and_recover(self, container: str) -> None:
        processor = self.state(container)["annotations"]["remoteproc.name"]
        before = self.recoveries(container, processor)
        self.inject(processor, "watchdog")
        deadline = time.monotonic() + 15
        while (
            self.recoveries(container, processor) == before
            or self.read(processor, "state") != "running"
        ):
            assert time.monotonic() < deadline, f"not recovered: {self.output(container)}"
            time.sleep(0.02)

    def recoveries(self, container: str, processor: str) -> int:
        """Return a number that changes with every recovery."""
        return self.output(container)[1].count("left to the kernel")

    def unbind(self, processor: str) -> None:
        device = os.path.realpath(self.path(processor, "device"))
        self._before.pop(processor)
        write_attribute(f"{device}/driver/unbind", os.path.basename(device))

    def coredumps(self) -> list[bytes]:
        found = []
        for name in sorted(os.listdir(self.place)):
            if name.endswith(".core"):
                with open(f"{self.place}/{name}", "rb") as file:
                    found.append(file.read())
        return found

    # Where firmware is published.

    def firmware_directory(self, kind: str) -> None:
        place = f"{self.tree}/lib/firmware"
        options = {"read-only": "ro", "full": "size=64k"}[kind]
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "test", place], check=True)
        self._mounted = True
        if kind == "full":
            with (
                open(f"{place}/filler", "wb", buffering=0) as file,
                contextlib.suppress(OSError),
            ):
                while True:
                    file.write(bytes(4096))

    def watch_firmware(self) -> None:
        ours = f"{self.tree}/lib/firmware/{_OURS}"
        os.makedirs(ours, 0o700, exist_ok=True)
        self._watch = DirectoryWatch(ours)

    def firmware_events(self) -> list[tuple[str, str]]:
        assert self._watch
        return self._watch.events()

    # The end.

    def close(self) -> list[str]:
        for name in self._before:
            self.repair(name)
        return super().close()

    def take_down(self) -> list[str]:
        if self._watch:
            self._watch.close()
        left = []
        for name, before in self._before.items():
            if name in self._strangers:
                self._end_stranger(name)
                if before["state"] == "offline":
                    self.write(name, "firmware", before["firmware"])
            if (now := self._looks(name)) != before and not _taken_over(before, now):
                left.append(f"{name} is {now}, was {before}")
        left += [f"published {name}" for name in self._published() - self._published_before]
        if self._mounted:
            subprocess.run(["umount", f"{self.tree}/lib/firmware"], check=True)
        return left

    def _published(self) -> set[str]:
        try:
            return set(os.listdir(f"{self.tree}/lib/firmware/{_OURS}"))
        except FileNotFoundError:
            return set()

    def _end_stranger(self, processor: str) -> None:
        starter = self._strangers[processor]
        if starter:
            starter.join(30)
        with contextlib.suppress(OSError):
            while self.read(processor, "state") != "offline":
                self.write(processor, "state", "stop")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.tree}/lib/firmware/theirs-{processor}.elf")


def _taken_over(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Whether it is off now where the boot loader's firmware ran, and that is all."""
    changed = {attribute for attribute in _KEPT if before[attribute] != now[attribute]}
    return before["state"] == "detached" and now["state"] == "offline" and changed == {"state"}


def cdev() -> str:
    """Return the ability of the running kernel to stop processors whose holder dies, or not to."""
    with open("/proc/devices") as devices:  # CONFIG_REMOTEPROC_CDEV
        has = any(line.endswith(" remoteproc\n") for line in devices)
    return "release-switch" if has else "no-release-switch"


def write_attribute(path: str, value: str) -> None:
    """Write once, unbuffered. Raises the kernel's OSError."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)
