"""The whole tree below /sys, for one board."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adapters.sim.board import BoardSpec
from adapters.sim.fuse.coredumps import Dumps
from adapters.sim.fuse.faults import control_files
from adapters.sim.fuse.keeper import Keeper
from adapters.sim.fuse.nodes import Attribute, Directory, Link, Node
from adapters.sim.fuse.processor import attributes, debug_files
from adapters.sim.fuse.search import FirmwareSearch
from adapters.sim.remoteproc import RemoteProc


def make_tree(board: BoardSpec, search: FirmwareSearch) -> Directory:
    """Return the root directory; each processor has a thread of its own from now on."""
    dumps = Dumps()
    links: dict[str, Node] = {}
    devices: dict[str, Node] = {"virtual": Directory({"devcoredump": Directory(dumps.devices)})}
    platform: dict[str, Node] = {}
    debug: dict[str, Node] = {}
    control: dict[str, Node] = {}
    for number, spec in enumerate(board.processors):
        name, parent = f"remoteproc{number}", f"remoteproc-sim.{number}"
        place = f"devices/platform/{parent}/remoteproc/{name}"
        rproc = RemoteProc(spec, search.find)
        rproc.before_recovery = _dump(dumps, rproc, place)
        keeper = Keeper(rproc)
        more = {"device": Link(f"../../../{parent}"), "subsystem": Link(_up(place, "class"))}
        here = Directory({**attributes(keeper), **more})
        platform[parent] = Directory({"remoteproc": Directory({name: here})})
        links[name] = Link(f"../../{place}")
        debug[name] = Directory(_files(keeper))
        control[name] = Directory(control_files(keeper))
    devices["platform"] = Directory(platform)
    path = Attribute(search.show, search.store)
    return Directory(
        {
            "class": Directory(
                {"remoteproc": Directory(links), "devcoredump": Directory(dumps.links)}
            ),
            "devices": Directory(devices),
            "module": _nested("firmware_class/parameters", {"path": path}),
            "kernel": Directory(
                {
                    "debug": Directory(
                        {"remoteproc": Directory(debug), "remoteproc-sim": Directory(control)},
                        0o700,
                    )
                }
            ),
        }
    )


def _up(place: str, target: str) -> str:
    return "../" * place.count("/") + "../" + f"{target}/remoteproc"


def _nested(path: str, children: dict[str, Node]) -> Directory:
    directory = Directory(children)
    for name in reversed(path.split("/")):
        directory = Directory({name: directory})
    return directory


def _dump(dumps: Dumps, rproc: RemoteProc, place: str) -> Callable[[], None]:
    return lambda: dumps.take(rproc, place)


def _files(keeper: Keeper) -> Callable[[], dict[str, Node]]:
    return lambda: dict(debug_files(keeper))


def names(board: BoardSpec) -> Sequence[str]:
    """Return each processor as `remoteprocN NAME`."""
    return [f"remoteproc{n} {spec.name}" for n, spec in enumerate(board.processors)]
