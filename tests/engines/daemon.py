"""A daemon in an isolated host: started until it answers, ended politely or not."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence

from tests.engines.isolated_host import IsolatedHost
from tests.engines.process import Process, wait_until


class Daemon:
    """One daemon, which may be started several times; its log is kept over restarts.

    `ready` says whether it answers; it may raise OSError while it does not.
    """

    def __init__(self, host: IsolatedHost, name: str, ready: Callable[[], bool]) -> None:
        self.name = name
        self.log = f"{host.base}/logs/{name}.log"
        self.process: Process | None = None
        self._host = host
        self._ready = ready

    @property
    def pid(self) -> int:
        """The running daemon's pid."""
        assert self.process is not None and self.process.running(), f"{self.name} is not running"
        return self.process.pid

    def start(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """Start it and wait until it answers; raises AssertionError with its log if it does not."""
        process = self.process = self._host.spawn(argv, self.log, env)

        def answers() -> bool:
            if not process.running():
                return True
            try:
                return self._ready()
            except OSError:
                return False

        answered = wait_until(answers, 30)
        assert answered and process.running(), f"{self.name} did not come up:\n{self.tail()}"

    def stop(self, timeout: float = 30) -> None:
        """End it gracefully, if it runs; raises AssertionError if it needs force."""
        if self.process is None or not self.process.running():
            return
        self.process.kill(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except TimeoutError as error:
            self.kill()
            raise AssertionError(f"{self.name} ignored SIGTERM:\n{self.tail()}") from error

    def kill(self) -> None:
        """End it with SIGKILL, as a crash or the kernel's memory killer would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def tail(self, lines: int = 40) -> str:
        """The end of its log."""
        with open(self.log, errors="replace") as file:
            return "".join(file.readlines()[-lines:])
