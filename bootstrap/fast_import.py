"""Imports this project's modules with less ado than Python's own importer.

An engine waits for some fifty of them at each call. Python lists each directory of the path and of
the packages, and needs a dozen system calls for each file. Here the place of a module follows from
its name. What Python has compiled before is checked as Python does it (PEP 552); whatever is not as
expected is left to Python.
"""

from __future__ import annotations

import os
import sys

# These are importlib.machinery's, which takes time to import.
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader
from marshal import loads

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from types import CodeType

_PACKAGES = ("adapters", "bootstrap", "domain")
_SOURCES = __file__.removesuffix("bootstrap/fast_import.py")
_COMPILED = f".{sys.implementation.cache_tag}.pyc"


def install() -> None:
    """Use this importer from now on, unless Python keeps compiled files at another place."""
    if not sys.flags.optimize and not sys.pycache_prefix:
        sys.meta_path.insert(0, _Finder)


class _Finder:
    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0] not in _PACKAGES:
            return None
        directory = _SOURCES + name.replace(".", "/")
        for place in (directory, f"{directory}/__init__"):
            try:
                source = os.stat(f"{place}.py")
            except OSError:
                continue
            parent, _, base = place.rpartition("/")
            compiled = f"{parent}/__pycache__/{base}{_COMPILED}"
            loader = _Loader(name, f"{place}.py", compiled, source)
            spec = ModuleSpec(name, loader, origin=loader.path, is_package=place != directory)
            spec.has_location = True  # so the module gets its __file__
            spec.cached = compiled
            if spec.submodule_search_locations is not None:
                spec.submodule_search_locations.append(directory)
            return spec
        return None


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, compiled: str, source: os.stat_result) -> None:
        super().__init__(name, path)
        self._compiled = compiled
        stamps = (0, int(source.st_mtime), source.st_size)  # 0: compared by time and size
        self._head = MAGIC_NUMBER + b"".join(
            (stamp & 0xFFFFFFFF).to_bytes(4, "little") for stamp in stamps
        )

    def get_code(self, fullname: str) -> CodeType | None:
        data = _read(self._compiled)
        if data.startswith(self._head):
            code: CodeType = loads(memoryview(data)[len(self._head) :])  # noqa: S302
            return code
        return super().get_code(fullname)


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(descriptor, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)
    except OSError:
        return b""
