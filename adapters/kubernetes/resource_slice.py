"""A node's processors as a ResourceSlice shows them to the scheduler."""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterable, Mapping
from typing import Any

from domain.offers import Offer
from domain.processor_traits import ProcessorTraits

_LONGEST = 63  # characters of a device's name, which is a DNS label
_LONGEST_VALUE = 64  # characters of an attribute's value
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def device_name(processor: str) -> str:
    """Return the name that a slice has for a processor: its own, where Kubernetes takes that.

    Another one gets a checksum, so that no two processors are called alike.
    """
    text = "".join(c if c in _LABEL else "-" for c in processor.lower())
    if text == processor and text == text.strip("-") and len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST - 9].strip('-') or 'processor'}-{crc32(processor.encode()):08x}"


def devices(offers: Iterable[Offer], traits: Mapping[str, ProcessorTraits]) -> list[dict[str, Any]]:
    """Return the devices of a slice: the processors that can be had; `traits` by device."""
    return [_device(offer, traits.get(offer.device)) for offer in offers if not offer.trouble]


def _device(offer: Offer, traits: ProcessorTraits | None) -> dict[str, Any]:
    traits = traits or ProcessorTraits()
    told = {
        "name": offer.id,
        "resource": offer.resource.partition("/")[2],
        "core": traits.core,
        "board": traits.board,
    }
    device: dict[str, Any] = {
        "name": device_name(offer.id),
        "attributes": {
            key: {"string": value[:_LONGEST_VALUE]} for key, value in told.items() if value
        },
    }
    if traits.memory >= 1024:
        device["capacity"] = {"memory": {"value": quantity(traits.memory)}}
    return device


def quantity(size: int) -> str:
    """Return bytes, rounded down to KiB, as Kubernetes itself writes them."""
    size //= 1024
    for suffix in ("Ki", "Mi"):
        if size % 1024:
            return f"{size}{suffix}"
        size //= 1024
    return f"{size}Gi"


def slice_of(node: str, node_uid: str, driver: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the only slice of a node; it goes when the node goes."""
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {
            "name": slice_name(node, driver),
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Node", "name": node, "uid": node_uid}
            ],
        },
        "spec": {
            "driver": driver,
            "nodeName": node,
            "pool": {"name": node, "generation": 1, "resourceSliceCount": 1},
            "devices": found,
        },
    }


def slice_name(node: str, driver: str) -> str:
    """Return the name of a node's slice."""
    return f"{node}-{driver}"


def shows(found: Mapping[str, Any], wanted: list[dict[str, Any]]) -> bool:
    """Tell whether a slice of the API server shows these devices, whatever else it has."""
    keys = ("name", "attributes", "capacity")
    shown = (found.get("spec") or {}).get("devices") or []
    return [[d.get(key) for key in keys] for d in shown] == [
        [d.get(key) for key in keys] for d in wanted
    ]
