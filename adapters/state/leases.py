"""Who owns a processor, machine-wide: one file for each processor in use, locked by its owner.

The file has the owner's id and the claim: what must be undone if the owner dies. The kernel
drops the lock when the owner dies, so a file with content and without a lock is stale. An owner
that releases its processor removes the file.
"""

from __future__ import annotations

import os
import time

from adapters.encoding.light_json import dumps, read_first
from adapters.linux.directories import check_private, private_directory
from adapters.linux.locks import is_locked, lock_or_fail, open_locked
from domain.container import Owner, Refusal
from domain.errors import Busy, host_fault

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from domain.ports import Claim

_RECORD_MAX = 1 << 16
# A command that cleans up after a dead owner also locks the file, but for a moment only.
_ATTEMPTS, _PAUSE = 20, 0.01


class FileLease:
    """Implements domain.ports.Lease."""

    def __init__(self, path: str, device: str, descriptor: int, record: dict[str, Any]) -> None:
        self._path = path
        self._descriptor = descriptor
        self.device = device
        self.owner = _owner(record)
        self.claim: Claim = record.get("claim", {})
        self.refusal = _refusal(record)
        self._successor: Owner | None = None

    def _write(self) -> None:
        refusal = list(self.refusal) if self.refusal else None
        record = {**self.owner._asdict(), "claim": dict(self.claim), "refusal": refusal}
        data = dumps(record).encode()
        try:
            # First the write, then the cut: a reader in between finds whole JSON at the start.
            os.pwrite(self._descriptor, data, 0)
            os.ftruncate(self._descriptor, len(data))
        except OSError as error:
            raise host_fault(f"cannot write {self._path}", error) from error

    def assign(self, owner: Owner) -> None:
        """Record a new owner: at once, or as soon as the claim of a dead one is undone."""
        if self.claim:
            self._successor = owner
            return
        self.owner = owner
        self._write()

    def record_claim(self, claim: Claim) -> None:
        self.claim, self.refusal = claim, None
        self.owner, self._successor = self._successor or self.owner, None
        self._write()

    def record_refusal(self, refusal: Refusal) -> None:
        self.refusal = refusal
        self._write()

    def release(self) -> None:
        """Remove the file, then release the lock."""
        if self._descriptor >= 0:
            try:
                os.unlink(self._path)
            except OSError:
                pass
            self._unlock()

    def keep_claim(self) -> None:
        """Release the lock and keep the file, whose claim is still to be undone."""
        self._unlock()

    def _unlock(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _read(descriptor: int) -> dict[str, Any]:
    """Return the record of a lease's file. Raises OSError."""
    data = os.pread(descriptor, _RECORD_MAX, 0)
    if not data:
        return {}  # a new file; as an error of JSON it would cost the import of json
    try:
        record, _ = read_first(data.decode())
    except ValueError:
        return {}  # the owner died before it had recorded anything
    return record if isinstance(record, dict) else {}


def _owner(record: dict[str, Any]) -> Owner:
    return Owner(*(record.get(field, "") for field in Owner._fields))


def _refusal(record: dict[str, Any]) -> Refusal | None:
    return Refusal(*record["refusal"]) if record.get("refusal") else None


class FileLeases:
    """Implements domain.ports.Leases; `board` keeps the processors of several boards apart."""

    def __init__(self, directory: str, board: str) -> None:
        self.directory = directory
        self.board = board
        self._prefix = f"{board}:"

    def _path(self, device: str) -> str:
        return f"{self.directory}/{self._prefix}{device}"

    def acquire(self, device: str, owner: Owner, name: str = "") -> FileLease:
        for _ in range(_ATTEMPTS):
            private_directory(self.directory)
            lease = self._open(device, os.O_CREAT)
            if lease is not None:
                try:
                    lease.assign(owner)
                except BaseException:
                    lease.keep_claim() if lease.claim else lease.release()
                    raise
                return lease
            time.sleep(_PAUSE)
        holder = _owner(self._look(device)[1])
        raise Busy(
            f"processor {name or device} belongs to container {holder.title or '(unknown)'}",
            hint="stop and delete that container first",
        )

    def _open(self, device: str, flags: int) -> FileLease | None:
        """Open and lock a processor's file; None if it is locked, or was removed meanwhile."""
        path = self._path(device)
        flags |= os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = open_locked(lambda: os.open(path, flags, 0o600), lock_or_fail, path)
        except (FileNotFoundError, BlockingIOError):
            return None
        except OSError as error:
            raise host_fault(f"cannot open {path}", error) from error
        try:
            return FileLease(path, device, descriptor, _read(descriptor))
        except OSError as error:
            os.close(descriptor)
            raise host_fault(f"cannot read {path}", error) from error

    def _look(self, device: str) -> tuple[bool, dict[str, Any]]:
        """Return whether a process has locked the processor's file, and the file's content."""
        path = self._path(device)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False, {}
        except OSError as error:
            raise host_fault(f"cannot read {path}", error) from error
        try:
            return is_locked(descriptor), _read(descriptor)
        except OSError as error:
            raise host_fault(f"cannot read {path}", error) from error
        finally:
            os.close(descriptor)

    def owner(self, device: str) -> Owner | None:
        held, record = self._look(device)
        return _owner(record) if held and "id" in record else None

    def left(self, device: str) -> tuple[Owner, Refusal | None] | None:
        _, record = self._look(device)
        if not record.get("claim"):
            return None
        return _owner(record), _refusal(record)

    def stale(self) -> Iterator[FileLease]:
        check_private(self.directory)
        try:
            names = os.listdir(self.directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise host_fault(f"cannot read {self.directory}", error) from error
        for name in sorted(names):
            if not name.startswith(self._prefix):
                continue
            device = name.removeprefix(self._prefix)
            held, _ = self._look(device)
            lease = None if held else self._open(device, 0)
            if lease is None:
                continue
            if not lease.owner.id:  # its owner died before it had recorded itself
                lease.release()
                continue
            try:
                yield lease
            finally:
                lease.keep_claim()
