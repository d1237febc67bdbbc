"""Which container may have a processor, when a start is refused, how the processor is released."""

from __future__ import annotations

import time

from domain.container import Operation
from domain.errors import Busy, NotFound, ProcessorFault, RemoteprocError, Unsupported, way_out
from domain.processor import DELETED
from domain.supervision import ActionDone

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.container import Owner
    from domain.firmware import FirmwareImage
    from domain.ports import Freezer, Lease, Leases, Processor, StatusRecord


class ProcessorSession:
    """Performs the actions of one supervisor, and holds the lease from start to `release`.

    `firmware` is None for a pod's sandbox, which has no processor to lease. `loaded` is called
    before the firmware is started, and `started` once it runs and that is on record.
    """

    def __init__(
        self,
        processor: Processor,
        leases: Leases,
        owner: Owner,
        firmware: FirmwareImage | None,
        record: StatusRecord,
        clock: Callable[[], float] = time.time,
        loaded: Callable[[], object] = lambda: None,
        started: Callable[[], object] = lambda: None,
    ) -> None:
        self._processor = processor
        self._leases = leases
        self._owner = owner
        self._firmware = firmware
        self._record = record
        self._clock = clock
        self._loaded = loaded
        self._started = started
        self._lease: Lease | None = None

    def perform(self, operation: Operation) -> ActionDone:
        """Start, stop, pause or resume the firmware; return the outcome, with the error if any."""
        try:
            self._perform(operation)
        except RemoteprocError as error:
            return ActionDone(operation, error)
        return ActionDone(operation)

    def _perform(self, operation: Operation) -> None:
        match operation:
            case Operation.START:
                self._start()
            case Operation.STOP:
                self._processor.stop()
            case Operation.PAUSE:
                freezer = self._freezer(operation)
                self._do_and_record(freezer.pause, freezer.resume, paused=True)
            case Operation.RESUME:
                freezer = self._freezer(operation)
                self._do_and_record(freezer.resume, freezer.pause, paused=False)

    def _do_and_record(
        self, do: Callable[[], None], undo: Callable[[], None], *, paused: bool
    ) -> None:
        """Undo what cannot be recorded: the record must say whether the firmware runs."""
        do()
        try:
            self._record.record_paused(paused)
        except BaseException:
            undo()
            raise

    def _start(self) -> None:
        """Lease, load and start the processor, and record that. On an error undo all of it."""
        self.release()  # what an earlier start has left
        try:
            if self._firmware is not None:
                self._lease = self._leases.acquire(
                    self._processor.device, self._owner, self._processor.name
                )
                self._run(self._lease, self._firmware)
            else:
                self._loaded()
            # The store must know of every processor that runs, so that a command can stop it.
            self._record.record_started(self._clock())
            try:
                self._started()
            except BaseException:
                self._record.forget_started()
                raise
        except BaseException:
            try:
                self.release()
            except RemoteprocError:
                pass  # the lease stays; the user needs to know why the start failed
            raise

    def _run(self, lease: Lease, firmware: FirmwareImage) -> None:
        processor = self._processor
        if lease.claim:  # the claim of an owner that died
            self._undo(lease)
        if not processor.available():
            raise self._unavailable()
        processor.check(firmware)
        lease.record_claim(processor.plan_claim(self._owner.id, firmware))
        processor.load(lease.claim, firmware)
        self._loaded()
        processor.start()

    def _undo(self, lease: Lease) -> None:
        """Undo what a dead owner claimed. Raises ProcessorFault that names the owner."""
        try:
            self._processor.release(lease.claim)
        except ProcessorFault as error:
            raise ProcessorFault(
                f"processor {self._processor.name} still runs what container {lease.owner.id} "
                f"left there: {error.message}",
                errno=error.errno,
                hint=way_out(self._processor.name),
            ) from error
        lease.record_claim({})

    def _unavailable(self) -> RemoteprocError:
        name, state = self._processor.name, self._processor.state()
        if state == DELETED:
            return NotFound(f"processor {name} has gone", hint="was its driver removed?")
        return Busy(
            f"processor {name} is {state}, and no container of ours runs there",
            hint="whoever started it must stop it first; or allow, and set, "
            "remoteproc.attached = replace or borrow",
        )

    def _freezer(self, operation: Operation) -> Freezer:
        freezer = self._processor.freezer
        if freezer is None:
            raise Unsupported(
                f"cannot {operation} processor {self._processor.name}: "
                "the kernel has no way to freeze a processor"
            )
        return freezer

    def release(self) -> None:
        """Undo the start, and end the lease; further calls do nothing.

        On an error the lease stays, so that nobody takes the processor for free: the next call
        tries again; and if this process ends, the next command does, by the claim.
        """
        lease = self._lease
        if lease is None:
            return
        if lease.claim:
            self._processor.release(lease.claim)
        self._lease = None
        lease.release()
