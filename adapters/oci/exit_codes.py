"""How the command line ends: the one place that maps errors to words and exit codes."""

from __future__ import annotations

import os
import sys

from domain.errors import NO_MEMORY, RemoteprocError, internal_error
from domain.light_types import NamedTuple
from domain.text import printable

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = "remoteproc-runtime"
FAILED, INTERRUPTED = 1, 130


class LogTarget:
    """The file where errors are written besides stderr: engines read it (runc's --log)."""

    def __init__(self) -> None:
        self.file = ""
        self.json = False
        self.debug = False

    def write(self, level: str, message: str) -> None:
        """Append one entry. If the file cannot be written, print a warning on stderr."""
        if not self.file:
            return
        from json import dumps
        from time import gmtime, strftime

        now = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())
        if self.json:
            line = dumps({"level": level, "msg": message, "time": now})
        else:
            line = f"time={dumps(now)} level={level} msg={dumps(message)}"
        try:
            with open(self.file, "a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            complain(f"cannot write log {self.file}: {error.strerror}")


def complain(text: str) -> None:
    """Write one line for people to stderr, whatever the text contains."""
    print(f"{PROGRAM}: {printable(text)}", file=sys.stderr)


class Outcome(NamedTuple):
    """How a run of the program ends: exit code and, unless all went well, one line."""

    code: int
    message: str = ""


def outcome_of(error: BaseException) -> Outcome:
    """Return how a run that met this error ends."""
    match error:
        case RemoteprocError():
            return Outcome(FAILED, str(error))
        case KeyboardInterrupt():
            return Outcome(INTERRUPTED, "interrupted")
        case SystemExit():  # click raises SystemExit after it has answered a shell's completion
            return Outcome(error.code if isinstance(error.code, int) else FAILED)
        case BrokenPipeError():
            return Outcome(FAILED)
        case MemoryError():
            return Outcome(FAILED, NO_MEMORY)
        case OSError():
            return Outcome(FAILED, f"{error.filename or 'system'}: {error.strerror or error}")
    return _of_click(error) or Outcome(
        FAILED, f"{internal_error(error)}; please report it with --debug's output"
    )


def _of_click(error: BaseException) -> Outcome | None:
    click = sys.modules.get("click")  # click has raised nothing if it was not imported
    if click is None:
        return None
    if isinstance(error, click.exceptions.Exit):
        return Outcome(error.exit_code)
    if isinstance(error, click.ClickException):
        message = error.format_message()
        if isinstance(error, click.UsageError) and error.ctx is not None:
            message = f"{message.removesuffix('.')}; see `{error.ctx.command_path} --help`"
        if type(error).__name__ == "NoArgsIsHelpError":  # since click 8.2; the message is the help
            sys.stderr.write(f"{message}\n")
            message = ""
        return Outcome(error.exit_code, message)
    return Outcome(INTERRUPTED, "interrupted") if isinstance(error, click.Abort) else None


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError as error:
        error.filename = "standard output"
        raise


def run(command: Callable[[], object], log: LogTarget) -> int:
    """Run the command line, write an error to stderr and to the log; return the exit code.

    `command` may return an exit code.
    """
    try:
        code = command()
        _flush()
        return code if isinstance(code, int) else 0
    except BaseException as error:
        code, message = outcome_of(error)
        if isinstance(error, BrokenPipeError):
            # The reader of stdout has closed it: the interpreter must not complain at its flush.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if message:
            line = " ".join(message.split())
            complain(line)
            log.write("error", line)
        if log.debug and code == FAILED:
            import traceback

            for text in traceback.format_exception(error):
                for part in text.splitlines():
                    print(printable(part), file=sys.stderr)
        return code
