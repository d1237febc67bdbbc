"""The use case `create`: from a bundle's request to a container that is ready to start."""

from __future__ import annotations

from domain.annotations import ProcessorOptions, read_annotations
from domain.container import FirmwareContainer, Status
from domain.errors import FirmwareUnfit
from domain.firmware import staged_path
from domain.hooks import Hook
from domain.light_types import NamedTuple
from domain.linux_config import LinuxConfig
from domain.selection import choose

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from domain.hook_calls import HookCalls
    from domain.ports import Board, ContainerStore, FirmwareSource, Supervisors
    from domain.stdio import Stdio


class CreateRequest(NamedTuple):
    """What a bundle asks for. Paths are absolute, but for `entry`, which is the image's own.

    A pod's sandbox has no `entry`. `terminal`: the container gets a terminal as its stdio, of
    `size` rows and columns (0: the caller of `create` decides).
    """

    id: str
    bundle: str
    rootfs: str
    cwd: str
    entry: str
    annotations: Mapping[str, str]
    hooks: Mapping[str, tuple[Hook, ...]] = {}
    linux_config: LinuxConfig = LinuxConfig()
    terminal: bool = False
    size: tuple[int, int] = (0, 0)


class Creation:
    """Creates containers. `board` is a function, since a pod's sandbox needs no hardware."""

    def __init__(
        self,
        store: ContainerStore,
        board: Callable[[], Board],
        source: FirmwareSource,
        supervisors: Supervisors,
        hooks: HookCalls,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._board = board
        self._source = source
        self._supervisors = supervisors
        self._hooks = hooks
        self._clock = clock

    def create(self, request: CreateRequest, stdio: Stdio) -> FirmwareContainer:
        """Create a container; on any error nothing of it remains."""
        options = read_annotations(request.annotations)
        draft = self._store.draft(request.id)
        container: FirmwareContainer | None = None
        try:
            planned = self._plan(request, options, draft.path)
            container = self._supervisors.spawn(draft, planned, options, stdio)
            self._hooks.demand(
                container, Status.CREATING, "prestart", "createRuntime", "createContainer"
            )
            draft.commit(container)
            self._supervisors.adopt(container)
        except BaseException:
            if container is not None:
                self._supervisors.abandon(container)
            draft.discard()
            if container is not None:
                self._hooks.attempt(container, Status.STOPPED, "poststop")
            raise
        draft.close()
        return container

    def _plan(
        self, request: CreateRequest, options: ProcessorOptions, directory: str
    ) -> FirmwareContainer:
        """Choose the processor, stage the firmware and check that the processor can run it."""
        container = FirmwareContainer(
            id=request.id,
            bundle=request.bundle,
            rootfs=request.rootfs,
            processor="",
            device="",
            firmware=None,
            annotations=request.annotations,
            created=self._clock(),
            hooks=request.hooks,
            linux_config=request.linux_config,
        )
        if not request.entry:
            return container
        board = self._board()
        info = choose(board.processors(), options.name)
        image = self._source.stage(
            request.rootfs, request.cwd, request.entry, staged_path(directory)
        )
        if options.digest not in ("", image.digest):
            raise FirmwareUnfit(
                f"{image.name} has digest {image.digest}, not {options.digest}",
                hint="deploy the image that the annotation remoteproc.firmware-digest pins",
            )
        board.open(info.device, options).check(image)
        image = image._replace(path=staged_path(self._store.directory(request.id)))
        return container._replace(processor=info.name, device=info.device, firmware=image)
