"""Proves what docs/engines.md says about engines' options, row by row, under Docker and Podman."""

from __future__ import annotations

import os
import shlex
from typing import NamedTuple

import pytest

from tests.engines.groups_of import limit
from tests.engines.images import Image, write_oci
from tests.engines.ours import ETC, RUNTIME, SAMPLES
from tests.engines.releases import PODMAN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DOCUMENT = os.path.join(os.path.dirname(__file__), "../../docs/engines.md")
EFFECTS = ("works", "has no meaning", "refused")
MIB = 1 << 20
# By the last option of an example: what the control group has then.
LIMITS = {
    "--memory": ("memory", "memory.limit_in_bytes", 64 * MIB),
    "--memory-reservation": ("memory", "memory.soft_limit_in_bytes", 32 * MIB),
    "--memory-swap": ("memory", "memory.memsw.limit_in_bytes", 96 * MIB),
    "--cpus": ("cpu", "cpu.cfs_quota_us", 50000),
    "--cpu-shares": ("cpu", "cpu.shares", 256),
    "--cpu-quota": ("cpu", "cpu.cfs_quota_us", 25000),
    "--cpuset-cpus": ("cpuset", "cpuset.cpus", 0),
    "--cpuset-mems": ("cpuset", "cpuset.mems", 0),
    "--pids-limit": ("pids", "pids.max", 60),
}
REASONS = {
    "argument": "firmware",
    "--annotation": "'remoteproc.x' is unknown",
    "--entrypoint": "/bin/sh",
}


class Row(NamedTuple):
    """What the document says: an example's words, and what it does here."""

    option: str
    words: list[str]
    effect: str


def rows(folder: str) -> list[Row]:
    """The document's rows; files of their examples are in the folder, not in /tmp."""
    found = []
    with open(DOCUMENT, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.split("|")]
            if len(cells) == 7 and cells[2].startswith("`"):
                words = shlex.split(cells[2].strip("`").replace("/tmp/", f"{folder}/"))
                found.append(Row(cells[1], words, cells[4]))
    return found


def last_option(row):
    return next((word for word in reversed(row.words) if word.startswith("-")), "argument")


def test_the_document_has_rows_of_every_kind():
    assert {row.effect for row in rows("/tmp")} == set(EFFECTS)
    assert set(LIMITS) - set(map(last_option, rows("/tmp"))) == set(), "each limit has a row"


def options(words):
    network = [] if "--network" in words else ["--network", "none"]
    name = [] if "--name" in words else ["--name", "one"]
    return [*network, *name, "--annotation", "remoteproc.name=m3-0"]


def refused(row, run):
    """What is wrong with an example that is to be refused, "" if nothing is."""
    last = last_option(row)
    after, command = ([], row.words) if last == "argument" else (row.words, [])
    ran = run("--rm", *options(row.words), *after, "localhost/exit0:1", *command)
    return "" if ran.code != 0 and REASONS[last] in ran.stderr else str(ran)


def ran_well(words, run):
    """What is wrong with examples with which firmware is to run to its good end."""
    rm = [] if "--rm" in words else ["--rm"]
    ran = run(*rm, *options(words), *words, "localhost/exit0:1")
    return str(ran) if ran.code else ""


def limited(rows, run, pid_of):
    """The limits that are not as their examples say, by option."""
    words = [word for row in rows for word in row.words]
    started = run("-d", *options(words), *words, "localhost/hello:1")
    if started.code:
        return {row.option: str(started) for row in rows}
    found = {}
    for row in rows:
        controller, file, value = LIMITS[last_option(row)]
        if (text := limit(pid_of("one"), controller, file)) != str(value):
            found[row.option] = f"{file} is {text}"
    return found


def wrong(engine, run, pid_of, remove, folder):
    """The rows that are not as the document says, each with what was seen."""
    here = [row for row in rows(folder) if "(" not in row.option or f"({engine})" in row.option]
    ignored = [row for row in here if row.effect == "has no meaning"]
    limits = [row for row in here if last_option(row) in LIMITS]
    found = {}
    for row in here:
        if row not in ignored and row not in limits:
            found[row.option] = (
                refused(row, run) if row.effect == "refused" else ran_well(row.words, run)
            )
            remove()
    # The others in one run each, for the time: --cpus is another word for a period and a quota.
    assert limits and ignored
    alone = [row for row in limits if row.option == "`--cpus`"]
    for group in (alone, [row for row in limits if row not in alone]):
        found |= limited(group, run, pid_of)
        remove()
    found["all without meaning"] = ran_well([word for row in ignored for word in row.words], run)
    remove()
    return {option: problem for option, problem in found.items() if problem}


@pytest.mark.parametrize("runtime", ["shim", "path"])
def test_docker(start_docker, firmware, runtime_path, tmp_path, runtime):
    runtimes = {"remoteproc": {"path": f"{runtime_path}/remoteproc-runtime"}}
    docker = start_docker("28", etc=ETC, runtimes=runtimes)
    for program in ("exit0", "hello"):
        docker.load(firmware(program, docker=True))
    chosen = RUNTIME if runtime == "shim" else "remoteproc"

    def run(*words):
        return docker.docker("run", "--runtime", chosen, *words, check=False)

    def remove():
        # A container of `--rm` may be going at the same time.
        while names := docker.docker("ps", "-aq").text.split():
            docker.docker("rm", "-f", *names, check=False)

    def pid_of(name):
        return docker.inspect(name)["State"]["Pid"]

    assert wrong("Docker", run, pid_of, remove, str(tmp_path)) == {}


@pytest.mark.parametrize("version", [max(PODMAN)])
def test_podman(start_podman, runtime_path, tmp_path, version):
    podman = start_podman(version, runtime=f"{runtime_path}/remoteproc-runtime", etc=ETC)
    for program in ("exit0", "hello"):
        with open(f"{SAMPLES}/{program}.elf", "rb") as file:
            files = {f"{program}.elf": file.read()}
        made = Image(f"localhost/{program}:1", files, [f"/{program}.elf"])
        podman.load(write_oci(made, str(tmp_path / f"{program}.tar")))

    def run(*words):
        return podman.podman("run", *words, check=False)

    def remove():
        podman.podman("rm", "-fa", "-t", "1")

    def pid_of(name):
        return podman.inspect(name)["State"]["Pid"]

    assert wrong("Podman", run, pid_of, remove, str(tmp_path)) == {}
