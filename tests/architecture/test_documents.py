"""Proves that the documents' links lead somewhere, and that each decision is on record whole."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.architecture.sources import ROOT

DOCUMENTS = sorted(
    subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.splitlines()
)
LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")
DECISIONS = ROOT / "docs/decisions"
RECORDS = sorted(DECISIONS.glob("0*.md"))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    links = [link for link in LINK.findall((ROOT / document).read_text()) if "://" not in link]
    assert [link for link in links if not (ROOT / document).parent.joinpath(link).exists()] == []


def test_links_are_found():
    assert LINK.findall("see [a](b.md), [c](d/e.md#f)") == ["b.md", "d/e.md"]
    assert "README.md" in DOCUMENTS


def test_records_are_numbered_without_gaps_and_listed_in_their_order():
    names = [record.name for record in RECORDS]
    assert [name[:4] for name in names] == [f"{n:04}" for n in range(1, len(names) + 1)]
    assert re.findall(r"\]\((0\d+-.*\.md)\)", (DECISIONS / "README.md").read_text()) == names


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_its_parts(record):
    text = record.read_text()
    assert text.startswith(f"# {record.name[:4]}: ")
    assert re.findall(r"^## (.*)$", text, re.M) == ["Context", "Decision", "Consequences"]
