"""Uses a simulated processor without the runtime's commands, as another user's program would.

    other_user.py BOARD-FILE RUN-DIRECTORY DEVICE FIRMWARE

Prints `running`, and holds the processor until stdin ends.
"""

from __future__ import annotations

import sys

from adapters.sim.board_file import load_board
from adapters.sim.sim_board import SimBoard
from domain.annotations import ProcessorOptions
from tests.firmware_images import image_of


def main(board: str, run_directory: str, device: str, path: str) -> None:
    image = image_of(path)._replace(name="other-user.elf")
    processor = SimBoard(load_board(board), run_directory).open(device, ProcessorOptions())
    claim = processor.plan_claim("other-user", image)
    processor.load(claim, image)
    processor.start()
    print("running", flush=True)
    sys.stdin.read()
    processor.release(claim)


if __name__ == "__main__":
    main(*sys.argv[1:])
