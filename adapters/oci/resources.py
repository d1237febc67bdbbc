"""Reads which limits `update` changes: a LinuxResources object of the runtime specification."""

from __future__ import annotations

from adapters.oci.bundle import load_json, parse_json
from adapters.oci.json_value import Value
from adapters.oci.linux_section import read_limits


def read_resources(data: bytes, name: str) -> dict[str, int | str]:
    """Return the limits in JSON, which `name` names in errors. Raises InvalidRequest."""
    return read_limits(Value(parse_json(data, name), "the document", name))


def read_resources_file(path: str) -> dict[str, int | str]:
    """Return the limits in a file of JSON. Raises NotFound, InvalidRequest."""
    return read_limits(Value(load_json(path), "the document", path))
