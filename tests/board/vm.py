"""Boots a real kernel with remoteproc processors in it, and runs commands there.

    with boot("qemu") as vm:
        status, output = vm.run(["cat", "/sys/class/remoteproc/remoteproc0/name"])

A guest sees the checkout, read-only, and ``vm.scratch``, writable, at the same paths as the host.
Its ``PATH`` starts with the ``.venv/bin`` of the checkout, which holds programs that run there.
The processors are those of ``module/``. Nothing outlives the process that booted it.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, NamedTuple

from tests.board import kinds

Kind = Literal["qemu", "imx", "stm32", "uml"]
CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class BoardError(Exception):
    """The guest could not be built or booted, died, or did not answer in time."""


class Result(NamedTuple):
    """What a command in the guest did: ``status`` is -N if signal N killed it."""

    status: int
    output: str  # stdout and stderr as they came


class VM:
    """One booted guest; made by `boot`. Its methods may be called from several threads."""

    def __init__(self, kind: Kind, module: str, memory: int, timeout: float) -> None:
        self.kind = kind
        self.release = ""  # of the guest's kernel
        self._directory = tempfile.mkdtemp(prefix=f"board-{kind}-")
        self.console_log = os.path.join(self._directory, "console.log")
        self.scratch = os.path.join(self._directory, "scratch")
        os.mkdir(self.scratch)
        self._failed = False
        self._lock = threading.Lock()
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any] | None]] = {
            0: queue.SimpleQueue()
        }
        self._requests = 0
        self._gone = False
        self._process = self._spawn(module, memory)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.release = self._answer(0, timeout, "boot")["ready"]
        except BaseException:
            self.close()
            raise

    def run(
        self,
        command: Sequence[str] | str,
        *,
        timeout: float = 60.0,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: str = "",
        on_output: Callable[[str], None] | None = None,
    ) -> Result:
        """Run a command, or a line of shell, in the guest as root; in the checkout by default.

        ``timeout`` is in seconds; a command that takes longer is killed with its session's
        processes and raises `BoardError`. ``on_output`` gets the output while it comes.
        """
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
        request = {
            "argv": argv, "timeout": timeout, "env": dict(env or {}), "cwd": cwd, "input": stdin,
        }  # fmt: skip
        with self._lock:
            if self._gone:
                raise self._error(f"is gone, cannot run {shlex.join(argv)}")
            self._requests += 1
            number = self._requests
            self._answers[number] = queue.SimpleQueue()
            # In a file, since UML's serial line chokes on lines of more than 4 kB.
            path = os.path.join(self.scratch, f".request-{number}")
            with open(path, "x") as file:
                json.dump({"id": number, **request}, file)
            self._port.sendall(os.fsencode(path) + b"\n")
        output = []
        while True:
            # The agent keeps the time; the margin is for a guest that is too busy to do so.
            answer = self._answer(number, timeout + 30.0, shlex.join(argv))
            if "status" in answer:
                break
            output.append(answer["output"])
            if on_output:
                on_output(answer["output"])
        with self._lock:
            del self._answers[number]
            os.unlink(path)
        if answer.get("timeout"):
            end = "".join(output)[-500:]
            raise self._error(f"killed {shlex.join(argv)} after {timeout:g} s; it said: {end!r}")
        return Result(answer["status"], "".join(output))

    def console(self) -> str:
        """What the guest's kernel has printed so far."""
        with open(self.console_log, errors="replace") as file:
            return file.read()

    def close(self) -> None:
        """Kill the guest. Its files are removed, but the console log is kept after a failure."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._port.close()
        if self._failed:
            shutil.rmtree(self.scratch, ignore_errors=True)
        else:
            shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> VM:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _spawn(self, module: str, memory: int) -> subprocess.Popen[bytes]:
        board = _build(self.kind)
        commands = os.path.join(self.scratch, ".commands")
        _write_commands(commands)
        self._port, port = socket.socketpair()
        guest = kinds.Guest(
            board=board,
            checkout=CHECKOUT,
            scratch=self.scratch,
            commands=commands,
            module=module,
            memory=memory,
            port=port.fileno(),
        )
        parent = os.getpid()

        def die_with_parent() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

        with port, open(self.console_log, "ab") as log:
            return subprocess.Popen(
                kinds.COMMANDS[self.kind](guest),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "TMPDIR": "/dev/shm"},
                pass_fds=[port.fileno()],
                preexec_fn=die_with_parent,
                start_new_session=True,
            )

    def _read(self) -> None:
        with self._port.makefile("rb") as lines:
            try:
                for line in lines:
                    message = json.loads(line)
                    with self._lock:
                        answers = self._answers.get(message.get("id", 0))
                    if answers:
                        answers.put(message)
            except (OSError, ValueError):
                pass  # the guest died in the middle of a line
        with self._lock:
            self._gone = True
            for answers in self._answers.values():
                answers.put(None)

    def _answer(self, number: int, timeout: float, what: str) -> dict[str, Any]:
        try:
            answer = self._answers[number].get(timeout=timeout)
        except queue.Empty:
            raise self._error(f"did not answer within {timeout:g} s: {what}") from None
        if answer is None:
            raise self._error(f"died: {what}")
        return answer

    def _error(self, what: str) -> BoardError:
        self._failed = True
        last = "".join(f"\n  {line}" for line in self.console().splitlines()[-15:])
        return BoardError(f"{self.kind} guest {what}; its console is in {self.console_log}:{last}")


def boot(kind: Kind, *, module: str = "", memory: int = 512, timeout: float = 60.0) -> VM:
    """Boot a guest, having built it if need be, and wait until it takes commands.

    ``module`` are parameters of rproc_test, such as ``"names=m4,m7,dsp detached=0,0,1"``;
    ``memory`` is in MiB, ``timeout`` in seconds. Raises `BoardError`. To be called in a thread that
    lives as long as the guest shall: the kernel kills it with that thread.
    """
    return VM(kind, module, memory, timeout)


def _build(kind: Kind) -> str:
    build = os.path.join(os.path.dirname(os.path.abspath(__file__)), "build")
    done = subprocess.run([build, kind], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise BoardError(f"building the {kind} guest failed: run {build} {kind}")
    return done.stdout.strip()


def _write_commands(directory: str) -> None:
    """Write the project's own commands for a guest that cannot use those of the host's .venv."""
    os.mkdir(directory)
    programs = os.path.join(CHECKOUT, "bin")
    for name in os.listdir(programs):
        with open(os.path.join(programs, name)) as file:
            _, code = file.read().split("\n", 1)
        path = os.path.join(directory, name)
        with open(path, "w") as file:
            file.write(f"#!/usr/bin/python3.11\n{code}")
        os.chmod(path, 0o755)
