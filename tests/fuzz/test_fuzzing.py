"""Each target takes what Atheris makes up in some seconds; `script/fuzz` gives it hours."""

from __future__ import annotations

import pytest

from tests.fuzz import run
from tests.fuzz.targets import TARGETS

pytest.importorskip("atheris", reason="Atheris has no wheel for this machine", exc_type=ImportError)

SECONDS = 5


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes(name, tmp_path, record_property):
    result = run.fuzz(name, SECONDS, tmp_path)
    record_property("fuzzed", result.inputs)
    assert not result.error, result
    assert result.inputs > len(list(TARGETS[name].corpus.iterdir()))


@pytest.mark.slow
def test_a_defect_is_found(tmp_path, monkeypatch):
    """The process does not share this one's modules, so the environment tells it what to break."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "sitecustomize.py").write_text(
        "import domain.elf\ndomain.elf._ElfReader._within = lambda *_: None\n"
    )
    result = run.fuzz("elf", 60, tmp_path)  # at most: it ends at the defect
    assert result.error.startswith(("error", "AssertionError: the kernel reads"))
    assert result.found.startswith(str(tmp_path / "found" / "elf-"))
