"""Proves that what is read without click is read as click reads it, word for word."""

from __future__ import annotations

import inspect
from importlib import import_module

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.oci import commands, fast_args
from adapters.oci.args_table import COMMANDS, GLOBAL_OPTIONS
from adapters.oci.cli import cli
from adapters.oci.commands import CommandContext
from adapters.oci.exit_codes import LogTarget

MODULES = {name: import_module(f"{commands.__name__}.{name}") for name in COMMANDS}

# What engines, people and mistakes are made of.
WORDS = [*COMMANDS, "features", "run", "--help"]
FLAGS = [
    *(
        flag
        for grammar in (GLOBAL_OPTIONS, *COMMANDS.values())
        for flag in (*grammar["values"], *grammar["flags"])
    ),
    "--root=/r",
    "--log-format=json",
    "--log-level=loud",
    "--bundle=b",
    "--format=json",
    "--detach=yes",
    "--nonsense",
    "--",
    "-",
]
VALUES = ["c1", "json", "text", "table", "debug", "warn", "disabled", "9", "KILL", "/b", "", "c 2"]
words = st.sampled_from(FLAGS) | st.sampled_from(VALUES)
junk = st.builds(
    lambda before, command, after: [*before, command, *after],
    st.lists(words, max_size=4),
    st.sampled_from(WORDS),
    st.lists(words, max_size=6),
)


def pieces(grammar):
    """Options as somebody would write them, each a list of words."""
    kinds = [st.sampled_from([[flag] for flag in grammar["flags"]])] if grammar["flags"] else []
    if grammar["values"]:
        options = st.tuples(st.sampled_from(list(grammar["values"])), st.sampled_from(VALUES))
        kinds += [options.map(list), options.map(lambda pair: ["=".join(pair)])]
    return st.one_of(kinds) if kinds else st.nothing()


@st.composite
def sensible(draw):
    """A command with options of its own, in any order, now and then with a word too many."""
    name = draw(st.sampled_from(list(COMMANDS)))
    grammar = COMMANDS[name]
    before = draw(st.lists(pieces(GLOBAL_OPTIONS), max_size=2))
    has_options = grammar["values"] or grammar["flags"]
    after = draw(st.lists(pieces(grammar), max_size=3)) if has_options else []
    count = draw(st.integers(grammar["required"], len(grammar["arguments"])))
    after += [[draw(st.sampled_from(VALUES))] for _ in range(count)]
    if draw(st.integers(0, 4)) == 0:
        after.append([draw(words)])
    line = [*before, [name], *draw(st.permutations(after))]
    return [word for piece in line for word in piece]


argv = sensible() | junk


class Recorded(Exception):
    """A command would have been carried out."""


@pytest.fixture(scope="module", autouse=True)
def recording():
    """Let each command only say what it was called with."""

    def stand_in(name, run):
        signature = inspect.signature(run)

        def record(context, *args, **kwargs):
            arguments = signature.bind(context, *args, **kwargs).arguments
            arguments["words"] = tuple(arguments.get("words", ()))
            del arguments["context"]
            where = (context.config, context.root, context.cgroups)
            log = (context.log.file, context.log.json, context.log.debug)
            raise Recorded(name, arguments, where, log)

        return record

    with pytest.MonkeyPatch.context() as patch:
        for name, module in MODULES.items():
            patch.setattr(module, "run", stand_in(name, module.run))
        yield


def no_lifecycle(config, root, _=""):
    raise AssertionError("no command is carried out")


def recorded(work):
    unused = (no_lifecycle, no_lifecycle, no_lifecycle)
    context = CommandContext(no_lifecycle, no_lifecycle, LogTarget(), *unused)
    try:
        work(context)
    except Recorded as call:
        return call.args
    except (click.ClickException, click.exceptions.Exit, SystemExit) as error:
        return error
    return None


def by_click(line):
    return recorded(lambda context: cli.main(line, obj=context, standalone_mode=False))


@settings(max_examples=1500)
@given(argv)
def test_both_read_alike(line):
    call = fast_args.parse(line)
    if call is not None:
        assert by_click(list(line)) == recorded(call.run)


ENGINES = [
    # conmon
    "create --bundle /b --pid-file /p c1",
    "--systemd-cgroup create --bundle /b --pid-file /p --no-pivot --no-new-keyring c1",
    "create --bundle /b --pid-file /p --console-socket /s c1",
    "exec --pid-file /p --process /f --detach c1",
    "exec --pid-file /p --process /f --detach --tty --console-socket /s c1",
    # podman
    "start c1",
    "state c1",
    "kill c1 15",
    "kill --all c1 9",
    "delete --force c1",
    "pause c1",
    "resume c1",
    # containerd's runc shim
    "--root /r --log /l --log-format json create --bundle /b --pid-file /p c1",
    "--root /r --log /l --log-format json --systemd-cgroup start c1",
    "--root /r --log /l --log-format json kill --all c1 9",
    "--root /r --log /l --log-format json ps --format json c1",
    "--root /r --log /l --log-format json delete c1",
    # with debugging
    "--log-level=debug --cgroup-manager cgroupfs state c1",
    "--debug --rootless true state c1",
    # podman --runtime-flag annotations=...
    "--annotations=remoteproc.name=m4,remoteproc.console=none create --bundle /b c1",
    "--annotations=remoteproc.name=m4 start c1",
]


@pytest.mark.parametrize("line", ENGINES)
def test_what_engines_say_needs_no_click(line):
    call = fast_args.parse(line.split())
    assert call is not None
    assert by_click(line.split()) == recorded(call.run)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--help",
        "create",
        "state",
        "state a b",
        "--log-format yaml state c1",
        "--log-level loud state c1",
        "ps --format xml c1",
        "exec c1 status",
        "kill --all=1 c1",
        "state --unknown c1",
        "delete c1 -- -f",
        "--root",
        "--root -x state c1",
    ],
)
def test_all_else_is_left_to_click(line):
    assert fast_args.parse(line.split()) is None


def test_quick_calls_import_no_click():
    import subprocess
    import sys

    code = (
        "import sys; from adapters.oci import fast_args; fast_args.parse(sys.argv[1:]);"
        "[__import__(f'adapters.oci.commands.{name}') for name in fast_args.COMMANDS];"
        "heavy = {'click', 'subprocess', 'yaml', 'ctypes', 'asyncio', 'logging', 'dataclasses'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    command = [sys.executable, "-c", code, "state", "c1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"a body of a command imports {done.stderr.strip()}"
