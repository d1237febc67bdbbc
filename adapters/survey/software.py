"""Which Python packages there are, whether the modules are compiled, what users have."""

from __future__ import annotations

import os
from importlib import import_module, metadata, util

_PACKAGES = {"click": "click", "protobuf": "google.protobuf", "PyYAML": "yaml"}


def packages() -> dict[str, str]:
    """Return the versions of the packages that the programs import, `` for one that is missing."""
    return {name: _version(name, module) for name, module in _PACKAGES.items()}


def _version(name: str, module: str) -> str:
    try:
        import_module(module)
    except ImportError:
        return ""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "0"  # there, but nothing says which


def bytecode_problem(sources: str) -> str:
    """Return why each start compiles the modules below `sources` again, `` if it does not."""
    for module in ("domain/container.py", "adapters/oci/fast_args.py"):
        source = os.path.join(sources, module)
        try:
            compiled = os.stat(util.cache_from_source(source))
        except OSError:
            if os.access(os.path.dirname(source), os.W_OK, effective_ids=True):
                continue  # the next start leaves it there
            return f"the modules in {sources} are not compiled, and cannot be: it is not writable"
        if not compiled.st_size:
            return f"the compiled modules in {sources} are empty"
    return ""


def subordinate_ids(user: str, uid: int, etc: str = "/etc") -> bool:
    """Return whether a user has ids for user namespaces (subuid(5), subgid(5))."""
    return all(_has_range(f"{etc}/{name}", (user, str(uid))) for name in ("subuid", "subgid"))


def _has_range(path: str, names: tuple[str, ...]) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return any(line.partition(":")[0] in names for line in file)
    except OSError:
        return False
