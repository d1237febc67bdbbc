"""`exec`: answers built-in commands, as a process of its own if the caller (conmon) wants one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from domain.builtin_exec import UNKNOWN, Reply, answer
from domain.container import Status
from domain.errors import WrongState
from domain.lifecycle import Lifecycle


def prepare(lifecycle: Lifecycle, container_id: str, words: Sequence[str]) -> Callable[[], int]:
    """Return what carries the command out, showing its output, and returns its exit code.

    Raises what `question` raises.
    """
    ask = question(lifecycle, container_id, words)
    return lambda: _show(ask())


def question(lifecycle: Lifecycle, container_id: str, words: Sequence[str]) -> Callable[[], Reply]:
    """Return what carries the command out.

    Raises NotFound, and WrongState if the container has ended.
    """
    container = lifecycle.state(container_id)
    if container.status is Status.STOPPED:
        raise WrongState(f"cannot exec in container {container_id}: it is {container.status}")
    directory = lifecycle.directory(container_id)

    def read(name: str) -> bytes:
        try:
            with open(f"{directory}/{name}", "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""

    return lambda: answer(words, container, read)


def _show(reply: Reply) -> int:
    stream = sys.stderr if reply.code == UNKNOWN else sys.stdout
    stream.buffer.write(reply.data)
    stream.flush()
    return reply.code


def detached(work: Callable[[], int], stdio: int | None) -> int:
    """Do it in a child, on a descriptor for all its stdio if one is given; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        if stdio is not None:
            for number in range(3):
                os.dup2(stdio, number)
        code = work()
    except OSError:
        pass  # nobody reads
    finally:
        os._exit(code)
