"""A container's time on its processor: from the lock to the processor given back."""

from __future__ import annotations

from adapters.state.leases import FileLease, FileLeases
from domain.container import Owner
from domain.errors import Busy, NotFound, RemoteprocError
from domain.firmware import FirmwareImage
from domain.ports import Processor
from domain.processor import DELETED


class ProcessorSession:
    """Takes the processor for one owner, runs the firmware, and undoes all of it."""

    def __init__(self, processor: Processor, leases: FileLeases, owner: Owner) -> None:
        self._processor = processor
        self._leases = leases
        self._owner = owner
        self._lease: FileLease | None = None

    def begin(self, firmware: FirmwareImage | None) -> None:
        """Lock, load and start; on an error nothing of it remains. Raises the kernel's reason."""
        if firmware is None:
            return  # a sandbox has no processor
        processor = self._processor
        self._lease = lease = self._leases.take(processor.device, self._owner)
        try:
            if lease.claim:
                processor.release(lease.claim)  # of an owner that died
                lease.record_claim({})
            if not processor.available():
                state = processor.state()
                if state == DELETED:
                    raise NotFound(
                        f"processor {processor.name} has gone", hint="was its driver removed?"
                    )
                raise Busy(
                    f"processor {processor.name} is {state}, and no container of ours runs there",
                    hint="whoever started it must stop it first",
                )
            lease.record_claim(processor.prepare(self._owner.id, firmware))
            processor.load(lease.claim, firmware)
            processor.start()
        except BaseException:
            try:
                self.end()
            except RemoteprocError:
                pass  # stays on record; what matters to the user is why the start failed
            raise

    def end(self) -> None:
        """Give the processor back; repeatable.

        If that fails, what is to be undone stays on record, and the next command of anybody
        tries again.
        """
        lease, self._lease = self._lease, None
        if lease is None:
            return
        try:
            if lease.claim:
                self._processor.release(lease.claim)
        except BaseException:
            lease.keep_claim()
            raise
        lease.close()
