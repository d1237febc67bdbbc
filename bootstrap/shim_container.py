"""The dependency-injection containers of the shim for containerd; see bootstrap/container.py."""

from __future__ import annotations

from dependency_injector import containers, providers

from adapters.containerd.events import EventPublisher
from adapters.containerd.exec_service import ExecService
from adapters.containerd.flags import ShimFlags
from adapters.containerd.linux_containers import LinuxContainers
from adapters.containerd.reaper import Reaper
from adapters.containerd.service import TaskService
from adapters.containerd.shim_fork_server import ShimForkServer
from adapters.containerd.shim_log import ShimLog
from adapters.containerd.shim_server import error_map
from adapters.containerd.spare_shim import PrepareShim
from adapters.containerd.task import Tasks
from adapters.containerd.task_queries import TaskQueries
from adapters.containerd.ttrpc.server import Server
from adapters.supervisor.standby import Standby
from bootstrap import programs
from bootstrap.settings import fork_servers_directory


class Shim(containers.DeclarativeContainer):
    """The process that serves containerd; it sends events to `events_address`."""

    flags = providers.Dependency(instance_of=ShimFlags)
    events_address = providers.Dependency(instance_of=str)
    standby = providers.Dependency(instance_of=Standby)

    log = providers.ThreadSafeSingleton(ShimLog, flags.provided.id)
    # The configuration is read at the first request, and again as long as it has a mistake.
    lifecycle = providers.ThreadSafeSingleton(
        programs.lifecycle_for_namespace,
        flags.provided.namespace,
        log.provided.warn,
        standby.provided.start,
    )
    publisher = providers.ThreadSafeSingleton(
        EventPublisher, events_address, flags.provided.namespace, log.provided.warn
    )
    reaper = providers.ThreadSafeSingleton(Reaper, log.provided.warn)
    server = providers.ThreadSafeSingleton(
        Server,
        map_error=providers.Callable(error_map, log, debug=flags.provided.debug),
        same_user_only=True,
    )
    tasks = providers.ThreadSafeSingleton(Tasks)
    queries = providers.ThreadSafeSingleton(TaskQueries, lifecycle.provider, tasks)
    execs = providers.ThreadSafeSingleton(
        ExecService, flags.provided.namespace, lifecycle.provider, publisher, tasks
    )
    linux = providers.ThreadSafeSingleton(
        LinuxContainers,
        flags.provided.namespace,
        flags.provided.address,
        log.provided.warn,
        server.provided.shutdown,
    )
    service = providers.ThreadSafeSingleton(
        TaskService,
        flags.provided.namespace,
        lifecycle.provider,
        publisher,
        reaper,
        server,
        tasks,
        linux,
        log.provided.warn,
    )


class ShimProgram(containers.DeclarativeContainer):
    """What forks shims, and what a shim has before it knows its containers."""

    prepare = providers.Dependency(instance_of=PrepareShim)  # type: ignore[type-abstract]

    standby = providers.ThreadSafeSingleton(
        Standby,
        providers.Object(programs.load_supervisor),
        providers.Object(programs.spawn_supervisor),
    )
    fork_server = providers.ThreadSafeSingleton(
        ShimForkServer,
        providers.Callable(fork_servers_directory),
        prepare,
    )
