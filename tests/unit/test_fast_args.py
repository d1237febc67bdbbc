"""Proves that what is read without click is read as click reads it, word for word."""

from __future__ import annotations

import inspect

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.oci import commands, fast_args
from adapters.oci.cli import cli
from adapters.oci.commands import CommandContext
from adapters.oci.exit_codes import LogTarget

FUNCTIONS = {form.function for form in fast_args._COMMANDS.values()}
CALLS = {name: inspect.signature(getattr(commands, name)) for name in FUNCTIONS}

# What engines, people and mistakes are made of.
COMMANDS = [*fast_args._COMMANDS, "features", "run", "--help"]
FLAGS = [
    *fast_args._GLOBAL_VALUED,
    *fast_args._GLOBAL_FLAGS,
    *(flag for form in fast_args._COMMANDS.values() for flag in (*form.valued, *form.flags)),
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
    st.sampled_from(COMMANDS),
    st.lists(words, max_size=6),
)


def pieces(valued, flags):
    """Options as somebody would write them, each a list of words."""
    options = st.tuples(st.sampled_from(list(valued)), st.sampled_from(VALUES)) if valued else None
    kinds = [st.sampled_from([[flag] for flag in flags])] if flags else []
    if options is not None:
        kinds += [options.map(list), options.map(lambda pair: ["=".join(pair)])]
    return st.one_of(kinds) if kinds else st.nothing()


@st.composite
def sensible(draw):
    """A command with options of its own, in any order, now and then with a word too many."""
    name = draw(st.sampled_from(list(fast_args._COMMANDS)))
    form = fast_args._COMMANDS[name]
    before = draw(st.lists(pieces(fast_args._GLOBAL_VALUED, fast_args._GLOBAL_FLAGS), max_size=2))
    own = pieces(form.valued, form.flags)
    after = draw(st.lists(own, max_size=3)) if form.valued or form.flags else []
    count = draw(st.integers(form.needed, len(form.names)))
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

    def stand_in(name):
        def record(context, *args, **kwargs):
            call = CALLS[name].bind(context, *args, **kwargs)
            call.apply_defaults()
            arguments = {**call.arguments, "words": tuple(call.arguments.get("words", ()))}
            del arguments["context"]
            where = (context.config, context.root, context.cgroups)
            log = (context.log.file, context.log.json, context.log.debug)
            raise Recorded(name, arguments, where, log)

        return record

    with pytest.MonkeyPatch.context() as patch:
        for name in FUNCTIONS:
            patch.setattr(commands, name, stand_in(name))
        yield


def recorded(work):
    context = CommandContext(lambda *_: None, LogTarget())
    try:
        work(context)
    except Recorded as call:
        return call.args
    except (click.ClickException, click.exceptions.Exit, SystemExit) as error:
        return error
    return None


def by_click(line):
    return recorded(lambda context: cli.main(line, obj=context, standalone_mode=False))


@settings(max_examples=1500, deadline=None)
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
        "heavy = {'click', 'subprocess', 'yaml', 'ctypes', 'asyncio', 'logging', 'dataclasses'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code, "state", "c1"], check=True)
