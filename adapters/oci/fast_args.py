"""The calls that engines make, read without click.

Engines call `create`, `start`, `state`, `kill` and `delete` for every container, on slow cores;
importing click takes twice as long as starting Python. This reads the plain forms of those calls
only. Whatever else there is (help, mistakes, other commands) is left to click, and a test proves
that both read alike what both can read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from adapters.oci import commands
from adapters.oci.commands import CommandContext

LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("trace", "debug", "info", "warn", "warning", "error", "fatal", "panic")
CGROUP_MANAGERS = ("cgroupfs", "systemd", "disabled")


class Call(NamedTuple):
    """One command and its arguments, and the global options before it."""

    options: dict[str, Any]
    command: str
    arguments: dict[str, Any]

    def run(self, context: CommandContext) -> object:
        """Carry it out."""
        context.config, context.root = self.options.get("config"), self.options.get("root")
        context.cgroups = self.options.get("cgroup_manager") != "disabled"
        level = "debug" if self.options.get("debug") else self.options.get("log_level", "info")
        context.set_log(self.options.get("log"), self.options.get("log_format", "text"), level)
        # Looked up now, so that a test can stand in for it.
        return getattr(commands, _COMMANDS[self.command].function)(context, **self.arguments)


class _Form(NamedTuple):
    function: str  # of adapters.oci.commands
    names: Sequence[str]  # of positional arguments
    needed: int
    valued: Mapping[str, str] = MappingProxyType({})
    flags: Mapping[str, str] = MappingProxyType({})
    last: bool = False  # the positional arguments end the options: what follows is somebody else's


# Options and the parameters that they set; "" for what is accepted and ignored.
_GLOBAL_VALUED = {
    "--config": "config",
    "--root": "root",
    "--log": "log",
    "--log-format": "log_format",
    "--log-level": "log_level",
    "--cgroup-manager": "cgroup_manager",
    "--rootless": "",
}
_GLOBAL_FLAGS = {"--debug": "debug", "--systemd-cgroup": ""}
_CHOICES = {
    "log_format": LOG_FORMATS,
    "log_level": LOG_LEVELS,
    "cgroup_manager": CGROUP_MANAGERS,
    "form": ("table", "json"),
}
_PROCESS = {"--pid-file": "pid_file", "--console-socket": "console_socket"}
_BUNDLE = {"--bundle": "bundle", "-b": "bundle", "--preserve-fds": ""} | _PROCESS
_NOTHING = {"--no-pivot": "", "--no-new-keyring": ""}
_EXEC = {"--process": "process", "-p": "process"} | _PROCESS
_EXEC_FLAGS = {"--detach": "detach", "-d": "detach", "--tty": "tty", "-t": "tty"}
_FORMAT = {"--format": "form", "-f": "form"}
_QUIET = {"--quiet": "quiet", "-q": "quiet"}
_FORCE = {"--force": "force", "-f": "force"}
_ALL = {"--all": "", "-a": ""}

_COMMANDS = {
    "create": _Form("create", ("container_id",), 1, valued=_BUNDLE, flags=_NOTHING),
    "start": _Form("start", ("container_id",), 1),
    "state": _Form("state", ("container_id",), 1),
    "kill": _Form("kill", ("container_id", "signal"), 1, flags=_ALL),
    "delete": _Form("delete", ("container_id",), 1, flags=_FORCE),
    "list": _Form("list_containers", (), 0, valued=_FORMAT, flags=_QUIET),
    "ps": _Form("ps", ("container_id",), 1, valued=_FORMAT),
    "exec": _Form("execute", ("container_id",), 1, valued=_EXEC, flags=_EXEC_FLAGS, last=True),
    "pause": _Form("pause", ("container_id",), 1),
    "resume": _Form("resume", ("container_id",), 1),
}


def parse(words: Sequence[str]) -> Call | None:
    """Read a command line (without the program's name); None if it is not of the plain forms."""
    left = list(words)
    options = _options(left, _GLOBAL_VALUED, _GLOBAL_FLAGS)
    if options is None or not left:
        return None
    command = left.pop(0)
    form = _COMMANDS.get(command)
    if form is None:
        return None
    arguments: dict[str, Any] = {}
    positional: list[str] = []
    while left:
        found = _options(left, form.valued, form.flags)
        if found is None:
            return None
        arguments |= found
        if left:
            positional.append(left.pop(0))
            if form.last and left:
                return None
    if not form.needed <= len(positional) <= len(form.names):
        return None
    arguments |= zip(form.names, positional, strict=False)
    if any(
        value not in _CHOICES.get(name, (value,)) for name, value in (options | arguments).items()
    ):
        return None
    options.pop("", None)
    arguments.pop("", None)
    return Call(options, command, arguments)


def _options(
    words: list[str], valued: Mapping[str, str], flags: Mapping[str, str]
) -> dict[str, Any] | None:
    """Take the options that `words` begin with; None if one is not plain."""
    found: dict[str, Any] = {}
    while words and words[0].startswith("-"):
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if word in flags:
            found[flags[word]] = True
        elif name.startswith("--") and equals and name in valued:
            found[valued[name]] = value
        elif word in valued and words and not words[0].startswith("-"):
            found[valued[word]] = words.pop(0)
        else:
            return None
    return found
