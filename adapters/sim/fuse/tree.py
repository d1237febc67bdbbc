"""Builds the whole tree below /sys for one board."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from adapters.sim.board_file import BoardSpec
from adapters.sim.fuse.coredumps import DevcoredumpClass
from adapters.sim.fuse.drivers import DRIVER, PlatformDevice, driver_files
from adapters.sim.fuse.fault_injection import control_files
from adapters.sim.fuse.kmsg import KmsgFile
from adapters.sim.fuse.nodes import Attribute, Children, Directory, Link, Node
from adapters.sim.fuse.search import FirmwareSearch
from adapters.sim.fuse.worker import ProcessorWorker
from adapters.sim.remoteproc import RemoteProc


def make_tree(
    board: BoardSpec, search: FirmwareSearch, interrupted: Callable[[], bool]
) -> Directory:
    """Return the directory /sys, and start a worker thread for each processor.

    `interrupted` returns whether the program that waits in this thread's request got a signal.
    """
    dumps = DevcoredumpClass()
    log = KmsgFile(interrupted)
    devices: list[PlatformDevice] = []
    control: dict[str, Node] = {"kmsg": log}
    for number, spec in enumerate(board.processors):
        rproc = RemoteProc(spec, search.find, partial(log.emit, f"remoteproc{number}"))
        worker = ProcessorWorker(rproc, interrupted)
        rproc.find = partial(search.find, abandoned=worker.abandoned)
        device = PlatformDevice(number, worker)
        rproc.before_recovery = partial(dumps.create, rproc, device.path)
        devices.append(device)
        control[device.processor] = Directory(control_files(worker))
    platform = {device.name: Directory(device.children) for device in devices}
    path = Attribute(search.show, search.store)
    return Directory(
        {
            "class": Directory(
                {
                    "remoteproc": Directory(lambda: _links(devices)),
                    "devcoredump": Directory(dumps.links),
                }
            ),
            "bus": _nested(DRIVER.removeprefix("bus/"), driver_files(devices)),
            "devices": Directory(
                {
                    "platform": Directory(platform),
                    "virtual": Directory({"devcoredump": Directory(dumps.devices)}),
                }
            ),
            "module": _nested("firmware_class/parameters", {"path": path}),
            "kernel": Directory(
                {
                    "debug": Directory(
                        {
                            "remoteproc": Directory(lambda: _debug(devices)),
                            "remoteproc-sim": Directory(control),
                        },
                        0o700,
                    )
                }
            ),
        }
    )


def _links(devices: Sequence[PlatformDevice]) -> dict[str, Node]:
    return {d.processor: Link(f"../../{d.path}") for d in devices if d.bound}


def _debug(devices: Sequence[PlatformDevice]) -> dict[str, Node]:
    return {d.processor: Directory(d.debug_files) for d in devices if d.bound}


def _nested(path: str, children: Children) -> Directory:
    directory = Directory(children)
    for name in reversed(path.split("/")):
        directory = Directory({name: directory})
    return directory


def names(board: BoardSpec) -> Sequence[str]:
    """Return each processor as `remoteprocN NAME`."""
    return [f"remoteproc{n} {spec.name}" for n, spec in enumerate(board.processors)]
