"""Proves how the command line ends on each kind of error: exit code, one line, one log entry."""

from __future__ import annotations

import json
import os
import re

import click
import pytest

from adapters.oci.exit_codes import LogTarget, outcome_of, run
from domain import errors
from domain.errors import RemoteprocError


def parse_errors():
    """Return what click itself raises on a wrong command line, and its exit code."""

    @click.command()
    @click.argument("number", type=int)
    def command(number):
        pass

    for args in ([], ["x"], ["1", "2"], ["--what"]):
        try:
            command.main(args, "command", standalone_mode=False)
        except click.ClickException as error:
            yield error


ERRORS = [
    *[
        (kind("m4 is busy", hint="stop it"), (1, "m4 is busy; stop it"))
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, RemoteprocError)
    ],
    (click.exceptions.Exit(0), (0, "")),
    (click.exceptions.Exit(137), (137, "")),
    *[
        (error, (2, f"{error.format_message().rstrip('.')}; see `command --help`"))
        for error in parse_errors()
    ],
    (click.ClickException("odd"), (1, "odd")),
    (click.Abort(), (130, "interrupted")),
    (KeyboardInterrupt(), (130, "interrupted")),
    (BrokenPipeError(32, "Broken pipe"), (1, "")),
    (OSError(28, "No space left on device", "/run/x"), (1, "/run/x: No space left on device")),
    (OSError(28, "No space left on device"), (1, "system: No space left on device")),
    (OSError("odd"), (1, "system: odd")),
    (MemoryError(), (1, errors.NO_MEMORY)),
]


@pytest.mark.parametrize(("error", "outcome"), ERRORS, ids=lambda v: type(v).__name__)
def test_outcome(error, outcome):
    assert outcome_of(error) == outcome


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), AssertionError()])
def test_our_own_mistakes_ask_to_be_reported(error):
    code, message = outcome_of(error)
    assert code == 1
    assert message.startswith(f"internal error: {type(error).__name__}")
    assert "--debug" in message


def test_a_click_without_no_args_is_help_error_hides_no_error(monkeypatch):
    """Click before 8.2 has no such class."""
    monkeypatch.delattr(click.exceptions, "NoArgsIsHelpError", raising=False)
    assert outcome_of(ZeroDivisionError("odd")).message.startswith("internal error")


def failing(error):
    def command():
        raise error

    return command


def test_success(capsys):
    assert run(lambda: None, LogTarget()) == 0
    assert capsys.readouterr() == ("", "")


def test_an_error_is_one_line_on_stderr(capsys):
    assert run(failing(errors.Busy("m4 is\n  busy", hint="stop it")), LogTarget()) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "remoteproc-runtime: m4 is\\n busy; stop it\n"


def test_debug_adds_the_traceback(capsys):
    log = LogTarget()
    log.debug = True
    assert run(failing(errors.Busy("m4 is busy")), log) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "remoteproc-runtime: m4 is busy"
    assert lines[1].startswith("Traceback")


@pytest.mark.parametrize("json_", [False, True])
def test_the_log_gets_what_engines_parse(tmp_path, json_):
    log = LogTarget()
    log.file, log.json = str(tmp_path / "log"), json_
    for _ in range(2):
        run(failing(errors.Busy('m4 is "busy"')), log)
    first, second = (tmp_path / "log").read_text().splitlines()
    assert first[:20] == second[:20], "entries are appended"
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    if json_:
        entry = json.loads(first)
        assert re.fullmatch(stamp, entry.pop("time"))
        assert entry == {"level": "error", "msg": 'm4 is "busy"'}
    else:
        assert re.fullmatch(rf'time="{stamp}" level=error msg="m4 is \\"busy\\""', first)


def test_a_log_that_cannot_be_written_does_not_hide_the_error(tmp_path, capsys):
    log = LogTarget()
    log.file = str(tmp_path / "absent" / "log")
    assert run(failing(errors.Busy("m4 is busy")), log) == 1
    err = capsys.readouterr().err
    assert "m4 is busy" in err and "cannot write log" in err


def test_nobody_reads_the_output():
    """As in `list | head -0`: no traceback, and the interpreter's last flush is quiet, too."""
    from tests.contract.children import spawn, status_of

    reader, writer = os.pipe()
    os.close(reader)

    def child():
        os.dup2(writer, 1)
        code = run(lambda: os.write(1, b"x"), LogTarget())
        os.write(1, b"goes to /dev/null now")
        os._exit(40 + code)

    assert status_of(spawn(child)) == 41
    os.close(writer)
