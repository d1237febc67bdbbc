"""Proves that the packages of distributions have all that the programs import."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import sys
from glob import glob

import pytest

from adapters import __version__

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OURS = ("adapters", "bootstrap", "domain")
RECIPES = f"{CHECKOUT}/packaging/meta-remoteproc-runtime/recipes-containers/remoteproc-runtime"
# The packages that scarthgap makes of Python 3.12, by what they have: python3-manifest.json of
# openembedded-core. importlib.metadata is in core, and imports email.
OWNERS = {
    module: package
    for package, modules in {
        "click": ["click"],
        "compression": ["gzip"],
        "crypt": ["hashlib"],
        "ctypes": ["_ctypes", "ctypes"],
        "difflib": ["difflib"],
        "email": ["importlib.metadata"],
        "fcntl": ["fcntl"],
        "io": ["_socket", "socket", "termios"],
        "json": ["_json", "json"],
        "mmap": ["mmap"],
        "netclient": ["base64"],
        "protobuf": ["google.protobuf"],
        "pyyaml": ["yaml"],
        "resource": ["resource"],
        "terminal": ["tty"],
    }.items()
    for module in modules
}
CORE = {
    *("_frozen_importlib", "_frozen_importlib_external", "marshal"),
    *("__future__", "_signal", "_thread", "binascii", "bisect", "collections", "contextlib"),
    *("enum", "errno", "faulthandler", "functools", "gc", "importlib", "itertools", "lzma"),
    *("math", "os", "pkgutil", "pwd", "re", "select", "shutil", "signal", "stat", "struct"),
    *("subprocess", "sys", "threading", "time", "traceback", "types", "typing", "urllib.parse"),
    "zlib",
}
# These need packages of their own, and say so where they are missing.
OPTIONAL = ("adapters/kubernetes/", "adapters/metrics/", "adapters/images/signature.py")
SIMULATOR = ("adapters/sim/fuse/", "bootstrap/sim.py")
SHIM = ("adapters/containerd/", "bootstrap/shim.py")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    subprocess.run(
        [f"{CHECKOUT}/packaging/install", root, "/usr/lib/python3/site-packages"], check=True
    )
    return root


def imports(module):
    """Return what a module imports, wherever in it, as far as it is not ours."""
    found: set[str] = set()
    with open(module, encoding="utf-8") as file:
        for node in ast.walk(ast.parse(file.read())):
            if isinstance(node, ast.Import):
                found.update(each.name for each in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                # `from importlib import metadata` imports a module of the package, too.
                names = {f"{node.module}.{each.name}" for each in node.names}
                found.update(names & OWNERS.keys() or {node.module})
    return {name for name in found if name.partition(".")[0] not in OURS}


def package_of(name):
    """Return Yocto's package that has a module; `core` for what the interpreter itself has."""
    while name not in OWNERS and name not in CORE and "." in name:
        name = name.rpartition(".")[0]
    assert name in OWNERS or name in CORE, f"look up which package has {name}"
    return OWNERS.get(name, "core")


def needed(root, wanted):
    """Return the packages that the modules import whose paths `wanted` accepts."""
    modules = f"{root}/usr/share/remoteproc-runtime"
    paths = glob(f"{modules}/**/*.py", recursive=True)
    wanted_paths = [path for path in paths if wanted(os.path.relpath(path, modules))]
    assert len(wanted_paths) > 10
    return {f"python3-{package_of(name)}" for path in wanted_paths for name in imports(path)}


def recipe():
    (path,) = glob(f"{RECIPES}/*.bb")
    with open(path) as file:
        return path, file.read().replace("\\\n", " ")


def dependencies(package):
    match = re.search(rf'^RDEPENDS:{re.escape(package)} = "([^"]*)"', recipe()[1], re.MULTILINE)
    assert match
    return set(match[1].split())


def test_yoctos_package_depends_on_what_its_modules_import_and_on_no_more(installed):
    others = (*OPTIONAL, *SIMULATOR, *SHIM)
    assert dependencies("${PN}") == needed(installed, lambda path: not path.startswith(others))


def test_yoctos_shim_needs_protobuf_beside_the_runtime(installed):
    more = needed(installed, lambda path: path.startswith(SHIM)) - dependencies("${PN}")
    assert dependencies("containerd-shim-remoteproc") == {"${PN}", *more} != {"${PN}"}


def test_recipes_name_this_version_and_this_licence():
    path, text = recipe()
    assert os.path.basename(path) == f"remoteproc-runtime_{__version__}.bb"
    with open(f"{CHECKOUT}/LICENSE", "rb") as file:
        digest = hashlib.md5(file.read(), usedforsecurity=False).hexdigest()
    assert f"file://LICENSE;md5={digest}" in text
    make = f"{CHECKOUT}/packaging/buildroot/package/remoteproc-runtime/remoteproc-runtime.mk"
    with open(make) as file:
        assert f"REMOTEPROC_RUNTIME_VERSION = {__version__}\n" in file.read()


def test_installed_programs_run_without_the_checkout(installed):
    modules = f"{installed}/usr/share/remoteproc-runtime"
    with open(f"{installed}/usr/bin/remoteproc-runtime") as file:
        program = file.read()
    assert program.startswith("#!/usr/bin/python3 -IS\n")
    done = subprocess.run(
        [
            sys.executable,
            "-ISBc",
            program.replace("/usr/share/remoteproc-runtime", modules),
            "list",
        ],
        cwd="/",
        env={"XDG_RUNTIME_DIR": str(installed)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and done.stdout.startswith("ID"), done
