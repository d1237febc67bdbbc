"""Tells what is to run on Linux from firmware: a sidecar, an init container, a debug container.

A container that has a processor, by an annotation of its own or by its allocation, is firmware's.
So is one whose program cannot run on this machine.
"""

from __future__ import annotations

import os
import stat

from adapters.images.rootfs import open_in_root
from adapters.oci.entry import is_sandbox
from adapters.oci.json_value import Value
from adapters.oci.mounts_section import read_mounts
from domain.annotations import container_name, names_processor
from domain.errors import RemoteprocError
from domain.mounts import allocation_file

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from typing import Any

_EM_ARM = 40
# By the kernel's name of this machine: e_machine and bits of the programs that it executes.
_EXECUTES = {
    "x86_64": ((62, 64), (3, 32)),
    "aarch64": ((183, 64), (_EM_ARM, 32)),
    "armv7l": ((_EM_ARM, 32),),
    "armv8l": ((_EM_ARM, 32),),
    "riscv64": ((243, 64),),
}
_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # as runc's


def is_for_linux(container_id: str, document: Any, bundle: str, rootfs: str) -> bool:
    """Tell whether a container's program is to run on Linux; its image is mounted at `rootfs`.

    `document` is what config.json says. What cannot be told is left to firmware's errors.
    """
    try:
        config = Value(document, "the document", f"{bundle}/config.json")
        given, process = config.get("annotations"), config.need("process")
        annotations = given.texts() if given else {}
        if is_sandbox(container_id, process, annotations) or names_processor(annotations):
            return False
        return not allocation_file(read_mounts(config, bundle)) and runs_here(
            config, bundle, rootfs
        )
    except (RemoteprocError, OSError):
        return False


def explain(error: RemoteprocError, document: Any, bundle: str, rootfs: str) -> None:
    """Give an error another hint if a pod's processor was meant for another container than this."""
    try:
        config = Value(document, "the document", f"{bundle}/config.json")
        given = config.get("annotations")
        name = container_name(given.texts() if given else {})
        if name and runs_here(config, bundle, rootfs):
            error.hint = (
                f"container {name} runs a program of Linux, but has a processor: name processors "
                "only for the containers of firmware, by remoteproc.name.CONTAINER"
            )
    except (RemoteprocError, OSError):
        pass  # the error is that of firmware


def runs_here(config: Value, bundle: str, rootfs: str) -> bool:
    """Tell whether Linux can execute the program on this machine. Raises RemoteprocError."""
    process = config.need("process")
    name = process.need("args").items()[0].text()
    cwd = process.get("cwd")
    places = [f"{cwd.text() if cwd else '/'}/{name}"]
    if name.startswith("/"):
        places = [name]
    elif "/" not in name:
        places += [f"{place}/{name}" for place in _search_path(process).split(":") if place]
    mounts = read_mounts(config, bundle)
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for place in places:
            try:
                found = open_in_root(root, place, mounts)
            except RemoteprocError:
                continue  # the next one, as a shell looks
            try:
                return _executable(found)
            finally:
                os.close(found)
    finally:
        os.close(root)
    return False


def _search_path(process: Value) -> str:
    given = process.get("env")
    texts = [each.text() for each in given.items()] if given else []
    found = [text.removeprefix("PATH=") for text in texts if text.startswith("PATH=")]
    return found[-1] if found else _SEARCH


def _executable(found: int) -> bool:
    if not stat.S_ISREG(os.fstat(found).st_mode):
        return False
    file = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.read(file, 20)
        if head[:2] == b"#!":
            return True
        if len(head) < 20 or head[:4] != b"\x7fELF" or head[5] != 1:
            return False
        machine, bits = int.from_bytes(head[18:20], "little"), 64 if head[4] == 2 else 32
        if (machine, bits) not in _EXECUTES.get(os.uname().machine, ()):
            return False
        return machine != _EM_ARM or _is_application(file)
    finally:
        os.close(file)


def _is_application(file: int) -> bool:
    """Tell whether a program for ARM is none for a microcontroller, as far as it says so."""
    import mmap

    from domain.elf import read_elf

    with mmap.mmap(file, 0, prot=mmap.PROT_READ) as data:
        arm = read_elf(data).arm
    return arm is not None and arm.profile == "A"
