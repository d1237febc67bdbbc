"""The commands, one per file: what a command does, and its grammar for click.

A file `NAME.py` here is the command NAME, with dashes for underscores. It holds
`run(context, ...)`, which carries the command out and whose docstring is the help that users read,
and `command()`, which returns the grammar. Only `command()` imports click: `adapters.oci.fast_args`
calls `run` without it. `run` has no default values, because the grammar has them. An exit code
other than 0 is what `run` returns.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.kubernetes.dra_driver import DraDriver
    from adapters.kubernetes.node_options import NodeOptions
    from adapters.kubernetes.node_plugin import NodePlugin
    from adapters.metrics.exporter import Exporter
    from adapters.oci.exit_codes import LogTarget
    from domain.creation import CreateRequest
    from domain.diagnosis.host import Host
    from domain.lifecycle import Lifecycle


class CommandContext:
    """The global options, and access to the use cases and to what is seen of the host.

    All take --config and --root; `node_plugin` and `dra_driver` also take their own options.
    """

    def __init__(
        self,
        make: Callable[[str | None, str | None], Lifecycle],
        look: Callable[[str | None, str | None], Host],
        log: LogTarget,
        node_plugin: Callable[[str | None, str | None, NodeOptions], NodePlugin],
        exporter: Callable[[str | None, str | None], Exporter],
        dra_driver: Callable[[str | None, str | None, NodeOptions], DraDriver],
    ) -> None:
        self.make = make
        self._look = look
        self.log = log
        self.node_plugin = node_plugin
        self.exporter = exporter
        self.dra_driver = dra_driver
        self.config: str | None = None
        self.root: str | None = None
        self.annotations = ""
        self.cgroups = True
        self._bundle: str | None = None

    def set_options(
        self,
        config: str | None,
        root: str | None,
        log: str | None,
        log_format: str,
        log_level: str,
        debug: bool,
        annotations: str | None,
        cgroup_manager: str | None,
        bundle: str | None,
    ) -> None:
        """Take the values of the global options."""
        self._bundle = bundle
        self.config, self.root = config, root
        self.annotations = annotations or ""
        self.cgroups = cgroup_manager != "disabled"
        self.log.file = os.path.abspath(log) if log else ""
        self.log.json = log_format == "json"
        self.log.debug = debug or log_level in ("trace", "debug")

    def bundle(self, own: str | None) -> str:
        """Return the bundle's directory; `own` is the command's own option."""
        return own or self._bundle or "."

    @property
    def lifecycle(self) -> Lifecycle:
        """The use cases on the configured board. Raises InvalidRequest, HostFault."""
        return self.make(self.config, self.root)

    def host(self) -> Host:
        """Look at this host."""
        return self._look(self.config, self.root)

    def adapted(self, request: CreateRequest) -> CreateRequest:
        """Return the request as the global options change it. Raises InvalidRequest.

        Their annotations go before those of the bundle; a pod's sandbox gets none.
        """
        if self.annotations and request.entry:
            given = _read_annotations(self.annotations)
            request = request._replace(
                annotations={**request.annotations, **given}, confirmed=tuple(given)
            )
        if self.cgroups:
            return request
        return request._replace(linux_config=request.linux_config._replace(cgroup="", limits={}))


def _read_annotations(text: str) -> dict[str, str]:
    from domain.errors import InvalidRequest

    found = {}
    for each in text.split(","):
        key, equals, value = each.partition("=")
        if not key or not equals:
            raise InvalidRequest(
                f"--annotations: {each!r} is no annotation",
                hint="write them as remoteproc.name=m4,remoteproc.console=none",
            )
        found[key] = value
    return found


def show(text: str) -> None:
    """Write text and a line end to stdout; nothing if the text is empty."""
    if text:
        sys.stdout.write(text + "\n")


def write_pid_file(path: str | None, pid: int) -> None:
    """Write the number alone, complete when the file is visible. Raises HostFault."""
    if path is None:
        return
    from adapters.linux.files import write_whole
    from domain.errors import host_fault

    path = os.path.abspath(path)
    try:
        directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise host_fault(f"cannot write pid file {path}", error) from error
    try:
        write_whole(os.path.basename(path), b"%d" % pid, directory, mode=0o666)
    finally:
        os.close(directory)
