"""The dependency-injection containers: which part is made from which, and nothing else says it.

Those of the shim are in shim_container.py.
Importing dependency-injector takes longer than an engine's command may take. So programs run
bootstrap/wiring.py, which `script/generate` makes from these; tests use them and override parts.
"""

from __future__ import annotations

from dependency_injector import containers, providers

from adapters.images.staging import FirmwareStaging
from adapters.isolation.group_control import GroupControl
from adapters.isolation.hooks import LocalHooks
from adapters.isolation.limit_hit import LimitHit
from adapters.kubernetes.dra_driver import DraDriver
from adapters.kubernetes.node_options import NodeOptions
from adapters.kubernetes.node_plugin import NodePlugin
from adapters.kubernetes.node_watch import NodeWatch
from adapters.linux.channel import Channel
from adapters.linux.users import user_names
from adapters.metrics.collector import ProcessorCollector
from adapters.metrics.exporter import Exporter
from adapters.metrics.refusal_socket import RefusalSocket
from adapters.metrics.run_watch import RunWatch
from adapters.sim.board_file import load_board
from adapters.sim.processor import open_processor as open_sim_processor
from adapters.sim.qemu_users import QemuUsers
from adapters.sim.sim_board import SimBoard
from adapters.state.allocation_files import AllocationFiles
from adapters.state.container_store import DirectoryStore
from adapters.state.leases import FileLeases
from adapters.state.refusals import RefusalTeller
from adapters.state.status_record import DirectoryStatusRecord
from adapters.supervisor.console_input import Input
from adapters.supervisor.front import Front
from adapters.supervisor.later_use import LaterUse
from adapters.supervisor.least_rights import LeastRights
from adapters.supervisor.no_processor import NoProcessor
from adapters.supervisor.order import SupervisorOrder
from adapters.supervisor.output import Output
from adapters.supervisor.start_supervisor import StartSupervisor
from adapters.supervisor.supervisor import Supervisor
from adapters.supervisor.supervisors import ProcessSupervisors
from adapters.sysfs.board import SysfsBoard
from adapters.sysfs.processor import open_processor as open_sysfs_processor
from bootstrap import programs
from bootstrap.settings import Settings
from domain.container import Owner
from domain.lifecycle import Lifecycle
from domain.offers import Offers
from domain.patience import Patience
from domain.policy import NodePolicy
from domain.ports import DescribedBoard, Warn
from domain.run_counts import RunCounts
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
        providers.Callable(QemuUsers, settings.provided.simulator_users),
    )
    sysfs_board = providers.ThreadSafeSingleton(
        SysfsBoard,
        settings.provided.tree,
        settings.provided.firmware_directory,
        settings.provided.policies,
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
    groups = providers.ThreadSafeSingleton(GroupControl)
    hooks = providers.ThreadSafeSingleton(
        LocalHooks,
        providers.Object(programs.hook_state),
        providers.Callable(programs.nsenter_command),
    )
    policy = providers.ThreadSafeSingleton(
        NodePolicy,
        settings.provided.rules,
        settings.provided.namespace,
        providers.Object(user_names),
    )
    patience = providers.ThreadSafeSingleton(
        Patience,
        settings.provided.waits,
        warn,
        providers.Object(programs.steady_clock),
        providers.Object(programs.sleep),
    )
    allocations = providers.ThreadSafeSingleton(AllocationFiles, settings.provided.run_directory)
    refusals = providers.ThreadSafeSingleton(RefusalTeller, leases)
    lifecycle = providers.ThreadSafeSingleton(
        Lifecycle,
        store=store,
        board=board.provider,
        source=source.provider,
        supervisors=supervisors,
        leases=leases,
        groups=groups.provider,
        hooks=hooks.provider,
        policy=policy.provider,
        warn=warn,
        patience=patience,
        allocations=allocations.provider,
        refusals=refusals.provider,
    )


class KubernetesNode(containers.DeclarativeContainer):
    """The device plugin of a node, and its DRA driver; one process has one of them."""

    settings = providers.Dependency(instance_of=Settings)
    lifecycle = providers.Dependency(instance_of=Lifecycle)
    policy = providers.Dependency(instance_of=NodePolicy)
    board = providers.Dependency(instance_of=DescribedBoard)  # type: ignore[type-abstract]
    say = providers.Dependency(instance_of=Warn)  # type: ignore[type-abstract]
    options = providers.Dependency(instance_of=NodeOptions)

    offers = providers.ThreadSafeSingleton(
        Offers, settings.provided.resource_domain, settings.provided.resources, policy
    )
    allocations = providers.ThreadSafeSingleton(AllocationFiles, settings.provided.run_directory)
    watch = providers.ThreadSafeSingleton(NodeWatch, lifecycle.provided.processors, offers, say)
    plugin = providers.ThreadSafeSingleton(NodePlugin, options, watch, allocations, say)
    driver = providers.ThreadSafeSingleton(DraDriver, options, board, watch, allocations, say)


class Metrics(containers.DeclarativeContainer):
    """What shows the processors to Prometheus."""

    lifecycle = providers.Dependency(instance_of=Lifecycle)
    leases = providers.Dependency(instance_of=FileLeases)
    say = providers.Dependency(instance_of=Warn)  # type: ignore[type-abstract]

    counts = providers.ThreadSafeSingleton(RunCounts)
    watch = providers.ThreadSafeSingleton(RunWatch, leases, counts, say)
    collector = providers.ThreadSafeSingleton(
        ProcessorCollector, lifecycle.provided.processors, counts
    )
    refusals = providers.ThreadSafeSingleton(RefusalSocket, leases, counts, say)
    exporter = providers.ThreadSafeSingleton(
        Exporter, lifecycle.provided.processors, collector, watch, refusals, say
    )


class SupervisorProcess(containers.DeclarativeContainer):
    """One supervisor: `creator` is its channel to its creator, `directory` the container's.

    `front` is its main thread.
    """

    order = providers.Dependency(instance_of=SupervisorOrder)
    creator = providers.Dependency(instance_of=Channel)
    directory = providers.Dependency(instance_of=int)
    front = providers.Dependency(instance_of=Front)

    output = providers.ThreadSafeSingleton(Output, directory, terminal=order.provided.terminal)
    rights = providers.ThreadSafeSingleton(
        LeastRights, order.provided.backend, front, output.provided.remark
    )
    sim_processor = providers.ThreadSafeSingleton(
        open_sim_processor, order.provided.open_args, rights.provided.end_process_of
    )
    sysfs_processor = providers.ThreadSafeSingleton(open_sysfs_processor, order.provided.open_args)
    no_processor = providers.ThreadSafeSingleton(NoProcessor)
    processor = providers.Selector(
        order.provided.backend, sim=sim_processor, sysfs=sysfs_processor, none=no_processor
    )
    limit_hit = providers.ThreadSafeSingleton(
        LimitHit, order.provided.cgroup, order.provided.hierarchies
    )
    later_use = providers.ThreadSafeSingleton(LaterUse, order, processor, limit_hit, front)
    session = providers.ThreadSafeSingleton(
        ProcessorSession,
        processor,
        providers.Callable(FileLeases, order.provided.leases_directory, order.provided.board),
        providers.Callable(Owner, order.provided.id, order.provided.root, order.provided.name),
        order.provided.firmware,
        providers.Callable(DirectoryStatusRecord, directory),
        loaded=later_use.provided.prepare,
        started=rights.provided.after_start,
    )
    supervisor = providers.ThreadSafeSingleton(
        Supervisor,
        stop_signals=order.provided.stop_signals,
        processor=processor,
        session=session,
        directory=directory,
        creator=creator,
        stdin=providers.Callable(Input, order.provided.stdin, terminal=order.provided.terminal),
        output=output,
        termination_log=order.provided.termination_log,
        limit_hit=limit_hit,
    )
