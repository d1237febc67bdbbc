"""How engines are configured for our runtime, and the sample firmware that they run with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.engines.images import Image, firmware_image

if TYPE_CHECKING:
    from tests.engines.containerd import Containerd

RUNTIME = "io.containerd.remoteproc.v1"
SHIM = "containerd-shim-remoteproc-v1"
ETC = {"remoteproc-runtime/config.yaml": "backend: sim\nboard: quad\n"}
PROCESSORS = ("m3-0", "m3-1", "m3-2", "m3-3")
SAMPLES = os.path.join(os.path.dirname(__file__), "../../firmware/build/cortex-m3")


def sample(program: str) -> Image:
    """The image `localhost/<program>:1` of a sample program."""
    return firmware_image(f"localhost/{program}:1", f"{SAMPLES}/{program}.elf")


def owners(containerd: Containerd) -> str:
    """The table of processors and their owners, as the command line prints it."""
    return containerd.host.run("remoteproc-runtime", "processors").stdout
