"""The commands, one per file: what a command does, and its grammar for click.

A file `NAME.py` here is the command NAME. It holds `run(context, ...)`, which carries the command
out and whose docstring is the help that users read, and `command()`, which returns the grammar.
Only `command()` imports click: `adapters.oci.fast_args` calls `run` without it. `run` has no
default values, because the grammar has them. An exit code other than 0 is what `run` returns.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.oci.exit_codes import LogTarget
    from domain.creation import CreateRequest
    from domain.lifecycle import Lifecycle


class CommandContext:
    """The global options, and access to the use cases. `make` takes --config and --root."""

    def __init__(self, make: Callable[[str | None, str | None], Lifecycle], log: LogTarget) -> None:
        self.make = make
        self.log = log
        self.config: str | None = None
        self.root: str | None = None
        self.cgroups = True

    def set_options(
        self,
        config: str | None,
        root: str | None,
        log: str | None,
        log_format: str,
        log_level: str,
        debug: bool,
        cgroup_manager: str | None,
    ) -> None:
        """Take the values of the global options."""
        self.config, self.root = config, root
        self.cgroups = cgroup_manager != "disabled"
        self.log.file = os.path.abspath(log) if log else ""
        self.log.json = log_format == "json"
        self.log.debug = debug or log_level in ("trace", "debug")

    @property
    def lifecycle(self) -> Lifecycle:
        """The use cases on the configured board. Raises InvalidRequest, HostFault."""
        return self.make(self.config, self.root)

    def adapted(self, request: CreateRequest) -> CreateRequest:
        """Return the request, without control groups if the global options say so."""
        if self.cgroups:
            return request
        return request._replace(linux_config=request.linux_config._replace(cgroup="", limits={}))


def show(text: str) -> None:
    """Write text and a line end to stdout; nothing if the text is empty."""
    if text:
        sys.stdout.write(text + "\n")


def write_pid_file(path: str | None, pid: int) -> None:
    """Write the number alone, complete when the file is visible. Raises HostFault."""
    if path is None:
        return
    path = os.path.abspath(path)
    temporary = f"{path}.{os.getpid()}~"
    try:
        with open(temporary, "w", encoding="ascii") as file:
            file.write(str(pid))
        os.rename(temporary, path)
    except OSError as error:
        from domain.errors import host_fault

        raise host_fault(f"cannot write pid file {path}", error) from error
