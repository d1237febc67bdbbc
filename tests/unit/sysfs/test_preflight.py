"""Firmware is checked by the processor's policy before the kernel loads it."""

from __future__ import annotations

import pytest

from adapters.sysfs.policy import Policy
from adapters.sysfs.preflight import check_firmware
from domain.errors import FirmwareUnfit
from tests.elf_builder import elf, resource_table

SIGNED = b"\x68\xa4\x43\x35" + bytes(100)


@pytest.fixture
def judged(tree, image):
    def run(data, compatible=b"", **policy):
        place = tree.processor("remoteproc0", name="m4")
        if compatible:
            (place / "device/of_node").mkdir(parents=True)
            (place / "device/of_node/compatible").write_bytes(compatible)
        return check_firmware(image(data), Policy(**policy), str(place), "m4")

    return run


def test_without_table_by_rule(judged):
    assert judged(elf()) == ""


def test_warned(judged):
    assert judged(elf(), resource_table="warn").startswith("fw.elf has no resource table; ")


def test_refused(judged):
    with pytest.raises(FirmwareUnfit, match="no resource table, which processor m4 needs"):
        judged(elf(), resource_table="refuse")


def test_driver_known_to_oops(judged):
    with pytest.raises(FirmwareUnfit, match="no resource table"):
        judged(elf(), b"fsl,imx93-cm33\0")


def test_driver_known_to_complain(judged):
    assert "no resource table" in judged(elf(), b"vendor,board\0fsl,imx8mp-hifi4\0")


def test_known_driver_can_be_overruled(judged):
    assert judged(elf(), b"fsl,imx93-cm33\0", resource_table="ignore") == ""


def test_table_that_kernels_overlook_counts_as_none(judged):
    broken = elf(table=resource_table(version=9))
    with pytest.raises(FirmwareUnfit, match="version 9, not 1, as good as none"):
        judged(broken, resource_table="refuse")


def test_good_table(judged):
    assert judged(elf(table=resource_table()), resource_table="refuse") == ""


@pytest.mark.parametrize("data", [b"", b"text", SIGNED, elf()[:100]])
def test_unfit(judged, data):
    with pytest.raises(FirmwareUnfit, match=r"fw\.elf"):
        judged(data)


def test_signed_image_where_any_is_allowed(judged):
    assert judged(SIGNED, images="any", resource_table="refuse") == ""


def test_cut_elf_is_refused_even_where_any_is_allowed(judged):
    with pytest.raises(FirmwareUnfit):
        judged(elf()[:100], images="any")


def test_too_large(judged):
    with pytest.raises(FirmwareUnfit, match="over the limit of 10 for processor m4"):
        judged(elf(), size_limit=10)
