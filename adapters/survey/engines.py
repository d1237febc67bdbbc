"""Which engines there are, and which shim their daemons find."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from shutil import which

from adapters.linux.files import read_all
from domain.diagnosis.host import SHIM, EngineFacts

# Programs, and the daemon that starts the shim, which may have a PATH of its own.
_ENGINES: Mapping[str, str] = {
    "docker": "containerd",
    "containerd": "containerd",
    "k3s": "k3s",
    "podman": "",
    "nerdctl": "containerd",
}
_SECONDS = 10


def engines(path: str | None = None, proc: str = "/proc") -> tuple[EngineFacts, ...]:
    """Return the engines in `path`, by default the PATH of this process."""
    return tuple(_engine(program, where, proc) for program, where in _found(path))


def _found(path: str | None) -> Iterator[tuple[str, str]]:
    for program in _ENGINES:
        where = which(program, path=path)
        if where:
            yield program, where


def _engine(program: str, where: str, proc: str) -> EngineFacts:
    version = first_line(where, "--version")
    daemon = _ENGINES[program]
    if not daemon:
        return EngineFacts(program, version)
    shim = which(SHIM, path=_path_of(daemon, proc) or None) or ""
    answer = first_line(shim, "-v", line=1).removeprefix("Version:").strip() if shim else ""
    return EngineFacts(program, version, needs_shim=True, shim=shim, shim_version=answer)


def first_line(*command: str, line: int = 0) -> str:
    """Return one line of what a program prints, `` if it fails or prints less."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = done.stdout.decode(errors="replace").splitlines()
    return lines[line].strip() if len(lines) > line else ""


def _path_of(daemon: str, proc: str) -> str:
    """Return the PATH of a daemon that runs, `` if none does or nobody may see it."""
    for pid in filter(str.isdecimal, os.listdir(proc)):
        try:
            if read_all(f"{proc}/{pid}/comm").strip() != daemon.encode():
                continue
            environment = read_all(f"{proc}/{pid}/environ").split(b"\0")
        except OSError:
            continue
        for each in environment:
            if each.startswith(b"PATH="):
                return os.fsdecode(each[5:])
    return ""


def containerd_knows_us(etc: str = "/etc") -> bool:
    """Return whether containerd's configuration has the runtime, and passes its annotations on."""
    try:
        with open(f"{etc}/containerd/config.toml", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return False
    passed_on = text.partition("pod_annotations")[2]
    return "io.containerd.remoteproc.v1" in text and "remoteproc." in passed_on
