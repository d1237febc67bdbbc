"""How this project's programs start each other, and what the containers need of that."""

from __future__ import annotations

import os
import sys
import time

from domain.lifecycle import Lifecycle
from domain.text import printable

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from adapters.kubernetes.dra_driver import DraDriver
    from adapters.kubernetes.node_options import NodeOptions
    from adapters.kubernetes.node_plugin import NodePlugin
    from adapters.metrics.exporter import Exporter
    from adapters.supervisor.start_supervisor import StartSupervisor
    from bootstrap.wiring import KubernetesNode
    from domain.container import FirmwareContainer, Status
    from domain.diagnosis.host import Host
    from domain.ports import Warn

# -I -S: nothing of the user's environment, and no search for installed packages.
_PYTHON = (sys.executable, "-I", "-S", "-X", "utf8", "-c")
_SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_NSENTER = (
    "import sys; sys.path.append(sys.argv[1]); del sys.argv[1];"
    "import adapters.isolation.nsenter as n; n.main()"
)
_SUPERVISE = "import sys; sys.path.append(sys.argv[1]); import bootstrap.supervise as s; s.main()"
# What the modules of the graphs import later on the usual way of a container.
_IMPORTED_LATER = (
    *("mmap", "adapters.sim.qemu", "adapters.isolation.namespaces"),
    *("adapters.isolation.group_moves", "adapters.isolation.group_usage"),
)
_SHIM_IMPORTS_LATER = (
    *("array", "adapters.containerd.delete", "adapters.containerd.shim_server"),
    *("adapters.config.parsed_cache", "adapters.supervisor.launch"),
    *("adapters.isolation.cgroups", "adapters.isolation.limits"),
)


def spawn_supervisor(container_id: str, descriptors: Mapping[int, int]) -> int:
    """Start a supervisor as a program of its own; see StartSupervisor."""
    from adapters.linux.spawn import spawn

    command = (*_PYTHON, _SUPERVISE, _SOURCES, container_id)
    return spawn(command, supervisor_environment(), descriptors)


def fork_supervisor(_: str, descriptors: Mapping[int, int]) -> int:
    """Start a supervisor as a copy of this process, which must have one thread only.

    No second interpreter has to start and to import what this process has imported.
    """
    from adapters.linux.fork import fork

    return fork(_supervise, supervisor_environment(), descriptors)


def _supervise() -> None:
    from bootstrap.supervise import main

    main()


def load_supervisor() -> Callable[[], None]:
    """Import the supervisor's program and what it may import later; return its main function."""
    from bootstrap.supervise import main
    from bootstrap.wiring import SupervisorProcess

    _import((*SupervisorProcess.MODULES, *_IMPORTED_LATER))
    return main


def load_shim() -> None:
    """Import what a shim and the supervisors of its containers need, and may import later."""
    from adapters.images.digest import sha256
    from bootstrap.wiring import Runtime, Shim

    _import((*Shim.MODULES, *Runtime.MODULES, *_SHIM_IMPORTS_LATER))
    sha256(0)  # loads what it needs for small files
    load_supervisor()


def _import(modules: Iterable[str]) -> None:
    for module in modules:
        if module not in sys.modules:  # an import touches memory that forked processes share
            __import__(module)


def supervisor_environment() -> dict[str, str]:
    """Return the environment of supervisors."""
    from adapters.linux.spawn import environment_of

    return environment_of("PATH", "LANG")


def nsenter_command() -> tuple[str, ...]:
    """Return the program that runs another one in a process's namespaces; see LocalHooks."""
    return (*_PYTHON, _NSENTER, _SOURCES)


def hook_state(container: FirmwareContainer, status: Status) -> bytes:
    """Return the state that a hook reads from its stdin (runtime-spec runtime.md#state)."""
    from adapters.oci import render

    return render.as_json(render.state(container, status)).encode()


def steady_clock() -> float:
    """Return seconds that go on evenly, whoever sets the machine's time."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Do nothing for so many seconds."""
    time.sleep(seconds)


def warn_on_stderr(text: str) -> None:
    """Print a warning for the user of a command."""
    print(f"remoteproc-runtime: warning: {printable(text)}", file=sys.stderr)


def say_on_stderr(text: str) -> None:
    """Print what a service has to tell, for its log."""
    print(f"remoteproc-runtime: {printable(text)}", file=sys.stderr, flush=True)


def lifecycle_for(config: str | None, root: str | None) -> Lifecycle:
    """Return the use cases for a command; `config` and `root` are its global options."""
    from bootstrap.settings import load_settings
    from bootstrap.wiring import Runtime

    return Runtime(load_settings(config, root), warn_on_stderr, fork_supervisor).lifecycle()


def node_plugin_for(config: str | None, root: str | None, options: NodeOptions) -> NodePlugin:
    """Return the device plugin of this node."""
    return _kubernetes_node(config, root, options).plugin()


def dra_driver_for(config: str | None, root: str | None, options: NodeOptions) -> DraDriver:
    """Return the DRA driver of this node."""
    return _kubernetes_node(config, root, options).driver()


def _kubernetes_node(config: str | None, root: str | None, options: NodeOptions) -> KubernetesNode:
    from bootstrap.settings import load_settings
    from bootstrap.wiring import KubernetesNode, Runtime

    settings = load_settings(config, root)
    options = options._replace(
        run_directory=settings.run_directory, domain=settings.resource_domain
    )
    runtime = Runtime(settings, say_on_stderr, fork_supervisor)
    parts = (runtime.lifecycle(), runtime.policy(), runtime.board())
    return KubernetesNode(settings, *parts, say_on_stderr, options)


def host_for(config: str | None, root: str | None) -> Host:
    """Return what is seen of this host; a configuration with a mistake is part of that.

    The survey is no part of `Runtime`: each shim would have in memory what it imports.
    """
    from adapters.survey.survey import HostSurvey
    from bootstrap.settings import Settings, default_run_directory, load_settings
    from bootstrap.wiring import Runtime
    from domain.errors import RemoteprocError

    problem = ""
    try:
        settings = load_settings(config, root)
    except RemoteprocError as error:
        problem = str(error)
        run = default_run_directory()
        settings = Settings(f"{run}/containers", run)
    runtime = Runtime(settings, warn_on_stderr, spawn_supervisor)
    host = HostSurvey(runtime.board, runtime.leases(), settings.run_directory).host()
    return host._replace(configuration_problem=problem)


def exporter_for(config: str | None, root: str | None) -> Exporter:
    """Return what serves metrics."""
    from bootstrap.settings import load_settings
    from bootstrap.wiring import Metrics, Runtime

    runtime = Runtime(load_settings(config, root), say_on_stderr, fork_supervisor)
    return Metrics(runtime.lifecycle(), runtime.leases(), say_on_stderr).exporter()


def lifecycle_for_namespace(
    namespace: str, warn: Warn, start_supervisor: StartSupervisor
) -> Lifecycle:
    """Return the use cases on the state root of a namespace of containerd."""
    from bootstrap.settings import load_settings, namespace_root
    from bootstrap.wiring import Runtime
    from domain.container import check_id

    settings = load_settings()
    root = namespace_root(settings, check_id(namespace))
    settings = settings._replace(root=root, namespace=namespace)
    return Runtime(settings, warn, start_supervisor).lifecycle()
