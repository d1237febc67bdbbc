"""Does the steps of the table on a processor and prints the answers: one line of JSON a row.

    python3 tests/kernel_table/run.py --root / --offline m4 --detached dsp --attached m7
    python3 tests/kernel_table/run.py --root ROOT --offline m4      # a root of remoteproc-sim

Needs root and nothing but Python. The processors must be those of tests/board/module or of
remoteproc-sim, for the table injects faults. It writes firmware files to ROOT/lib/firmware and
removes them at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from tests.kernel_table import images
from tests.kernel_table.calls import answer
from tests.kernel_table.operations import Processor
from tests.kernel_table.rows import ROWS


def run(root, processors, wanted=""):
    """Yield the name of each row, and the answers to its steps."""
    for row in ROWS:
        if row.processor not in processors or wanted not in row.name:
            continue
        processor = Processor(root, processors[row.processor])
        processor.reset()
        if row.processor == "offline":
            processor.op_write("firmware", "ok.elf")
        steps = [answer(partial(processor.do, *step.do)) for step in row.steps]
        processor.op_free_dumps()
        processor.reset()
        yield row.name, steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default="/")
    parser.add_argument("--offline", "--processor", metavar="NAME")
    parser.add_argument("--detached", metavar="NAME")
    parser.add_argument("--attached", metavar="NAME")
    parser.add_argument("--row", default="", help="only rows with this in their names")
    options = parser.parse_args()
    firmware = f"{options.root.rstrip('/')}/lib/firmware"
    os.makedirs(firmware, exist_ok=True)
    before = set(os.listdir(firmware))
    images.write(firmware)
    kinds = ("offline", "detached", "attached")
    try:
        found = {kind: getattr(options, kind) for kind in kinds if getattr(options, kind)}
        for name, steps in run(options.root, found, options.row):
            print(json.dumps({"row": name, "answers": steps}), flush=True)
    finally:
        images.remove(firmware, before)


if __name__ == "__main__":
    main()
