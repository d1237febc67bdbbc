"""Runs what the commands for services of the host have made: until it is told to end."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

from domain.errors import HostFault

_T = TypeVar("_T")
_DEBIAN = {
    "kubernetes": "remoteproc-kubernetes",
    "dra": "remoteproc-kubernetes and python3-kubernetes",
    "metrics": "python3-prometheus-client",
}


def run_service(
    name: str, extra: str, make: Callable[[], _T], serve: Callable[[_T], object]
) -> None:
    """Make the service of the command `name`, and let it serve.

    Raises HostFault if a Python package of this project's `extra` is missing.
    """
    try:
        service = make()
        gc.enable()  # other commands end before there is anything to collect
        serve(service)
    except ModuleNotFoundError as error:
        raise HostFault(
            f"{name} needs a Python package that is missing: {error.name}",
            hint=f"install remoteproc-runtime[{extra}], or of Debian {_DEBIAN[extra]}",
        ) from error
