"""The operations that the table's steps do on a processor, real or simulated."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import time

from tests.kernel_table.calls import answer
from tests.kernel_table.events import Events


class Processor(Events):
    """One processor below a root; each operation of the table is a method `op_...`."""

    def __init__(self, root, name):
        self.root = root.rstrip("/")
        self.name = name
        self.simulated = os.path.isdir(f"{self.root}/sys/kernel/debug/remoteproc-sim")
        self.firmware = f"{self.root}/lib/firmware"

    def find(self):
        base = f"{self.root}/sys/class/remoteproc"
        for device in os.listdir(base):
            with open(f"{base}/{device}/name") as file:
                if file.read() == f"{self.name}\n":
                    return device
        raise SystemExit(f"there is no processor {self.name} in {base}")

    def reset(self):
        """Return the processor to its first state."""
        device = self.device = self.find()
        self.platform = os.path.basename(os.path.realpath(self.path("device")))
        self.driver = os.path.realpath(self.path("device/driver"))
        for attribute in ("start_error", "stop_error", "start_delay"):
            self.op_fault(attribute, "0")
        if self.simulated:
            self._write(f"{self.root}/sys/kernel/debug/remoteproc-sim/{device}/reset", b"1")
        else:
            for _ in range(10):  # a processor that has users goes on when its driver is unbound
                if answer(lambda: self.op_write("state", "stop")) == "EINVAL":
                    break
            self.op_unbind()
            self.op_bind()
        self.device = self.find()

    def path(self, name):
        if name.startswith("debug:"):
            return f"{self.root}/sys/kernel/debug/remoteproc/{self.find()}/{name[6:]}"
        if name == "path":
            return f"{self.root}/sys/module/firmware_class/parameters/path"
        return f"{self.root}/sys/class/remoteproc/{self.device}/{name}"

    def _write(self, path, data, flags=0):
        descriptor = os.open(path, os.O_WRONLY | flags)
        try:
            return os.write(descriptor, data)
        finally:
            os.close(descriptor)

    def op_write(self, name, text):
        """Write with the C library: Python skips an empty write and repeats one after EINTR."""
        libc = ctypes.CDLL(None, use_errno=True)
        descriptor = os.open(self.path(name), os.O_WRONLY)
        try:
            data = text.encode()
            done = libc.write(descriptor, data, len(data))
            if done < 0:
                raise OSError(ctypes.get_errno(), "")
            return done
        finally:
            os.close(descriptor)

    def op_parts(self, name, *texts):
        descriptor = os.open(self.path(name), os.O_WRONLY)
        try:
            return [answer(lambda t=t: os.write(descriptor, t.encode())) for t in texts]
        finally:
            os.close(descriptor)

    def op_pwrite(self, name, text, offset):
        descriptor = os.open(self.path(name), os.O_WRONLY)
        try:
            return os.pwrite(descriptor, text.encode(), offset)
        finally:
            os.close(descriptor)

    def op_writev(self, name, *texts):
        descriptor = os.open(self.path(name), os.O_WRONLY)
        try:
            return os.writev(descriptor, [text.encode() for text in texts])
        finally:
            os.close(descriptor)

    def op_open(self, name, how, text):
        flags = {"append": os.O_APPEND, "truncate": os.O_TRUNC}[how]
        return self._write(self.path(name), text.encode(), flags)

    def op_truncate(self, name):
        os.truncate(self.path(name), 0)
        return "ok"

    def op_read(self, name):
        descriptor = os.open(self.path(name), os.O_RDONLY)
        try:
            return os.read(descriptor, 65536).decode("latin-1")
        finally:
            os.close(descriptor)

    def op_reads(self, name):
        descriptor = os.open(self.path(name), os.O_RDONLY)
        try:
            got = [os.read(descriptor, 4096), os.read(descriptor, 4096)]
            return [text.decode() for text in (*got, os.pread(descriptor, 4096, 0))]
        finally:
            os.close(descriptor)

    def op_bytes(self, name):
        with open(self.path(name), "rb", buffering=0) as file:
            return b"".join(iter(lambda: file.read(1), b"")).decode()

    def op_pread(self, name, offset):
        descriptor = os.open(self.path(name), os.O_RDONLY)
        try:
            return os.pread(descriptor, 4096, offset).decode()
        finally:
            os.close(descriptor)

    def op_stat(self, name):
        status = os.stat(self.path(name))
        return f"{status.st_mode & 0o7777:o} {status.st_size}"

    def op_create(self, name):
        os.close(os.open(self.path(name), os.O_WRONLY | os.O_CREAT))
        return "ok"

    def op_mkdir(self, name):
        os.mkdir(self.path(name))
        return "ok"

    def op_unlink(self, name):
        os.unlink(self.path(name))
        return "ok"

    def op_rename(self, name, to):
        os.rename(self.path(name), self.path(to))
        return "ok"

    def op_chmod(self, name, mode):
        os.chmod(self.path(name), mode)
        return "ok"

    def op_fault(self, kind, value):
        if kind == "start_delay":
            self.start_delay = float(value)
        if self.simulated:
            path = f"{self.root}/sys/kernel/debug/remoteproc-sim/{self.find()}/{kind}"
            self._write(path, str(value).encode())
            return "ok"
        attribute = {"start_error": "start_errno", "stop_error": "stop_errno"}.get(
            kind, "start_delay_ms"
        )
        number = int(float(value) * 1000) if kind == "start_delay" else getattr(errno, value, 0)
        path = f"/sys/class/remoteproc/{self.find()}/device/{attribute}"
        self._write(path, str(number).encode())
        return "ok"

    def op_until(self, name, text):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if answer(lambda: self.op_read(name)) == text:
                return "ok"
            time.sleep(0.02)
        return answer(lambda: self.op_read(name))

    def op_sleep(self, seconds):
        time.sleep(seconds)
        return "ok"

    def op_path(self, directory, suffix):
        base = "" if self.simulated else self.root
        where = f"{base}/lib/{directory}{suffix}"
        self._write(self.path("path"), where.encode())
        return "ok"

    def op_copy(self, source, target):
        shutil.copyfile(f"{self.firmware}/{source}", f"{self.firmware}/{target}")
        return "ok"

    def op_remove(self, name):
        os.unlink(f"{self.firmware}/{name}")
        return "ok"

    def op_sought_again(self, name, word):
        with open(self.path(name), "rb", buffering=0) as file:
            first = file.read(4096).decode()
            self.op_write("state", word)
            file.seek(0)
            return [first, file.read(4096).decode()]

    def op_outlives(self, name, word):
        descriptor = os.open(self.path(name), os.O_RDONLY)
        try:
            first = os.read(descriptor, 4096).decode()
            self.op_write("state", word)
            return [first, answer(lambda: os.pread(descriptor, 4096, 0).decode())]
        finally:
            os.close(descriptor)

    def do(self, op, *arguments):
        return getattr(self, "op_" + op.replace(" ", "_"))(*arguments)
