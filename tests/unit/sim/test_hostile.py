"""Firmware from an image that nobody trusts cannot reach the host."""

import subprocess

import pytest

from domain.processor import OFFLINE
from tests.unit.sim.helpers import ended, follow, run

# Semihosting calls (Arm IHI "Semihosting for AArch32 and AArch64"): write a file, remove one,
# run a command, then say so and exit with 5.
SOURCE = """
    .syntax unified
    .cpu cortex-m3
    .thumb
    .word 0x20010000
    .word start + 1
    .rept 14
    .word spin + 1
    .endr
    .macro call number, block
    movs r0, #\\number
    ldr r1, =\\block
    bkpt 0xab
    .endm
    .thumb_func
start:
    call 0x01, open
    mov r4, r0
    ldr r1, =write
    str r4, [r1]
    movs r0, #0x05
    bkpt 0xab
    call 0x0e, remove
    call 0x12, system
    call 0x04, done
    call 0x20, exit
    .thumb_func
spin: b spin
    .align 2
open:   .word new_file, 4, new_end - new_file - 1
remove: .word old_file, old_end - old_file - 1
system: .word command, command_end - command - 1
exit:   .word 0x20026, 5
new_file: .asciz "@/new"
new_end:
old_file: .asciz "@/old"
old_end:
command: .asciz "touch @/command"
command_end:
done: .asciz "tried\\n"
    .section .data
write:  .word 0, done, 5
"""


@pytest.fixture
def burglar(tmp_path):
    (tmp_path / "burglar.s").write_text(SOURCE.replace("@", str(tmp_path)))
    flags = "-nostdlib -Wl,-n,-e,0,-Ttext=0,-Tdata=0x20000000"
    command = f"arm-none-eabi-gcc {flags} -o burglar.elf burglar.s"
    subprocess.run(command.split(), check=True, cwd=tmp_path)
    (tmp_path / "old").write_text("precious")
    return tmp_path / "burglar.elf"


def test_semihosting_gives_an_exit_code_but_touches_no_file(opened, image, burglar, tmp_path):
    processor = opened()
    run(processor, image(burglar))
    output, state = follow(processor, ended)
    assert (output, state, processor.firmware_exit().status) == (b"", OFFLINE, 5)
    assert (tmp_path / "old").read_text() == "precious"
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "command").exists()


def test_the_firmware_would_have_succeeded_with_qemus_default(burglar, tmp_path):
    subprocess.run(
        "qemu-system-arm -M mps2-an385 -nodefaults -display none"
        f" -semihosting-config enable=on,target=native -kernel {burglar}".split(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (tmp_path / "new").exists()
    assert (tmp_path / "command").exists()
    assert not (tmp_path / "old").exists()


def test_names_in_images_cannot_break_records_or_lines(opened, image, make_board, samples):
    board = make_board()
    processor = opened(board)
    hello = image("hello")._replace(name="/fw/\n\x1b[2Jx" + "y" * 5000)
    claim = processor.plan_claim("c1", hello)
    processor.load(claim, hello)
    processor.start()
    listed = board.processors()[0]
    assert listed.state == "running"
    assert listed.firmware.startswith("\\n\\x1b[2Jxyyy")
    assert len(listed.firmware) == 255
    processor.release(claim)
