"""The same graph as bootstrap.container, wired by hand.

Importing dependency-injector takes some 80 ms, more than engines' commands may take in all. A
test proves that both wirings give the same graph.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

from adapters.images.staging import FirmwareStaging
from adapters.state.container_store import DirectoryStore
from adapters.supervisor.supervisors import ProcessSupervisors
from bootstrap import factories
from bootstrap.settings import Settings
from domain.lifecycle import Lifecycle


def warn(text: str) -> None:
    """Tell the user of something that does not stop the command."""
    print(f"remoteproc-runtime: warning: {text}", file=sys.stderr)


def lifecycle(settings: Settings, warn: Callable[[str], None] = warn) -> Lifecycle:
    """Return the use cases on what is configured; the board is only made when it is needed."""
    board = functools.cache(lambda: factories.make_board(settings))
    leases = factories.make_leases(settings)
    return Lifecycle(
        store=DirectoryStore(settings.root),
        board=board,
        source=FirmwareStaging(settings.largest_firmware),
        supervisors=ProcessSupervisors(
            settings.root,
            factories.supervisor_command(),
            settings.backend,
            leases,
            board,
        ),
        leases=leases,
        hooks=factories.make_hooks(),
        warn=warn,
    )
