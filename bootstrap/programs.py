"""How this project's programs start each other, and what the containers need of that."""

from __future__ import annotations

import os
import sys

from domain.lifecycle import Lifecycle

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adapters.supervisor.launch import StartSupervisor
    from domain.container import FirmwareContainer, Status
    from domain.ports import Warn

# -I -S: nothing of the user's environment, and no search for installed packages.
_PYTHON = (sys.executable, "-I", "-S", "-X", "utf8", "-c")
_SOURCES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_NSENTER = (
    "import sys; sys.path.append(sys.argv[1]); del sys.argv[1];"
    "import adapters.isolation.nsenter as n; n.main()"
)
_SUPERVISE = "import sys; sys.path.append(sys.argv[1]); import bootstrap.supervise as s; s.main()"
# What bootstrap.wiring imports for a supervisor, whatever its processor is.
_IMPORTED_LATER = (
    "adapters.sim.processor",
    "adapters.sim.qemu",
    "adapters.state.leases",
    "adapters.state.status_record",
    "adapters.supervisor.console_input",
    "adapters.sysfs.processor",
    "domain.session",
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
    for module in _IMPORTED_LATER:
        __import__(module)
    from bootstrap.supervise import main

    return main


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


def warn_on_stderr(text: str) -> None:
    """Print a warning for the user of a command."""
    print(f"remoteproc-runtime: warning: {text}", file=sys.stderr)


def lifecycle_for(config: str | None, root: str | None) -> Lifecycle:
    """Return the use cases for a command; `config` and `root` are its global options."""
    from bootstrap.settings import load_settings
    from bootstrap.wiring import Runtime

    return Runtime(load_settings(config, root), warn_on_stderr, fork_supervisor).lifecycle()


def lifecycle_for_namespace(
    namespace: str, warn: Warn, start_supervisor: StartSupervisor
) -> Lifecycle:
    """Return the use cases on the state root of a namespace of containerd."""
    from bootstrap.settings import load_settings
    from bootstrap.wiring import Runtime
    from domain.container import check_id

    settings = load_settings()
    root = f"{settings.run_directory}/containerd/{check_id(namespace)}"
    return Runtime(settings._replace(root=root), warn, start_supervisor).lifecycle()
