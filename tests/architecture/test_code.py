"""Proves the rules of the code itself: docstrings, names, lengths, and the places of modules."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping

import pytest

from tests.architecture.sources import MODULES, ROOT

Function = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_modules_are_short(path):
    lines = len((ROOT / path).read_text().splitlines())
    assert lines <= 300, f"{path} has {lines} lines"


def test_adapters_are_in_packages():
    assert [path.name for path in (ROOT / "adapters").glob("*.py")] == ["__init__.py"]


def test_the_injector_is_named_by_the_containers_and_the_generator_only():
    naming = {str(m) for m in MODULES if "dependency_injector" in (ROOT / m).read_text()}
    containers = {"bootstrap/container.py", "bootstrap/shim_container.py"}
    assert naming == {*containers, "bootstrap/generate.py"}


# --- classes --------------------------------------------------------------------------------


def classes_of(source: str) -> list[ast.ClassDef]:
    """Return the classes of a module, but not those inside functions and classes."""
    return [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]


def all_classes() -> list[tuple[str, ast.ClassDef]]:
    """Return path and class of all that the product defines."""
    return [(str(m), node) for m in MODULES for node in classes_of((ROOT / m).read_text())]


def same_names(classes) -> dict[str, list[str]]:
    """Return the paths of classes that share a name, by the name."""
    places = defaultdict(list)
    for path, node in classes:
        places[node.name].append(path)
    return {name: paths for name, paths in places.items() if len(paths) > 1}


# Two meanings of one word, each usual in its place. Better rename a class than add it here.
HOMONYMS: set[str] = set()


def test_no_two_classes_share_a_name():
    found = same_names(all_classes())
    assert {name: paths for name, paths in found.items() if name not in HOMONYMS} == {}
    assert set(found) >= HOMONYMS, "a name in HOMONYMS is unique by now"


def test_classes_of_one_name_are_found():
    pair = [(path, node) for path in "ab" for node in classes_of("class A: ...")]
    assert same_names(pair) == {"A": ["a", "b"]}


# --- docstrings -----------------------------------------------------------------------------


def methods(node: ast.ClassDef) -> Iterator[Function]:
    """Return the public methods and properties that a class itself defines."""
    for inner in node.body:
        if isinstance(inner, Function) and not inner.name.startswith("_"):
            decorators = [ast.unparse(decorator) for decorator in inner.decorator_list]
            if not any(name.endswith((".setter", "overload")) for name in decorators):
                yield inner


def members(node: ast.ClassDef) -> set[str]:
    """Return the names that a class defines: methods, and attributes, also those of instances."""
    found = {method.name for method in methods(node)}
    for inner in ast.walk(node):
        if isinstance(inner, ast.AnnAssign | ast.Assign):
            targets = inner.targets if isinstance(inner, ast.Assign) else [inner.target]
            each = [node for target in targets for node in ast.walk(target)]
            found |= {ast.unparse(n).removeprefix("self.") for n in each if isinstance(n, ast.expr)}
    return found


def lineage(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """Return a class and those of the product's classes from which it inherits."""
    found = [node]
    for base in node.bases:
        name = ast.unparse(base).rpartition(".")[2]
        if name in classes:
            found += lineage(classes[name], classes)
    return found


def undocumented(classes: Mapping[str, ast.ClassDef]) -> list[str]:
    """Return the methods of public classes without documentation.

    A method is documented by its docstring, by the same method of a class from which it inherits,
    or by that of a protocol which its class implements, as all do that have all its methods.
    """
    protocols = [
        node for node in classes.values() if "Protocol" in [ast.unparse(b) for b in node.bases]
    ]
    missing = []
    for node in classes.values():
        family = lineage(node, classes)
        has = set().union(*map(members, family))
        implemented = [p for p in protocols if has >= {m.name for m in methods(p)}]
        documented = {
            method.name
            for source in (*family, *implemented)
            for method in methods(source)
            if ast.get_docstring(method)
        }
        if not node.name.startswith("_"):
            missing += [f"{node.name}.{m.name}" for m in methods(node) if m.name not in documented]
    return missing


def test_public_methods_say_what_they_do():
    """Ruff's D1 asks the same of modules, classes and functions."""
    missing = undocumented({node.name: node for _, node in all_classes()})
    assert not missing, f"{', '.join(missing)}: no docstring, and no port that has one"


PORT = """
class Port(Protocol):
    def read(self): "Read."
    def close(self): "Close."
"""


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("class A:\n def read(self): ...", ["A.read"]),
        ("class A:\n def read(self): ...\n def close(self): ...", []),
        ("class A:\n def read(self): ...\n def __init__(self): self.close = f", []),
        ("class A:\n def read(self): ...\n def __init__(self): self.a, self.close = f", []),
        ("class A:\n def read(self): ...\n def close(self): ...\n def more(self): ...", ["A.more"]),
        ("class A:\n def close(self): 'Close.'\nclass B(A):\n def read(self): ...", []),
        ("class A:\n def go(self): 'Go.'\nclass B(A):\n def go(self): ...", []),
        ("class A:\n def go(self): ...\nclass B(A):\n def go(self): 'Go.'", ["A.go"]),
        ("class A:\n def _own(self): ...", []),
        ("class _A:\n def own(self): ...", []),
    ],
)
def test_a_method_without_any_docstring_is_found(code, missing):
    assert undocumented({node.name: node for node in classes_of(PORT + code)}) == missing
