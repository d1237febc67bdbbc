"""Proves what people can select a processor by, and that Kubernetes takes it."""

from __future__ import annotations

import pytest

from adapters.kubernetes.resource_slice import device_name, devices, quantity, shows
from adapters.sim.board_file import load_board
from adapters.sim.sim_board import SimBoard
from adapters.sysfs.board import SysfsBoard
from domain.offers import Offer
from domain.processor_traits import ProcessorTraits, core_of


def test_a_device_tells_name_core_board_and_memory_where_they_are_known():
    known = ProcessorTraits("cortex-m7", 256 << 10, "a board " * 20)
    offers = [
        Offer("m7-0", "board.example/fast", free=True, device="remoteproc0"),
        Offer("dsp", "board.example/dsp", free=True, device="remoteproc1"),
        Offer("m4", "board.example/m4", free=False, trouble="is crashed", device="remoteproc2"),
    ]
    first, second = devices(offers, {"remoteproc0": known})
    assert first["capacity"] == {"memory": {"value": "256Ki"}}
    told = {key: value["string"] for key, value in first["attributes"].items()}
    board = told.pop("board")
    assert told == {"name": "m7-0", "resource": "fast", "core": "cortex-m7"}
    assert board == known.board[:64]
    assert sorted(second["attributes"]) == ["name", "resource"] and "capacity" not in second


def test_names_that_are_no_labels_stay_apart():
    names = ["m4", "M4", "m.4", "m_4", "4080000.mcu", "-", "", "x" * 64, "x" * 65]
    found = [device_name(name) for name in names]
    assert found[0] == "m4" and len(set(found)) == len(names)
    for name in found:
        assert len(name) <= 63 and name.strip("-") == name and name == name.lower()
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize(
    ("size", "text"),
    [(1024, "1Ki"), (1536 << 10, "1536Ki"), (1 << 20, "1Mi"), (3 << 40, "3072Gi"), (1025, "1Ki")],
)
def test_quantities_are_as_kubernetes_writes_them(size, text):
    assert quantity(size) == text


def test_a_slice_is_the_same_whatever_the_server_adds():
    (wanted,) = devices([Offer("m4", "r/m4", free=True)], {})
    assert shows({"spec": {"devices": [{**wanted, "added": True}]}}, [wanted])
    assert not shows({"spec": {"devices": []}}, [wanted])
    assert not shows({"spec": {"devices": [{**wanted, "attributes": {}}]}}, [wanted])


@pytest.mark.parametrize(
    ("compatible", "core"),
    [
        ("fsl,imx8mp-cm7", "cortex-m7"),
        ("fsl,imx93-cm33", "cortex-m33"),
        ("fsl,imx8mn-cm7-mmio", "cortex-m7"),
        ("st,stm32mp1-m4", "cortex-m4"),
        ("ti,am64-m4fss", "cortex-m4"),
        ("ti,j721e-r5f", "cortex-r5f"),
        ("ti,j721e-c71-dsp", "c71"),
        ("ti,j721e-c66-dsp", "c66"),
        ("mediatek,mt8192-scp", ""),
        ("ti,am3356-pru", ""),
        ("", ""),
    ],
)
def test_a_device_tree_tells_the_core(compatible, core):
    assert core_of([compatible]) == core


def test_boards_tell_what_their_processors_are(tmp_path):
    simulated = SimBoard(load_board("quad"), str(tmp_path)).traits()["remoteproc0"]
    assert (simulated.core, simulated.board) == ("cortex-m3", "quad") and simulated.memory > 0
    place = tmp_path / "sys/class/remoteproc/remoteproc0"
    (place / "device/of_node").mkdir(parents=True)
    for name, text in (("name", "m4"), ("state", "offline"), ("firmware", "x")):
        (place / name).write_text(f"{text}\n")
    (place / "device/of_node/compatible").write_bytes(b"st,stm32mp1-m4\0")
    (tmp_path / "sys/firmware/devicetree/base").mkdir(parents=True)
    (tmp_path / "sys/firmware/devicetree/base/model").write_bytes(b"STMicroelectronics DK2\0")
    real = SysfsBoard(str(tmp_path)).traits()
    assert real == {"remoteproc0": ProcessorTraits("cortex-m4", 0, "STMicroelectronics DK2")}
    (place / "device/of_node/compatible").unlink()
    (tmp_path / "sys/firmware/devicetree/base/model").unlink()
    assert SysfsBoard(str(tmp_path)).traits() == {"remoteproc0": ProcessorTraits()}
