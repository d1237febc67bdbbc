"""Compares the importer of the programs with Python's own: what it finds, and what it believes."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys

import pytest

from tests.architecture.sources import ROOT

INSTALL = "from bootstrap.fast_import import install; install();"
# Some modules, as a module of this project sees them.
DESCRIBE = """
import adapters.oci.commands.state, bootstrap.settings, domain.lifecycle, sys
for name, module in sorted(sys.modules.items()):
    if name.partition(".")[0] in ("adapters", "domain") or name == "bootstrap.settings":
        spec = module.__spec__
        print(name, module.__file__, module.__cached__, getattr(module, "__path__", None))
        print(module.__package__, spec.origin, spec.parent, spec.loader.is_package(name))
        print(len(spec.loader.get_source(name)))
"""
TELL = """
import sys
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
import domain.one
print(domain.one.VALUE, *sorted(path.rpartition("/")[2] for path in opened if "/one." in path))
"""


def run(code, path=ROOT, *options, check=True):
    code = f"import sys; sys.path.insert(0, {str(path)!r}); {code}"
    command = [sys.executable, "-I", "-S", *options, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=check)


def test_modules_are_as_by_pythons_importer():
    described = run(INSTALL + DESCRIBE).stdout
    assert "domain.lifecycle" in described
    assert described == run(DESCRIBE).stdout


@pytest.fixture
def tree(tmp_path):
    """A directory with the importer and one module, which is not compiled yet."""
    for name in ("bootstrap", "domain"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    source = (ROOT / "bootstrap" / "fast_import.py").read_text()
    (tmp_path / "bootstrap" / "fast_import.py").write_text(source)
    (tmp_path / "domain" / "one.py").write_text("VALUE = 1\n")
    return tmp_path


def told(tree, *options):
    """Import the module; return its value, and which of its files were opened, once compiled."""
    value, *files = run(INSTALL + TELL, tree, *options).stdout.split()
    return int(value), [name.removeprefix("one.") for name in files]


COMPILED = f"{sys.implementation.cache_tag}.pyc"


def test_what_is_compiled_is_read_and_nothing_else(tree):
    run("import domain.one", tree, "-B")
    assert told(tree)[0] == 1
    assert told(tree) == (1, [COMPILED])


def edit_in_place(source, compiled):
    """Leave the size as it is."""
    source.write_text("VALUE = 2\n")
    os.utime(source, (1, 1))


def edit_at_the_same_time(source, compiled):
    before = source.stat()
    source.write_text("VALUE = 1 + 1\n")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))


def come_from_another_python(source, compiled):
    source.write_text("VALUE = 2\n")
    compiled.write_bytes(b"\0\0\0\0" + compiled.read_bytes()[4:])


def compile_by_hash(source, compiled):
    source.write_text("VALUE = 2\n")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(source), str(compiled), invalidation_mode=mode)


def vanish(source, compiled):
    source.write_text("VALUE = 2\n")
    compiled.unlink()


CHANGES = [edit_in_place, edit_at_the_same_time, come_from_another_python, compile_by_hash, vanish]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_not_as_expected_is_left_to_python(tree, change):
    told(tree)
    change(tree / "domain" / "one.py", tree / "domain" / "__pycache__" / f"one.{COMPILED}")
    assert told(tree)[0] == 2


@pytest.mark.parametrize("option", ["-O", "-Xpycache_prefix={tree}/elsewhere"])
def test_other_places_of_compiled_files_are_left_to_python(tree, option):
    told(tree)
    value, files = told(tree, option.format(tree=tree))
    assert value == 1 and "py" in files


def test_a_module_that_is_not_there(tree):
    result = run(f"{INSTALL} import domain.two", tree, check=False)
    assert "ModuleNotFoundError: No module named 'domain.two'" in result.stderr
