"""Proves that no modules of the domain import each other in a circle, not even in functions or for
type checkers only; and that a circle would be found."""

from __future__ import annotations

import ast

from tests.architecture.sources import MODULES, ROOT


def imports():
    """Return for each module of the domain the modules of the domain that it imports."""
    paths = {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): ROOT / path
        for path in MODULES
        if path.parts[0] == "domain"
    }
    found = {}
    for name, path in paths.items():
        imported = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                imported |= {f"{node.module}.{alias.name}" for alias in node.names}
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
        found[name] = imported & paths.keys() - {"domain"}
    return found


def circles(graph):
    """Return the modules that are on a circle or import one; others are removed one by one."""
    left = {name: set(targets) for name, targets in graph.items()}
    while done := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in done:
            del left[name]
    return sorted(left)


def test_the_domain_has_no_import_circle():
    graph = imports()
    assert len(graph) > 20 and any(graph.values())
    assert circles(graph) == []


def test_a_circle_would_be_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set(), "e": {"d"}}) == ["a", "b", "c"]
