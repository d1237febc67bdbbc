"""Proves that files and tests that the documents name exist, and that each decision is complete."""

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
PATH = re.compile(r"`((?:domain|adapters|bootstrap|tests|features|script|bench|docs)/[\w./-]+)`")
PROOF = re.compile(r"`((?:integration|unit|contract|engines)/\w+|podman|docker)::(\w+)`")
ENGINES = {"podman": "engines/test_podman_remoteproc", "docker": "engines/test_docker_path"}
COMPLIANCE = ROOT / "docs/oci-compliance.md"
DECISIONS = ROOT / "docs/decisions"
RECORDS = sorted(DECISIONS.glob("0*.md"))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    links = [link for link in LINK.findall((ROOT / document).read_text()) if "://" not in link]
    assert [link for link in links if not (ROOT / document).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document):
    """A feature may be named by its code alone, as in `features/HOS001`."""
    paths = PATH.findall((ROOT / document).read_text())
    assert [path for path in paths if not any(ROOT.glob(f"{path.rstrip('/')}*"))] == []


def test_the_proofs_of_compliance_exist():
    named = PROOF.findall(COMPLIANCE.read_text())
    sources = {
        file: (ROOT / f"tests/{ENGINES.get(file, file)}.py").read_text() for file, _ in named
    }
    assert [pair for pair in named if f"def {pair[1]}(" not in sources[pair[0]]] == []


def test_links_paths_and_proofs_are_found():
    assert LINK.findall("see [a](b.md), [c](d/e.md#f)") == ["b.md", "d/e.md"]
    assert PATH.findall("`script/check` and `domain/ports/`") == ["script/check", "domain/ports/"]
    assert PROOF.findall("`unit/test_a::test_b`, `podman::test_c`") == [
        ("unit/test_a", "test_b"),
        ("podman", "test_c"),
    ]
    assert "README.md" in DOCUMENTS and len(PROOF.findall(COMPLIANCE.read_text())) > 10


def test_records_are_numbered_without_gaps_and_listed_in_their_order():
    names = [record.name for record in RECORDS]
    assert [name[:4] for name in names] == [f"{n:04}" for n in range(1, len(names) + 1)]
    assert re.findall(r"\]\((0\d+-.*\.md)\)", (DECISIONS / "README.md").read_text()) == names


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_its_parts(record):
    text = record.read_text()
    assert text.startswith(f"# {record.name[:4]}: ")
    assert re.findall(r"^## (.*)$", text, re.M) == ["Context", "Decision", "Consequences"]
