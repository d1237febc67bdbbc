"""What the backends share whose processors are in the kernel's sysfs, or in a tree like it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

from features.backends.command_line import CommandLineBackend
from features.backends.directory_watch import DirectoryWatch
from features.backends.processes import wait_until_blocked
from features.scenarios import Ability

CRASHES = ("mmufault", "watchdog", "fatal error")  # the index is the number in debugfs
_RESTORED = ("state", "firmware", "recovery", "coredump")
_OURS = "remoteproc-runtime"


class SysfsTreeBackend(CommandLineBackend):
    """The processors are those under `tree`, which contains sys and lib/firmware."""

    abilities = frozenset(
        (
            *(Ability.ANY_BOARD, Ability.EMPTY_BOARD, Ability.BOOT_LOADER, Ability.SAMPLE_FIRMWARE),
            *(Ability.FAULTS, Ability.REPAIRS, Ability.CRASH, Ability.KERNEL_RECOVERY),
            *(Ability.CORE_DUMP, Ability.STATE_WITHOUT_RUNTIME, Ability.FIRMWARE_DIRECTORY_WATCH),
            *(Ability.OTHER_USERS, Ability.OTHER_USERS_AT_ANY_TIME),
            *((Ability.FIRMWARE_DIRECTORY,) if os.geteuid() == 0 else ()),
        )
    )

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.tree = "/"
        self._before: dict[str, dict[str, str]] = {}
        self._other_users: dict[str, threading.Thread | None] = {}
        self._watch: DirectoryWatch | None = None
        self._mounted = False
        self._published_before: set[str] = set()

    # The board.

    def board(
        self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self.provide(processors, faults or {})
        self.write_config()
        self._before = {name: self._attributes(name) for name in processors}
        self._published_before = self._published()

    def write_config(self) -> None:
        text = f"backend: sysfs\ntree: {self.tree}\nrun-directory: run\n"
        every = {**self.entries.get("*", {}), "coredumps": self.place}
        entries = {**self.entries, "*": every}
        with open(self.config, "w") as file:
            file.write(f"{text}processors: {json.dumps(entries)}\n")

    def provide(self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]]) -> None:
        """Provide exactly these processors in the tree."""
        raise NotImplementedError

    def set_fault(self, processor: str, fault: str, value: str) -> None:
        """Set one fault of a processor; the value `` removes it."""
        raise NotImplementedError

    def repair(self, processor: str) -> None:
        for fault in ("start-error", "stop-error", "start-delay"):
            self.set_fault(processor, fault, "")

    # A processor, without the runtime.

    def device(self, processor: str) -> str:
        """Return the kernel's name of the device, as in `remoteproc0`."""
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

    def _attributes(self, processor: str) -> dict[str, str]:
        return {attribute: self.read(processor, attribute) for attribute in _RESTORED}

    # Other users.

    def start_as_other_user(self, processor: str, *, wait: bool = True) -> None:
        path = self._file_of_other_user(processor)
        shutil.copy(self.sample("prints and runs on").path, path)
        if self.read(processor, "state") == "offline":
            self.write(processor, "firmware", os.path.basename(path))
        self._other_users[processor] = None
        if wait:
            self.write(processor, "state", "start")
            return
        state = os.open(self.path(processor, "state"), os.O_WRONLY)
        starter = threading.Thread(target=_write_and_close, args=(state, "start"))
        self._other_users[processor] = starter
        starter.start()
        wait_until_blocked(starter.native_id)

    def _file_of_other_user(self, processor: str) -> str:
        return f"{self.tree}/lib/firmware/other-user-{processor}.elf"

    def stop_as_other_user(self, processor: str) -> None:
        self.write(processor, "state", "stop")

    # Faults.

    def inject(self, processor: str, kind: str) -> None:
        """Ask for a crash of this kind, one of CRASHES; the processor crashes soon after."""
        device = self.device(processor)
        path = f"{self.tree}/sys/kernel/debug/remoteproc/{device}/crash"
        write_attribute(path, str(CRASHES.index(kind)))

    def crash(self, container: str, kind: str = "fatal error") -> None:
        self.inject(self.state(container)["annotations"]["remoteproc.name"], kind)

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
        """Return a number that grows with each recovery that the runtime reports."""
        return self.output(container)[1].count("left to the kernel")

    def unbind(self, processor: str) -> None:
        device = os.path.realpath(self.path(processor, "device"))
        self._before.pop(processor)
        write_attribute(f"{device}/driver/unbind", os.path.basename(device))

    def core_dumps(self) -> list[bytes]:
        found = []
        for name in sorted(os.listdir(self.place)):
            if name.endswith(".core"):
                with open(f"{self.place}/{name}", "rb") as file:
                    found.append(file.read())
        return found

    # Firmware files.

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
            if name in self._other_users:
                self._end_other_user(name)
                if before["state"] == "offline":
                    self.write(name, "firmware", before["firmware"])
            if (now := self._attributes(name)) != before and not _taken_over(before, now):
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

    def _end_other_user(self, processor: str) -> None:
        starter = self._other_users[processor]
        if starter:
            starter.join(30)
        with contextlib.suppress(OSError):
            while self.read(processor, "state") != "offline":
                self.write(processor, "state", "stop")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._file_of_other_user(processor))


def _taken_over(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Return whether the boot loader's firmware ran, the processor is off, and no more changed."""
    changed = {attribute for attribute in _RESTORED if before[attribute] != now[attribute]}
    return before["state"] == "detached" and now["state"] == "offline" and changed == {"state"}


def release_by_kernel() -> Ability:
    """Return whether the running kernel stops the processor of a dead supervisor."""
    with open("/proc/devices") as devices:  # CONFIG_REMOTEPROC_CDEV
        has = any(line.endswith(" remoteproc\n") for line in devices)
    return Ability.RELEASE_BY_KERNEL if has else Ability.NO_RELEASE_BY_KERNEL


def write_attribute(path: str, value: str) -> None:
    """Write an attribute by one system call. Raises the kernel's OSError."""
    _write_and_close(os.open(path, os.O_WRONLY), value)


def _write_and_close(descriptor: int, value: str) -> None:
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)
