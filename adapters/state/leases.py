"""Who owns a processor, machine-wide: one file a processor, locked by the owner for life.

The file says who the owner is and what must be undone should it die. A file with content that
nobody holds was left by a dead owner. Files that are given up are removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from adapters.linux.files import private_directory
from adapters.linux.locks import is_locked, lock_or_fail, open_locked
from domain.container import Owner
from domain.errors import Busy, host_fault

if TYPE_CHECKING:
    from domain.ports import Claim

_RECORD_MAX = 1 << 16
# Whoever cleans up after a dead owner holds its file for a moment; that is no leases.
_ATTEMPTS, _PAUSE = 20, 0.01


class FileLease:
    """Implements domain.ports.Lease."""

    def __init__(self, path: str, device: str, descriptor: int, record: dict[str, Any]) -> None:
        self._path = path
        self._descriptor = descriptor
        self.device = device
        self.owner = Owner(record.get("id", ""), record.get("root", ""))
        self.claim: Claim = record.get("claim", {})

    def _write(self) -> None:
        record = {"id": self.owner.id, "root": self.owner.root, "claim": dict(self.claim)}
        data = json.dumps(record).encode()
        try:
            # One write, then the cut: whoever reads in between finds whole JSON at the start.
            os.pwrite(self._descriptor, data, 0)
            os.ftruncate(self._descriptor, len(data))
        except OSError as error:
            raise host_fault(f"cannot write {self._path}", error) from error

    def assign(self, owner: Owner) -> None:
        """Put a new owner on record."""
        self.owner = owner
        self._write()

    def record_claim(self, claim: Claim) -> None:
        """Persist what must be undone if the holder dies."""
        self.claim = claim
        self._write()

    def close(self) -> None:
        """Remove the file, then release the lock."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            self.keep_claim()

    def keep_claim(self) -> None:
        """Release the lock and keep the file: what it says is still to be undone."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _parse(data: bytes) -> dict[str, Any]:
    try:
        record, _ = json.JSONDecoder().raw_decode(data.decode())
    except ValueError:
        return {}  # its owner died before it had done anything
    return record if isinstance(record, dict) else {}


class FileLeases:
    """Implements domain.ports.Leases; `board` keeps the processors of several boards apart."""

    def __init__(self, directory: str, board: str) -> None:
        self._directory = directory
        self._prefix = f"{board}:"

    def _path(self, device: str) -> str:
        return f"{self._directory}/{self._prefix}{device}"

    def take(self, device: str, owner: Owner) -> FileLease:
        """Own the processor. The lease's claim is what a dead owner left to be undone."""
        for _ in range(_ATTEMPTS):
            private_directory(self._directory)
            lease = self._open(device, os.O_CREAT)
            if lease is not None:
                lease.assign(owner)
                return lease
            time.sleep(_PAUSE)
        _, record = self._look(device)
        raise Busy(
            f"processor {device} belongs to container {record.get('id', '(unknown)')}",
            hint="stop and delete that container first",
        )

    def _open(self, device: str, flags: int) -> FileLease | None:
        """Open and lock a processor's file; None if somebody holds it or it went away."""
        path = self._path(device)
        flags |= os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = open_locked(lambda: os.open(path, flags, 0o600), lock_or_fail, path)
        except (FileNotFoundError, BlockingIOError):
            return None
        except OSError as error:
            raise host_fault(f"cannot open {path}", error) from error
        return FileLease(path, device, descriptor, _parse(os.pread(descriptor, _RECORD_MAX, 0)))

    def _look(self, device: str) -> tuple[bool, dict[str, Any]]:
        """Return whether somebody holds the processor's file, and what it says."""
        path = self._path(device)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False, {}
        except OSError as error:
            raise host_fault(f"cannot read {path}", error) from error
        try:
            return is_locked(descriptor), _parse(os.pread(descriptor, _RECORD_MAX, 0))
        finally:
            os.close(descriptor)

    def owner(self, device: str) -> Owner | None:
        """Return who holds the processor's file now."""
        held, record = self._look(device)
        return Owner(record["id"], record["root"]) if held and "id" in record else None

    def stale(self) -> Iterator[FileLease]:
        """Take the files that nobody holds, one by one; one that is not closed is left."""
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise host_fault(f"cannot read {self._directory}", error) from error
        for name in sorted(names):
            if not name.startswith(self._prefix):
                continue
            device = name.removeprefix(self._prefix)
            held, record = self._look(device)
            if held or not record:
                continue  # an empty file is being taken right now, or says nothing to undo
            lease = self._open(device, 0)
            if lease is None:
                continue
            try:
                yield lease
            finally:
                lease.keep_claim()
