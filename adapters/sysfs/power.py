"""Switches one processor on and off, believing nothing but the state that is read back.

The kernel counts: a `start` of a running processor succeeds and wants a further `stop`, and a
`stop` that leaves it running succeeds as well. So `start` is only written where it starts
something, and `stop` until it has stopped something.
"""

from __future__ import annotations

import errno

from adapters.sysfs.attributes import Attributes
from adapters.sysfs.driver_errors import refused, unchanged
from adapters.sysfs.kmsg import KmsgReader, error_messages
from domain.errors import ProcessorFault
from domain.processor import ATTACHED, DELETED, DETACHED, OFFLINE, RUNNING, ProcessorState

_STOPS = 32  # users of one processor that are believed in
_OFF = ("offline", "detached", "deleted", "invalid")


def is_off(state: ProcessorState) -> bool:
    """Whether `stop` has nothing to do: crashed processors are to be stopped."""
    return state in _OFF


class Power:
    """The switch of one processor. `log` lends the kernel's words to errors."""

    __slots__ = ("_attributes", "_log", "_name")

    def __init__(self, name: str, attributes: Attributes, log: KmsgReader) -> None:
        self._name = name
        self._attributes = attributes
        self._log = log

    def _write(self, verb: str, word: str, attribute: str = "state") -> None:
        try:
            self._attributes.write(attribute, word)
        except OSError as error:
            raise refused(verb, self._name, error, error_messages(self._log.read())) from error

    def _switch_on(self, verb: str, before: ProcessorState, after: ProcessorState) -> None:
        state = self._attributes.state()
        if state != before:
            raise ProcessorFault.cannot(
                verb,
                self._name,
                f"it is {state}, not {before}",
                errno=errno.EBUSY,
                hint="whoever else uses it must stop it first",
            )
        self._write(verb, "start")
        state = self._attributes.state()
        # What has crashed by now did run: that is for whoever watches it to tell.
        if state != after and not state.crashed:
            raise unchanged(verb, self._name, state, error_messages(self._log.read()))

    def start(self) -> None:
        """Load and run what the attribute `firmware` names. Raises ProcessorFault."""
        self._switch_on("start", OFFLINE, RUNNING)

    def attach(self) -> None:
        """Join what the boot loader started. Raises ProcessorFault."""
        self._switch_on("attach", DETACHED, ATTACHED)

    def stop_running(self) -> None:
        """Like `stop`, but one that is off is refused as the kernel does, with EINVAL."""
        state = self._attributes.state()
        if is_off(state) and state != DELETED:
            raise ProcessorFault.cannot("stop", self._name, f"it is {state}", errno=errno.EINVAL)
        self.stop()

    def stop(self) -> None:
        """Stop for all its users; returns when it is off. Raises ProcessorFault."""
        for _ in range(_STOPS):
            state = self._attributes.state()
            if is_off(state):
                return
            try:
                self._attributes.write("state", "stop")
            except OSError as error:
                if is_off(self._attributes.state()):
                    return  # by itself, or by somebody else, at this moment
                if error.errno != errno.EINVAL or not state.crashed:
                    words = error_messages(self._log.read())
                    raise refused("stop", self._name, error, words) from error
                # Linux 5.10 stops no crashed processor, but a recovered one.
                self._write("recover", "recover", "recovery")
        if not is_off(state := self._attributes.state()):
            raise unchanged("stop", self._name, state, error_messages(self._log.read()))

    def detach(self) -> bool:
        """Leave what runs alone; False if the driver cannot detach. Raises ProcessorFault."""
        if self._attributes.state() != ATTACHED:
            return True
        try:
            self._attributes.write("state", "detach")
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                return self._attributes.state() != ATTACHED
            raise refused("detach", self._name, error, error_messages(self._log.read())) from error
        return self._attributes.state() != ATTACHED
