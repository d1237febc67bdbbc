"""How each kind of guest is started: command lines of QEMU and of User Mode Linux."""

from __future__ import annotations

import os
from typing import NamedTuple


class Guest(NamedTuple):
    """What a guest is given; paths are the host's and the guest's."""

    board: str  # made by ./build
    checkout: str
    scratch: str
    commands: str  # directory with the project's own commands, below scratch
    module: str  # parameters of rproc_test
    memory: int  # MiB
    port: int  # descriptor of a connected socket to the agent


def qemu(guest: Guest) -> list[str]:
    """Debian's arm64 kernel, emulated: no /dev/kvm, no root needed."""
    arguments = _kernel_arguments(
        guest,
        "console=ttyAMA0 panic=-1",
        BOARD_PORT="/dev/vport*p1",
        BOARD_COMMANDS=guest.commands,
    )
    command = [
        "qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a53", "-m", f"{guest.memory}M",
        "-nodefaults", "-display", "none", "-no-reboot",
        "-kernel", f"{guest.board}/vmlinuz", "-initrd", f"{guest.board}/initrd",
        "-append", arguments,
        "-drive", f"file={guest.board}/root.ext4,format=raw,if=none,id=root,snapshot=on",
        "-device", "virtio-blk-pci,drive=root",
        "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
        "-chardev", f"socket,id=port,fd={guest.port}",
        "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=port,name=board",
    ]  # fmt: skip
    for tag, path, readonly in [
        ("checkout", guest.checkout, "on"),
        ("board", guest.board, "on"),
        ("scratch", guest.scratch, "off"),
    ]:
        option = f"local,path={path.replace(',', ',,')},mount_tag={tag},readonly={readonly}"
        command += ["-virtfs", f"{option},security_model=none,multidevs=remap"]
    return command


def with_driver(guest: Guest) -> list[str]:
    """As `qemu`, with a processor in plain memory and the kernel's own driver for it."""
    memory = 1280  # up to the addresses in boards/, and as the device trees were made for
    command = qemu(guest._replace(memory=memory, module=""))
    return [*command, "-dtb", f"{guest.board}/board.dtb"]


def imx(guest: Guest) -> list[str]:
    """With an i.MX processor, held in reset."""
    return [*with_driver(guest), "-device", "loader,addr=0x8100000c,data=0xb,data-len=4"]


def stm32(guest: Guest) -> list[str]:
    """With an STM32MP1 processor, its boot hold released."""
    return [*with_driver(guest), "-device", "loader,addr=0x81000000,data=0x1,data-len=4"]


def uml(guest: Guest) -> list[str]:
    """User Mode Linux: the host's CPU and userland, its own kernel.

    It runs in a PID namespace, since the host processes that stand for the guest's would go on,
    beyond any kernel's control, if the one that traces them were killed. A shell is that
    namespace's init: as PID 1, a kernel that panics could not abort.
    """
    unshare = ["unshare", "--pid", "--fork", "--kill-child"]
    if os.getuid() != 0:
        unshare += ["--user", "--map-root-user"]
    init = f"{guest.checkout}/tests/board/guest/uml-init"
    return [
        *unshare, "sh", "-c", '"$@"; exit $?', "sh",
        f"{guest.board}/linux", f"mem={guest.memory}M", f"uml_dir={guest.scratch}",
        "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}",
        "con=null", "con0=null,fd:1", "ssl=null", f"ssl0=fd:{guest.port},fd:{guest.port}",
        _kernel_arguments(guest, "console=tty0 panic=-1", BOARD_PORT="/dev/ttyS0"),
    ]  # fmt: skip


def _kernel_arguments(guest: Guest, further: str, **more: str) -> str:
    """What the guest's init finds in its environment, as arguments of the kernel."""
    variables = {
        "BOARD_CHECKOUT": guest.checkout,
        "BOARD_DIRECTORY": guest.board,
        "BOARD_SCRATCH": guest.scratch,
        "BOARD_MODULE": guest.module,
        **more,
    }
    return " ".join([further, *(f'{name}="{value}"' for name, value in variables.items())])


COMMANDS = {"qemu": qemu, "imx": imx, "stm32": stm32, "uml": uml}
