"""Steps about events around a processor: other users, its driver, dumps, notifications."""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable

from tests.kernel_table.calls import NOBODY, answer, in_child

_KOBJECT_UEVENT = 15  # <linux/netlink.h>
_IN_MODIFY_ATTRIB = 0x6
_CLONE_NEWNS, _MS_PRIVATE_ALL = 0x20000, 0x44000
_HEAD_START = 0.3  # seconds
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


class Events:
    """The operations of `Processor` for these steps; `Processor` has the attributes."""

    root: str
    firmware: str
    simulated: bool
    driver: str
    platform: str
    start_delay: float
    do: Callable[..., object]
    op_write: Callable[..., object]
    path: Callable[[str], str]
    _write: Callable[..., object]

    # Other users.

    def op_unprivileged(self, op, *arguments):
        return in_child(lambda: self.do(op, *arguments), NOBODY)

    def op_killed_write(self, name, text):
        return in_child(lambda: self.op_write(name, text), timeout=1.0)

    def op_interrupted(self, op, *arguments):
        """Do a step in a process that handles a signal 0.2 s later."""

        def call():
            signal.signal(signal.SIGALRM, lambda *_: None)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            return self.do(op, *arguments)

        return in_child(call)

    def op_behind_start(self, op, *arguments):
        """Do a step during a slow start.

        Return the step's answer, whether the step waited for the start, and the start's answer.
        """

        def timed():
            before = time.monotonic()
            got = answer(lambda: self.do(op, *arguments))
            waited = time.monotonic() - before > (self.start_delay - _HEAD_START) / 2
            return [got, "waits" if waited else "at once"]

        got, started = self._meanwhile("state", "start", timed)
        return [*got, started]

    def op_meanwhile(self, name, text, *steps):
        """Do steps during a write; return their answers, then the write's answer."""
        got, written = self._meanwhile(
            name, text, lambda: [answer(lambda step=step: self.do(*step)) for step in steps]
        )
        return [*got, written]

    def _meanwhile(self, name, text, call):
        written = []
        writer = threading.Thread(
            target=lambda: written.append(answer(lambda: self.op_write(name, text)))
        )
        writer.start()
        time.sleep(_HEAD_START)
        try:
            got = call()
        finally:
            writer.join()
        return got, written[0]

    def op_feed(self, fifo):
        """Write to a FIFO for which the kernel waits."""
        with open(f"{self.firmware}/{fifo}", "wb", buffering=0) as file:
            answer(lambda: file.write(b"x"))
        return "ok"

    def op_elsewhere(self, kind, name, text):
        """Write in a `chroot` or a mount `namespace` that has another /lib/firmware."""

        def call():
            descriptor = os.open(self.path(name), os.O_WRONLY)
            if kind == "chroot":
                os.chroot(place)
            else:
                _check(_libc.unshare(_CLONE_NEWNS))
                _check(_libc.mount(None, b"/", None, _MS_PRIVATE_ALL, None))
                source, target = f"{place}/lib/firmware", self.firmware
                _check(_libc.mount(source.encode(), target.encode(), None, 0x1000, None))
            return _check(_libc.write(descriptor, text.encode(), len(text)))

        place = tempfile.mkdtemp()
        try:
            os.makedirs(f"{place}/lib/firmware")
            shutil.copy(f"{self.firmware}/ok.elf", f"{place}/lib/firmware/only-elsewhere.elf")
            return in_child(call)
        finally:
            shutil.rmtree(place)

    # The driver.

    def op_bind(self):
        self._write(f"{self.driver}/bind", self.platform.encode())
        return "ok"

    def op_unbind(self):
        self._write(f"{self.driver}/unbind", self.platform.encode())
        return "ok"

    def op_outlive_driver(self, *names):
        """Unbind the driver and bind it again while files are open.

        Return the answers to a read of each file and to a write of `state` and of `firmware` while
        the driver is unbound; whether the directory exists then; and all answers once more after
        the driver is bound.
        """
        readers = [os.open(self.path(name), os.O_RDONLY) for name in names]
        writers = [os.open(self.path(name), os.O_WRONLY) for name in ("state", "firmware")]

        def use():
            reads = [answer(lambda fd=fd: os.pread(fd, 99, 0).decode()) for fd in readers]
            return reads + [answer(lambda fd=fd: os.write(fd, b"start")) for fd in writers]

        directory = self.path("")
        self.op_unbind()
        got = [use(), os.path.exists(directory)]
        self.op_bind()
        got.append(use())
        for descriptor in readers + writers:
            os.close(descriptor)
        return got

    # Memory: trace buffers and dumps.

    def op_grow(self, name):
        """Read a trace buffer, and with the same descriptor the text that is added later."""
        descriptor = os.open(self.path(name), os.O_RDONLY)
        try:
            got = [os.read(descriptor, 99).decode()]
            if not self.simulated:  # the simulated firmware adds text itself
                self._write(f"{self.path('device')}/trace", b"b")
            deadline = time.monotonic() + 30
            while not (more := os.read(descriptor, 99)) and time.monotonic() < deadline:
                time.sleep(0.05)
            return [*got, more.decode()]
        finally:
            os.close(descriptor)

    def _dumps(self):
        base = f"{self.root}/sys/class/devcoredump"
        names = sorted(os.listdir(base)) if os.path.isdir(base) else []
        return [f"{base}/{name}" for name in names if name.startswith("devcd")]

    def op_dumps(self):
        """Return the first bytes of each dump of this processor."""
        found = []
        for dump in self._dumps():
            assert os.path.samefile(f"{dump}/failing_device", self.path(""))
            with open(f"{dump}/data", "rb") as file:
                found.append(file.read(4).decode("latin-1"))
        return found

    def op_free_dumps(self):
        for dump in self._dumps():
            self._write(f"{dump}/data", b"0")
        return "ok"

    # Notifications.

    def op_notifications(self, *steps):
        """Do the steps; return the notifications of them: poll(2), inotify(7) and uevents."""
        seen = set()
        with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _KOBJECT_UEVENT) as uevents:
            uevents.bind((0, 1))
            uevents.setblocking(False)
            state = os.open(self.path("state"), os.O_RDONLY)
            inotify = _check(_libc.inotify_init1(os.O_NONBLOCK))
            path = self.path("state").encode()
            try:
                os.read(state, 99)
                _check(_libc.inotify_add_watch(inotify, path, _IN_MODIFY_ATTRIB))
                for step in steps:
                    answer(lambda step=step: self.do(*step))
                time.sleep(0.5)
                poll = select.poll()
                poll.register(state, select.POLLPRI)
                seen |= {"poll" for _ in poll.poll(0)}
                poll = select.poll()
                poll.register(inotify, select.POLLIN)
                seen |= {"inotify" for _ in poll.poll(0)}
                seen |= self._uevents(uevents)
            finally:
                os.close(state)
                os.close(inotify)
        return sorted(seen)

    def _uevents(self, uevents):
        found: set[str] = set()
        while True:
            try:
                words = uevents.recv(65536).decode("utf-8", "replace").split("\0")
            except BlockingIOError:
                return found
            fields = dict(word.split("=", 1) for word in words if "=" in word)
            about = fields.get("SUBSYSTEM", "")
            if about in ("remoteproc", "devcoredump") or self.platform in fields["DEVPATH"]:
                found.add(f"{fields['ACTION']} {about}")
