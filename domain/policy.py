"""The node's policy: who may have a processor, what a container may ask for, which firmware runs.

The configuration says it for each processor. What it does not say is closed for what reaches
beyond a container's own run (`attached`, `coredump`, `recovery`), and open for all else: any
caller of the runtime may have any processor that is free, and run any firmware that fits.
"""

from __future__ import annotations

from domain.annotations import PREFIX, annotation_of
from domain.errors import Forbidden
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any

    from domain.annotations import ProcessorOptions
    from domain.firmware import FirmwareImage
    from domain.processor import ProcessorInfo

EVERY = "*"
"""The entry of the configuration for all processors; their own entries override its keys."""

CRI_NAMESPACE = "k8s.io"
"""The namespace of containerd in which its CRI, and nobody else, makes pods."""

_POD_NAMESPACE = "io.kubernetes.cri.sandbox-namespace"
_MANAGER = "io.container.manager"  # Podman sets it last: neither image nor user can change it
# The fields that need the configuration's leave for other values than their defaults.
_CLOSED: Mapping[str, str] = {"attached": "", "coredump": "disabled", "recovery": "container"}
_OPEN: Mapping[str, str] = {"console": "trace"}

RULED_FIELDS = (*_CLOSED, *_OPEN)
"""The fields of ProcessorOptions whose values the configuration may list."""


class ProcessorRules(NamedTuple):
    """What the configuration says of one processor.

    `users` (names or ids, of the command line's callers), `containerd_namespaces` and
    `kubernetes_namespaces` say who may have it; everybody if all three are empty. `annotations`:
    by field of ProcessorOptions the values that containers may ask for besides the default.
    `image_annotations`: `refuse` annotations that the engine may have copied out of an image, or
    `accept` them. `require`: `digest`, one of `digests`; `signature`, by one of the public keys in
    the files `keys`; or `` for any firmware.
    """

    users: Sequence[str] = ()
    containerd_namespaces: Sequence[str] = ()
    kubernetes_namespaces: Sequence[str] = ()
    annotations: Mapping[str, Sequence[str]] = {}
    image_annotations: str = "accept"
    require: str = ""
    digests: Sequence[str] = ()
    keys: Sequence[str] = ()


def entry_of(entries: Mapping[str, Mapping[str, Any]], *names: str) -> dict[str, Any]:
    """Return what a configuration's entries say of a processor that has these names.

    The entry of a later name overrides that of an earlier one.
    """
    found: dict[str, Any] = {}
    for key in (EVERY, *names):
        found.update(entries.get(key, {}))
    return found


class NodePolicy:
    """The rules of all processors, and on whose behalf containers are created.

    `entries` are fields of ProcessorRules by processor. `namespace` is that of containerd, `` for
    the command line; `user_names` returns name and id of the command line's caller.
    """

    def __init__(
        self,
        entries: Mapping[str, Mapping[str, Any]],
        namespace: str,
        user_names: Callable[[], Sequence[str]],
    ) -> None:
        self._entries = entries
        self._namespace = namespace
        self._user_names = user_names

    def rules(self, processor: ProcessorInfo) -> ProcessorRules:
        """Return the rules for this processor."""
        names = (processor.name, processor.parent, processor.device)
        return ProcessorRules(**entry_of(self._entries, *names))

    def check_request(
        self,
        processor: ProcessorInfo,
        options: ProcessorOptions,
        annotations: Mapping[str, str],
        confirmed: Collection[str] = (),
    ) -> None:
        """Raise Forbidden unless the container may have the processor, with these options.

        `annotations` are all of the container's, `confirmed` the keys of those that the
        operator gave on the command line.
        """
        rules = self.rules(processor)
        self._check_requester(rules, processor.name, annotations)
        if rules.image_annotations == "refuse":
            _check_origin(processor.name, annotations, confirmed)
        _check_options(rules, processor.name, options)

    def _check_requester(
        self, rules: ProcessorRules, name: str, annotations: Mapping[str, str]
    ) -> None:
        given = {kind: names for kind, names in zip(_KINDS, rules, strict=False) if names}
        if not given:
            return
        requester = self._requester(annotations)
        if not any(set(names) & set(requester.get(kind, ())) for kind, names in given.items()):
            kind, names = list(requester.items())[-1]
            listed = "; ".join(f"{kind} {', '.join(names)}" for kind, names in given.items())
            raise Forbidden(
                f"{kind.removesuffix('s')} {names[0]} may not have processor {name}",
                hint=f"the configuration gives it to {listed}",
            )

    def _requester(self, annotations: Mapping[str, str]) -> dict[str, Sequence[str]]:
        """Return the names of the one who asks, by their kind; the most exact kind is the last."""
        users, containerd, kubernetes = _KINDS
        if not self._namespace:
            return {users: self._user_names()}
        found: dict[str, Sequence[str]] = {containerd: (self._namespace,)}
        # Elsewhere any client of containerd can write this annotation.
        if self._namespace == CRI_NAMESPACE and _POD_NAMESPACE in annotations:
            found[kubernetes] = (annotations[_POD_NAMESPACE],)
        return found


_KINDS = ("users", "containerd namespaces", "Kubernetes namespaces")  # the first fields of rules


def _check_origin(name: str, annotations: Mapping[str, str], confirmed: Collection[str]) -> None:
    if annotations.get(_MANAGER) != "libpod":
        return  # containerd, Docker and CRI-O copy no annotation out of an image
    for key in annotations:
        if key.startswith(PREFIX) and key not in confirmed:
            raise Forbidden(
                f"annotation {key} may come from the image, and processor {name} takes none",
                hint=f"podman --runtime-flag annotations={key}={annotations[key]}",
            )


def _check_options(rules: ProcessorRules, name: str, options: ProcessorOptions) -> None:
    for field, value in options._asdict().items():
        if value == {**_CLOSED, **_OPEN}.get(field, value):
            continue
        allowed = rules.annotations.get(field)
        if allowed is None and field in _OPEN:
            continue
        if value not in (allowed or ()):
            raise Forbidden(
                f"{annotation_of(field)} = {value} is not allowed for processor {name}",
                hint="the configuration must allow it: "
                f"processors: {{{name}: {{annotations: {{{field}: [{value}]}}}}}}",
            )


def check_digest(rules: ProcessorRules, name: str, firmware: FirmwareImage) -> None:
    """Raise Forbidden if the rules list digests, and not this firmware's."""
    if rules.require == "digest" and firmware.digest not in rules.digests:
        raise Forbidden(
            f"{firmware.name} has digest {firmware.digest}, which processor {name} does not take",
            hint="deploy other firmware, or add the digest to `digests` in the configuration",
        )
