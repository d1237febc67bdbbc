"""The process that stands for the firmware: its pid, exit code and stdout are the container's.

It turns what happens (signals, requests, the processor's state) into events for
domain.supervision and performs the effects. One thread, one poll; nothing here blocks but the
kernel's own start and stop.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence

from adapters.host import records, wire
from adapters.host.files import fault
from adapters.host.output import Output
from adapters.host.ownership import FileLease, FileOwnership
from domain import supervision as sv
from domain.container import Exit, Owner
from domain.errors import Busy, RemoteprocError
from domain.firmware import FirmwareImage
from domain.ports import Processor
from domain.signals import signal_name

_LINGER = 1.0  # seconds that a slow reader gets for the last output
_QUIET = frozenset((signal.SIGCHLD, signal.SIGPIPE, signal.SIGWINCH, signal.SIGCONT))


class Supervisor:
    """One container's supervisor. `directory` is the container's, open; `creator` a socket."""

    def __init__(
        self,
        container: str,
        root: str,
        firmware: FirmwareImage,
        stops: frozenset[int],
        processor: Processor,
        ownership: FileOwnership,
        directory: int,
        creator: socket.socket,
    ) -> None:
        self._id = container
        self._owner = Owner(container, root)
        self._firmware = firmware
        self._stops = stops
        self._processor = processor
        self._remarks: Callable[[], Sequence[str]] = getattr(processor, "remarks", tuple)
        self._ownership = ownership
        self._directory = directory
        self._creator: socket.socket | None = creator
        self._lease: FileLease | None = None
        self._asker: socket.socket | None = None
        self._askers: list[socket.socket] = []
        self._state = sv.Supervision(processor.name)
        self._exit: int | None = None
        self.output = Output(directory)
        self._wake = self._catch_signals()
        self._control = self._listen()

    def _catch_signals(self) -> int:
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in signal.valid_signals() - _QUIET - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, lambda *_: None)
        return reader

    def _listen(self) -> socket.socket:
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            control.bind(f"/proc/self/fd/{self._directory}/control")
        except OSError as error:
            raise fault("cannot make the control socket", error) from error
        control.listen(16)
        control.setblocking(False)
        return control

    def run(self) -> int:
        """Serve until the container has ended; return its exit status."""
        while self._exit is None:
            self._turn()
        return self._exit

    def _turn(self) -> None:
        active = self._state.phase in (sv.Phase.RUNNING, sv.Phase.PAUSED)
        poll = select.poll()
        for descriptor in (self._wake, self._control.fileno()):
            poll.register(descriptor, select.POLLIN)
        for asker in self._askers:
            poll.register(asker.fileno(), select.POLLIN)
        if self._creator is not None:
            poll.register(self._creator.fileno(), select.POLLIN)
        watched = self._processor.watch() if active else ()
        for descriptor in watched:
            poll.register(descriptor, select.POLLIN)
        for stream in self.output.streams():
            poll.register(stream.descriptor, select.POLLOUT)
        period = self._processor.poll_seconds if active else None
        ready = dict(poll.poll(None if period is None else period * 1000))
        for stream in self.output.streams():
            if ready.get(stream.descriptor, 0):
                stream.write()
        self._hear_creator(ready)
        self._hear_signals()
        self._hear_askers(ready)
        if active:
            self._look()

    def _hear_creator(self, ready: dict[int, int]) -> None:
        if self._creator is None or self._creator.fileno() not in ready:
            return
        with contextlib.suppress(OSError):
            if self._creator.recv(16) == b"adopt":
                self._creator.close()
                self._creator = None
                return
        self._handle(sv.Abandoned())

    def _hear_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in os.read(self._wake, 256):
                self._handle(sv.Signalled(signal_name(number), number in self._stops))

    def _hear_askers(self, ready: dict[int, int]) -> None:
        for asker in [a for a in self._askers if a.fileno() in ready]:
            self._askers.remove(asker)
            self._asker = asker
            with contextlib.suppress(OSError):
                if verb := asker.recv(64):
                    self._handle(sv.Asked(verb.decode(errors="replace")))
            self._answer(None)  # of whoever asked nothing
        if self._control.fileno() in ready:
            with contextlib.suppress(OSError):
                self._askers.append(self._control.accept()[0])

    def _look(self) -> None:
        if self._exit is not None:
            return
        self._read()
        try:
            state = self._processor.state()
            ending = self._processor.ending() if state.ended else None
        except RemoteprocError as error:
            self.output.remark(str(error))
            return
        self._handle(sv.Seen(state, ending))

    def _read(self) -> bool:
        for text in self._remarks():
            self.output.remark(text)
        if data := self._processor.read_output():
            self.output.firmware(data)
        return bool(data)

    def _handle(self, event: sv.Event) -> None:
        for effect in self._state.on(event):
            match effect:
                case sv.Act(verb):
                    self._handle(self._act(verb))
                case sv.Answer(error):
                    self._answer(error)
                case sv.Say(text):
                    self.output.remark(text)
                case sv.Finish(status, reason):
                    self._finish(status, reason)

    def _act(self, verb: str) -> sv.Done:
        try:
            match verb:
                case "start":
                    self._start()
                case "stop":
                    self._read_rest()
                    self._processor.stop()
                case "pause":
                    self._processor.pause()
                    records.write_paused(True, self._directory)
                case "resume":
                    self._processor.resume()
                    records.write_paused(False, self._directory)
        except RemoteprocError as error:
            return sv.Done(verb, error)
        return sv.Done(verb)

    def _start(self) -> None:
        processor = self._processor
        lease = self._ownership.take(processor.device, self._owner)
        try:
            if lease.claim:
                processor.release(lease.claim)  # of an owner that died
            state = processor.state()
            if not state.startable:
                raise Busy(
                    f"processor {processor.name} is {state}, and no container of ours runs there",
                    hint="whoever started it must stop it first",
                )
            claim = processor.prepare(self._id, self._firmware)
            lease.remember(claim)
            try:
                processor.load(claim, self._firmware)
                processor.start()
                records.write_started(time.time(), self._directory)
            except BaseException:
                processor.release(claim)
                raise
        except BaseException:
            lease.close()
            raise
        self._lease = lease

    def _read_rest(self) -> None:
        while self._read():
            pass

    def _finish(self, status: int, reason: str) -> None:
        if self._lease is not None:
            self._read_rest()
            try:
                self._processor.release(self._lease.claim)
            except RemoteprocError as error:
                self.output.remark(f"cannot give {self._processor.name} back: {error}")
                self._lease.leave()  # the next command of anybody tries again
            else:
                self._lease.close()
        # Readers get the last words before anyone is told of the end.
        self.output.flush(_LINGER)
        try:
            records.write_exit(Exit(status, time.time(), reason), self._directory)
        except (RemoteprocError, OSError) as error:
            self.output.remark(f"cannot record the exit: {error}")
            self.output.flush(_LINGER)
        self._answer(None)
        self._exit = status

    def _answer(self, error: RemoteprocError | None) -> None:
        if self._asker is None:
            return
        with contextlib.suppress(OSError):
            self._asker.send(wire.encode(error))
        self._asker.close()
        self._asker = None
