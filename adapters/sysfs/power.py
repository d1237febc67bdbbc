"""Starts and stops one processor, and reads the state back after every write.

The kernel counts users: a `start` of a running processor succeeds and needs one more `stop`, and a
`stop` that leaves the processor running succeeds too. So this module writes `start` only to a
processor that is off, and `stop` until the processor is off.
"""

from __future__ import annotations

import errno

from adapters.sysfs.attributes import Attributes
from adapters.sysfs.driver_errors import in_use, refused, unchanged
from adapters.sysfs.kmsg import KmsgReader, error_messages
from domain.errors import ProcessorFault
from domain.processor import ATTACHED, DELETED, DETACHED, OFFLINE, RUNNING, ProcessorState

_MAX_STOPS = 32  # writes of `stop` to one processor
_OFF = ("offline", "detached", "deleted", "invalid")


def is_off(state: ProcessorState) -> bool:
    """Whether the processor needs no `stop`; a crashed processor needs one."""
    return state in _OFF


class Power:
    """Starts, stops, attaches and detaches one processor; errors cite the kernel's `log`.

    `retries`: how often a start that fails is tried again.
    """

    __slots__ = ("_attributes", "_log", "_name", "_retries")

    def __init__(
        self, name: str, attributes: Attributes, log: KmsgReader, retries: int = 0
    ) -> None:
        self._name = name
        self._attributes = attributes
        self._log = log
        self._retries = retries

    def _write(self, verb: str, word: str, attribute: str = "state") -> None:
        try:
            self._attributes.write(attribute, word)
        except OSError as error:
            raise refused(verb, self._name, error, error_messages(self._log.read())) from error

    def _switch_on(self, verb: str, before: ProcessorState, *after: ProcessorState) -> None:
        state = self._attributes.state()
        if state != before:
            raise in_use(verb, self._name, state, before)
        self._write(verb, "start")
        state = self._attributes.state()
        # A processor that has crashed by now did start; the supervisor reports the crash.
        if state not in after and not state.crashed:
            raise unchanged(verb, self._name, state, error_messages(self._log.read()))

    def start(self) -> list[str]:
        """Start the firmware that the attribute `firmware` names. Raises ProcessorFault.

        Returns remarks about starts that failed before one went well.
        """
        failed: list[str] = []
        while True:
            try:
                self._start_once()
                return failed
            except ProcessorFault as error:
                if len(failed) == self._retries or self._attributes.state() != OFFLINE:
                    raise
                failed.append(f"{error.message}: tried again")

    def _start_once(self) -> None:
        # The write returns once the firmware runs (rproc_boot): if the processor is off again, the
        # firmware has ended within that instant, and the supervisor reports the end.
        self._switch_on("start", OFFLINE, RUNNING, OFFLINE)

    def attach(self) -> None:
        """Attach to firmware that the boot loader started. Raises ProcessorFault."""
        self._switch_on("attach", DETACHED, ATTACHED)

    def state_after_recovery(self) -> ProcessorState:
        """Return the state, if it is `offline` that of no recovery that is under way.

        The kernel's recovery stops the processor and starts it again, under the processor's lock
        (Linux drivers/remoteproc/remoteproc_core.c, rproc_trigger_recovery). `recover` waits for
        that lock, and then does nothing to a processor that has not crashed.
        """
        state = self._attributes.state()
        if state == OFFLINE and self._attributes.read("recovery") == "enabled":
            self._write("recover", "recover", "recovery")
            state = self._attributes.state()
        return state

    def stop_running(self) -> None:
        """Stop a processor; if it is off, raise EINVAL as the kernel does."""
        before = self.stop()
        if is_off(before) and before != DELETED:
            raise ProcessorFault.cannot("stop", self._name, f"it is {before}", errno=errno.EINVAL)

    def stop(self) -> ProcessorState:
        """Stop for all users that the kernel counts, until it is off; return the state before.

        Raises ProcessorFault.
        """
        before = state = self.state_after_recovery()
        for _ in range(_MAX_STOPS):
            if is_off(state):
                return before
            state = self._stop_once(state)
        if not is_off(state):
            raise unchanged("stop", self._name, state, error_messages(self._log.read()))
        return before

    def _stop_once(self, before: ProcessorState) -> ProcessorState:
        """Stop for one user; return the state then."""
        try:
            self._attributes.write("state", "stop")
        except OSError as error:
            now = self.state_after_recovery()
            if is_off(now):
                return now  # the firmware has ended, or another program has stopped it
            if error.errno != errno.EINVAL or not (before.crashed or now.crashed):
                words = error_messages(self._log.read())
                raise refused("stop", self._name, error, words) from error
            # Linux 5.10 does not stop a crashed processor, only a recovered one.
            self._write("recover", "recover", "recovery")
        return self.state_after_recovery()

    def detach(self) -> bool:
        """Detach: the firmware goes on. False if the driver cannot. Raises ProcessorFault."""
        if self._attributes.state() != ATTACHED:
            return True
        try:
            self._attributes.write("state", "detach")
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                return self._attributes.state() != ATTACHED
            raise refused("detach", self._name, error, error_messages(self._log.read())) from error
        return self._attributes.state() != ATTACHED
