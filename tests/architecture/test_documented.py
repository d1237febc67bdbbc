"""Proves that documents name all annotations, keys, boards, metrics and commands, and no others."""

from __future__ import annotations

import re

import pytest

from bootstrap.config_file import parse_config
from domain.annotations import known
from domain.builtin_exec import COMMANDS
from domain.errors import InvalidRequest
from tests.architecture.sources import ROOT

SUFFIX = "_total"  # prometheus_client appends it to a counter's name


def section(document: str, heading: str) -> str:
    """Return the text below a heading of a document, up to the next one of the same level."""
    text = (ROOT / "docs" / document).read_text()
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> set[str]:
    """Return the names in the first cells of a text's tables."""
    cells = re.findall(r"^\| (`[^|]*`) \|", text, re.M)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def keys_that_errors_name(text: str) -> set[str]:
    """Return the keys that are known where this configuration has an unknown one."""
    with pytest.raises(InvalidRequest, match="known are") as caught:
        parse_config(text, "config.yaml")
    return set(str(caught.value).split("known are ")[1].split(", "))


def test_annotations():
    rows = first_cells(section("configuration.md", "Annotations"))
    assert rows == {*known(), "remoteproc.KEY.CONTAINER"}


def test_keys_of_the_configuration():
    rows = first_cells(section("configuration.md", "Configuration"))
    general = keys_that_errors_name("x: 1")
    assert rows == general | keys_that_errors_name("processors: {m4: {x: 1}}")
    text = section("configuration.md", "Configuration")
    assert [k for k in keys_that_errors_name("kubernetes: {x: 1}") if f"`{k}`" not in text] == []


def test_boards():
    text = (ROOT / "docs/simulated-boards.md").read_text()
    shipped = {path.stem for path in (ROOT / "adapters/sim/boards").glob("*.yaml")}
    # `quad` is described beside the board that it has four of, `idle` in the text.
    assert shipped - set(re.findall(r"`([\w-]+)`", text)) == set()
    assert first_cells(text) - shipped == set()


def test_metrics():
    source = (ROOT / "adapters/metrics/collector.py").read_text()
    rows = first_cells(section("kubernetes.md", "Metrics"))
    made = set(re.findall(r'"(remoteproc_\w+)"', source))
    assert {row.removesuffix(SUFFIX) for row in rows} == made


def test_commands_of_exec():
    text = section("oci-compliance.md", "Inside a container")
    assert [command for command in COMMANDS if f"`{command}`" not in text] == []
