"""The dependency-injection containers: which part is made from which, and nothing else says it.

Importing dependency-injector takes longer than an engine's command may take in all. So the
programs run bootstrap/wiring.py, which `script/generate` makes from these containers; tests use
the containers themselves, and override single parts.
"""

from __future__ import annotations

from dependency_injector import containers, providers

from adapters.containerd.events import EventPublisher
from adapters.containerd.exec_service import ExecService
from adapters.containerd.flags import ShimFlags
from adapters.containerd.reaper import Reaper
from adapters.containerd.service import TaskService
from adapters.containerd.shim_log import ShimLog
from adapters.containerd.shim_server import error_map
from adapters.containerd.task import Tasks
from adapters.containerd.task_queries import TaskQueries
from adapters.containerd.ttrpc.server import Server
from adapters.images.staging import FirmwareStaging
from adapters.isolation.hooks import LocalHooks
from adapters.linux.channel import Channel
from adapters.sim.board_file import load_board
from adapters.sim.processor import open_processor as open_sim_processor
from adapters.sim.sim_board import SimBoard
from adapters.state.container_store import DirectoryStore
from adapters.state.leases import FileLeases
from adapters.state.status_record import DirectoryStatusRecord
from adapters.supervisor.console_input import Input
from adapters.supervisor.fork_server import ForkServer
from adapters.supervisor.launch import StartSupervisor
from adapters.supervisor.no_processor import NoProcessor
from adapters.supervisor.order import SupervisorOrder
from adapters.supervisor.output import Output
from adapters.supervisor.supervisor import Supervisor
from adapters.supervisor.supervisors import ProcessSupervisors
from adapters.sysfs.board import SysfsBoard
from adapters.sysfs.policy import read_policies
from adapters.sysfs.processor import open_processor as open_sysfs_processor
from bootstrap import programs
from bootstrap.settings import Settings
from domain.container import Owner
from domain.lifecycle import Lifecycle
from domain.ports import Warn
from domain.session import ProcessorSession


class Runtime(containers.DeclarativeContainer):
    """The use cases on what one configuration names: for each command, and for the shim."""

    settings = providers.Dependency(instance_of=Settings)
    warn = providers.Dependency(instance_of=Warn)  # type: ignore[type-abstract]
    start_supervisor = providers.Dependency(instance_of=StartSupervisor)  # type: ignore[type-abstract]

    sim_board = providers.ThreadSafeSingleton(
        SimBoard,
        providers.Callable(
            load_board,
            settings.provided.board,
            settings.provided.base,
            settings.provided.board_cache,
        ),
        settings.provided.boards_directory,
    )
    sysfs_board = providers.ThreadSafeSingleton(
        SysfsBoard,
        settings.provided.tree,
        settings.provided.firmware_directory,
        providers.Callable(read_policies, settings.provided.policies),
    )
    # Few commands need the board, the source and the hooks: they are given as providers.
    board = providers.Selector(settings.provided.backend, sim=sim_board, sysfs=sysfs_board)
    store = providers.ThreadSafeSingleton(DirectoryStore, settings.provided.root)
    leases = providers.ThreadSafeSingleton(
        FileLeases, settings.provided.leases_directory, settings.provided.board_key
    )
    supervisors = providers.ThreadSafeSingleton(
        ProcessSupervisors,
        settings.provided.root,
        start_supervisor,
        settings.provided.backend,
        leases,
        board.provider,
    )
    source = providers.ThreadSafeSingleton(FirmwareStaging, settings.provided.largest_firmware)
    hooks = providers.ThreadSafeSingleton(
        LocalHooks,
        providers.Object(programs.hook_state),
        providers.Callable(programs.nsenter_command),
    )
    lifecycle = providers.ThreadSafeSingleton(
        Lifecycle,
        store=store,
        board=board.provider,
        source=source.provider,
        supervisors=supervisors,
        leases=leases,
        hooks=hooks.provider,
        warn=warn,
    )


class SupervisorProcess(containers.DeclarativeContainer):
    """One supervisor: `creator` is its channel to its creator, `directory` the container's."""

    order = providers.Dependency(instance_of=SupervisorOrder)
    creator = providers.Dependency(instance_of=Channel)
    directory = providers.Dependency(instance_of=int)

    sim_processor = providers.ThreadSafeSingleton(open_sim_processor, order.provided.open_args)
    sysfs_processor = providers.ThreadSafeSingleton(open_sysfs_processor, order.provided.open_args)
    no_processor = providers.ThreadSafeSingleton(NoProcessor)
    processor = providers.Selector(
        order.provided.backend, sim=sim_processor, sysfs=sysfs_processor, none=no_processor
    )
    session = providers.ThreadSafeSingleton(
        ProcessorSession,
        processor,
        providers.Callable(FileLeases, order.provided.leases_directory, order.provided.board),
        providers.Callable(Owner, order.provided.id, order.provided.root),
        order.provided.firmware,
        providers.Callable(DirectoryStatusRecord, directory),
    )
    output = providers.ThreadSafeSingleton(Output, directory, terminal=order.provided.terminal)
    supervisor = providers.ThreadSafeSingleton(
        Supervisor,
        stop_signals=order.provided.stop_signals,
        processor=processor,
        session=session,
        directory=directory,
        creator=creator,
        stdin=providers.Callable(Input, order.provided.stdin, terminal=order.provided.terminal),
        output=output,
    )


class Shim(containers.DeclarativeContainer):
    """The process that serves containerd; it sends events to `events_address`."""

    flags = providers.Dependency(instance_of=ShimFlags)
    events_address = providers.Dependency(instance_of=str)

    log = providers.ThreadSafeSingleton(ShimLog, flags.provided.id)
    fork_server = providers.ThreadSafeSingleton(
        ForkServer,
        providers.Object(programs.load_supervisor),
        providers.Callable(programs.supervisor_environment),
        providers.Object(programs.spawn_supervisor),
    )
    # The configuration is read at the first request, and again as long as it has a mistake.
    lifecycle = providers.ThreadSafeSingleton(
        programs.lifecycle_for_namespace,
        flags.provided.namespace,
        log.provided.warn,
        fork_server.provided.start,
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
    queries = providers.ThreadSafeSingleton(TaskQueries, tasks)
    execs = providers.ThreadSafeSingleton(
        ExecService, flags.provided.namespace, lifecycle.provider, publisher, tasks
    )
    service = providers.ThreadSafeSingleton(
        TaskService,
        flags.provided.namespace,
        lifecycle.provider,
        publisher,
        reaper,
        server,
        tasks,
        log.provided.warn,
    )
