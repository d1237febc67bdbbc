"""The dependency-injection container: every part of the runtime and what it is made from.

Tests override single parts (`container.board.override(...)`); programs that stay resident and
commands without a time budget take their use cases from here.
"""

from __future__ import annotations

from dependency_injector import containers, providers

from adapters.images.staging import FirmwareStaging
from adapters.state.container_store import DirectoryStore
from adapters.supervisor.supervisors import ProcessSupervisors
from bootstrap import factories
from bootstrap.direct import warn
from bootstrap.settings import Settings
from domain.lifecycle import Lifecycle


class Runtime(containers.DeclarativeContainer):
    """The runtime for one configuration."""

    settings = providers.Dependency(instance_of=Settings)
    warn = providers.Object(warn)

    board = providers.ThreadSafeSingleton(factories.make_board, settings)
    store = providers.ThreadSafeSingleton(DirectoryStore, settings.provided.root)
    source = providers.ThreadSafeSingleton(FirmwareStaging, settings.provided.largest_firmware)
    leases = providers.ThreadSafeSingleton(factories.make_leases, settings)
    supervisors = providers.ThreadSafeSingleton(
        ProcessSupervisors,
        settings.provided.root,
        providers.Callable(factories.supervisor_command),
        settings.provided.backend,
        leases,
        board.provider,
    )
    hooks = providers.ThreadSafeSingleton(factories.make_hooks)
    lifecycle = providers.ThreadSafeSingleton(
        Lifecycle,
        store=store,
        board=board.provider,
        source=source,
        supervisors=supervisors,
        leases=leases,
        hooks=hooks,
        warn=warn,
    )


def runtime_for(settings: Settings) -> Runtime:
    """Return the runtime for a configuration."""
    return Runtime(settings=providers.Object(settings))
