"""The use case `create`: from a bundle's request to a container that is ready to start."""

from __future__ import annotations

from domain.annotations import ProcessorOptions, read_annotations
from domain.container import FirmwareContainer, Status
from domain.errors import FirmwareUnfit, NotFound, RemoteprocError
from domain.firmware import staged_path
from domain.hooks import Hook
from domain.light_types import NamedTuple
from domain.linux_config import LinuxConfig
from domain.mounts import BundleMount, ImageFiles, termination_log
from domain.policy import check_digest
from domain.selection import allocated, choose_for

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from domain.firmware import FirmwareImage
    from domain.hook_calls import HookCalls
    from domain.patience import Patience
    from domain.policy import NodePolicy
    from domain.ports import (
        Allocations,
        Board,
        ContainerStore,
        FirmwareSource,
        RefusedStarts,
        Supervisors,
    )
    from domain.processor import ProcessorInfo
    from domain.stdio import Stdio


class CreateRequest(NamedTuple):
    """What a bundle asks for. Paths are absolute, but for `entry`, which is the image's own.

    `mounts` lie over the files below `rootfs`, where the entry is looked for.
    A pod's sandbox has no `entry`. `confirmed` are the keys of the annotations that the operator
    gave on the command line, so that no image can have written them. `terminal`: the container
    gets a terminal as its stdio, of `size` rows and columns (0: the caller of `create` decides).
    """

    id: str
    bundle: str
    rootfs: str
    cwd: str
    entry: str
    annotations: Mapping[str, str]
    confirmed: tuple[str, ...] = ()
    hooks: Mapping[str, tuple[Hook, ...]] = {}
    linux_config: LinuxConfig = LinuxConfig()
    terminal: bool = False
    size: tuple[int, int] = (0, 0)
    mounts: tuple[BundleMount, ...] = ()


class Creation:
    """Creates containers. `board` is a function, since a pod's sandbox needs no hardware."""

    def __init__(
        self,
        store: ContainerStore,
        board: Callable[[], Board],
        source: FirmwareSource,
        supervisors: Supervisors,
        hooks: HookCalls,
        policy: NodePolicy,
        patience: Patience,
        allocations: Callable[[], Allocations],
        refusals: Callable[[], RefusedStarts],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._board = board
        self._source = source
        self._supervisors = supervisors
        self._hooks = hooks
        self._policy = policy
        self._patience = patience
        self._allocations = allocations
        self._refusals = refusals
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
        """Choose the processor, and the firmware that it is to run."""
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
            termination_log=termination_log(request.mounts, request.annotations),
        )
        if not request.entry:
            return container
        board = self._board()
        given = allocated(request.mounts, self._allocations)
        info = self._patience.wait(
            lambda: choose_for(board.processors(), given, options.name, request.annotations),
            NotFound,
            given or options.name,
        )
        try:
            image = self._admit(board, info, request, options, directory)
        except RemoteprocError as error:
            self._refusals().tell(info.device, error)
            raise
        return container._replace(
            processor=info.name, device=info.device, device_path=info.path, firmware=image
        )

    def _admit(
        self,
        board: Board,
        info: ProcessorInfo,
        request: CreateRequest,
        options: ProcessorOptions,
        directory: str,
    ) -> FirmwareImage:
        """Stage the firmware for the processor; raise what forbids that it runs there."""
        self._policy.check_request(info, options, request.annotations, request.confirmed)
        files = ImageFiles(request.rootfs, request.cwd, request.mounts)
        image = self._source.stage(files, request.entry, staged_path(directory))
        if options.digest not in ("", image.digest):
            raise FirmwareUnfit(
                f"{image.name} has digest {image.digest}, not {options.digest}",
                hint="deploy the image that the annotation remoteproc.firmware-digest pins",
            )
        self._check_firmware(info, files, image)
        board.open(info.device, options).check(image)
        return image._replace(path=staged_path(self._store.directory(request.id)))

    def _check_firmware(self, info: ProcessorInfo, files: ImageFiles, image: FirmwareImage) -> None:
        """Raise Forbidden unless the policy lets this firmware run on the processor.

        The supervisor compares the digest again with the bytes that it starts.
        """
        rules = self._policy.rules(info)
        check_digest(rules, info.name, image)
        if rules.require == "signature":
            self._source.verify(files, image, rules.keys)
