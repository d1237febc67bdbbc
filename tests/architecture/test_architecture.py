"""Proves which packages import which, and that a wrong import fails the proof."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.sources import MODULES, PACKAGES, ROOT

CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]


def lint(directory):
    """Check the contracts on the packages in a directory; return exit code and output."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache", "--no-logo"],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_all_contracts_are_kept():
    code, output = lint(ROOT)
    assert code == 0, output
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in output


# --- the checker itself ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The packages in a directory of their own."""
    directory = tmp_path_factory.mktemp("copy")
    ignore = shutil.ignore_patterns("__pycache__", "boards")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, directory / package, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", directory)
    return directory


BREACHES = [
    ("domain/container.py", "import adapters.linux.files", "Arrows point inwards"),
    ("domain/container.py", "import bootstrap.settings", "Arrows point inwards"),
    ("adapters/oci/render.py", "import bootstrap.settings", "Arrows point inwards"),
    ("adapters/linux/files.py", "import dependency_injector", "dependency-injector"),
    ("bootstrap/programs.py", "from dependency_injector import providers", "dependency-injector"),
    ("bootstrap/programs.py", "import bootstrap.container", "Programs run on boards that have no"),
    (
        "adapters/oci/render.py",
        "import adapters.sim.board_file",
        "Input adapters import no backend",
    ),
    (
        "adapters/containerd/__init__.py",
        "import adapters.sysfs",
        "Input adapters import no backend",
    ),
    (
        "adapters/kubernetes/node_watch.py",
        "import adapters.sysfs.board",
        "Input adapters import no backend",
    ),
    ("adapters/sysfs/__init__.py", "import adapters.sim.spec", "Backends do not import each other"),
    ("adapters/sim/spec.py", "import adapters.oci.render", "Backends import no input adapter"),
    ("adapters/sim/spec.py", "import adapters.metrics", "Backends import no input adapter"),
    ("adapters/linux/files.py", "import adapters.sim.spec", "The host's packages"),
    ("adapters/linux/files.py", "import adapters.metrics", "The host's packages"),
    (
        "adapters/containerd/ttrpc/frames.py",
        "import domain.errors",
        "ttrpc depends on nothing else",
    ),
    (
        "adapters/containerd/ttrpc/frames.py",
        "import adapters.containerd.api.anys",
        "ttrpc depends on nothing else",
    ),
]


@pytest.mark.parametrize(("module", "statement", "contract"), BREACHES)
def test_a_breach_is_found(copy, module, statement, contract):
    """The import is in a function: a late import counts as any other."""
    path = copy / module
    kept = path.read_text()
    try:
        path.write_text(f"{kept}\n\ndef late():\n    {statement}\n")
        code, output = lint(copy)
    finally:
        path.write_text(kept)
    assert code == 1, output
    broken = [line for line in output.splitlines() if " BROKEN" in line]
    assert any(contract in line for line in broken), output


def test_the_copy_is_sound_without_a_breach(copy):
    assert lint(copy)[0] == 0


def test_each_contract_has_a_breach_that_is_found():
    names = [contract["name"] for contract in CONTRACTS]
    unseen = [n for n in names if not any(contract in n for _, _, contract in BREACHES)]
    assert unseen == []


def test_each_package_of_adapters_is_in_a_contract():
    there = {f"adapters.{path.parent.name}" for path in (ROOT / "adapters").glob("*/__init__.py")}
    bound = [c.get("source_modules", []) + c.get("modules", []) for c in CONTRACTS]
    assert there - set().union(*bound) == set(), "name it in pyproject.toml among its like"


# --- what import-linter cannot say ----------------------------------------------------------


def nodes(path):
    """Return the nodes of a module, without those that only type checkers see."""
    waiting = [ast.parse((ROOT / path).read_text())]
    while waiting:
        node = waiting.pop()
        yield node
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.If) and ast.unparse(inner.test) == "TYPE_CHECKING":
                waiting += inner.orelse
            else:
                waiting.append(inner)


def imports(path):
    """Return the absolute names that a module imports, also in functions."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # `from . import x` in a/b/c.py is of a.b, as `from .. import x` is of a.
            above = path.parts[: len(path.parts) - node.level] if node.level else ()
            yield ".".join((*above, *([node.module] if node.module else [])))


def test_the_modules_are_found():
    assert len(MODULES) > 50


PURE = {
    *("__future__", "collections", "contextlib", "dataclasses", "enum", "functools", "re"),
    *("itertools", "math", "struct", "typing", "operator", "hashlib", "binascii"),
    # For constants, os.strerror and the default clock alone: see the next test.
    *("errno", "os", "signal", "time"),
}


@pytest.mark.parametrize("path", [m for m in MODULES if m.parts[0] == "domain"], ids=str)
def test_the_domain_is_pure(path):
    """It imports itself, and those modules of the standard library that do no I/O."""
    for name in imports(path):
        top = name.partition(".")[0]
        assert top == "domain" or top in PURE, f"{path} imports {name}"


ALLOWED_OF = {
    "os": {"strerror"},
    "signal": {"Signals", "SIGTERM", "SIGINT"},
    "time": {"time"},
    "_errno": {"errorcode", "EACCES", "EFBIG", "EMFILE", "ENOSPC", "EROFS"},
}


@pytest.mark.parametrize("path", [m for m in MODULES if m.parts[0] == "domain"], ids=str)
def test_the_domain_does_no_io(path):
    for node in nodes(path):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used = ALLOWED_OF.get(node.value.id)
            assert used is None or node.attr in used, f"{path} uses {node.value.id}.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input", "exec", "eval"), str(path)
        elif isinstance(node, ast.ImportFrom) and node.module in ("os", "signal", "time"):
            raise AssertionError(f"{path} imports from {node.module}")


@pytest.mark.parametrize(
    "path", [m for m in MODULES if m.parts[:3] == ("adapters", "containerd", "ttrpc")], ids=str
)
def test_ttrpc_stands_alone(path):
    for name in imports(path):
        own = name.startswith("adapters.containerd.ttrpc")
        known = name.partition(".")[0] in sys.stdlib_module_names or name.startswith("google.")
        assert own or known, f"{path} imports {name}"
