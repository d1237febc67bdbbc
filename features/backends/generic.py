"""The backend `generic`: a vendor's chip that QEMU has no machine for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from adapters.sim.board_file import SHIPPED
from features.backends import sample_firmware
from features.backends.backend import Sample
from features.backends.sim import SimBackend, properties

_PROGRAMS = {
    **{
        behaviour: path.replace("cortex-m3/", "imx8mp-m7/")
        for behaviour, path in sample_firmware.PRINTING.items()
    },
    "answers what is typed": "imx8mp-m7/rpmsg_answer.elf",
}


class GenericBackend(SimBackend):
    """Each processor is the Cortex-M7 of an i.MX 8M Plus."""

    def board(
        self, processors: Sequence[str], faults: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        with open(f"{SHIPPED}/imx8mp-m7.yaml") as file:
            head, _, processor = file.read().partition("processors:\n")
        text = f"{head}processors:\n"
        for name in processors:
            text += processor.replace("name: imx-rproc", f"name: {name}")
            text += properties((faults or {}).get(name, {}))
        self.use(processors, text)

    def sample(self, behaviour: str) -> Sample:
        if "watchdog" in behaviour:
            pytest.skip("a chip of simulated registers has no watchdog")
        return Sample(sample_firmware.make(behaviour, self.place, _PROGRAMS))
