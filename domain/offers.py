"""What a node offers to a scheduler: each processor, in exactly one resource, with its health.

Two resources over one processor would overbook it. A processor has a resource of its own, or it is
in a pool, whose processors are alike for those who ask: any of them is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from domain.annotations import is_pods_name
from domain.processor import ATTACHED, DETACHED

if TYPE_CHECKING:
    from domain.policy import NodePolicy
    from domain.processor import ProcessorInfo
    from domain.processor_rows import ProcessorRow

DOMAIN = "remoteproc"
"""The part before the slash of resources' names, unless the configuration says another."""

_LONGEST = 63  # characters of a device's id, and of a resource's name after the slash
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


class Offer(NamedTuple):
    """One processor. `id` is a name that the runtime takes, and that no other processor has.

    `trouble`: why nobody can have it; `` if it is healthy. A healthy one is `free`, or it has a
    container of a pod. `device`: the kernel's name for it.
    """

    id: str
    resource: str
    free: bool
    trouble: str = ""
    device: str = ""


class Offers:
    """The offers of a node, by looks at the board; `pools` are names or devices, by resource.

    A processor that was there once remains, so that a scheduler sees why it is missing.
    """

    def __init__(self, domain: str, pools: Mapping[str, Sequence[str]], policy: NodePolicy) -> None:
        self._domain = domain
        self._pools = {name: pool for pool, names in pools.items() for name in names}
        self._policy = policy
        self._known: dict[str, Offer] = {}
        self._suspects: dict[str, str] = {}

    def look(self, rows: Sequence[ProcessorRow]) -> dict[str, list[Offer]]:
        """Return the offers now, by the full names of their resources."""
        found = {offer.id: offer for offer in self._present(rows)}
        for name, pool in self._pools.items():
            if not any(name in (r.info.name, r.info.device) for r in rows):
                self._known.setdefault(name, Offer(name, self._named(pool), free=False))
        devices = [row.info.device for row in rows]
        for name, known in self._known.items():
            if name not in found and name not in devices:
                found[name] = known._replace(free=False, trouble="this board does not have it now")
        self._known = found
        offers: dict[str, list[Offer]] = {}
        for offer in found.values():
            offers.setdefault(offer.resource, []).append(offer)
        return offers

    def _present(self, rows: Sequence[ProcessorRow]) -> list[Offer]:
        names = [row.info.name for row in rows]
        suspects, self._suspects = self._suspects, {}
        offers = []
        for row in rows:
            info = row.info
            unique = is_resource_name(info.name) and names.count(info.name) == 1
            name = info.name if unique else info.device
            pool = self._pools.get(info.name) or self._pools.get(info.device) or name
            trouble = self._trouble(row)
            if trouble:
                self._suspects[name] = trouble
                known = self._known.get(name)
                # State and owner are read one after the other: a start or an end in between looks
                # like somebody else's firmware. The next look tells.
                if known and not known.trouble and name not in suspects:
                    trouble = ""
            free = not self._suspects.get(name) and row.owner is None
            offers.append(Offer(name, self._named(pool), free, trouble, info.device))
        return offers

    def _named(self, resource: str) -> str:
        return f"{self._domain}/{resource}"

    def _trouble(self, row: ProcessorRow) -> str:
        info, owner = row.info, row.owner
        if info.fault or row.left:
            return info.fault or info.note
        if owner is not None:
            foreign = not is_pods_name(owner.name)
            return f"belongs to container {owner.title}, which is no pod's" if foreign else ""
        if info.state.startable or (info.state in (ATTACHED, DETACHED) and self._replaced(info)):
            return ""
        if info.state.crashed:
            return f"is {info.state}"
        return f"is {info.state}, and no container has started it"

    def _replaced(self, info: ProcessorInfo) -> bool:
        """Return whether the configuration lets containers have what a boot loader started."""
        return bool(self._policy.rules(info).annotations.get("attached"))


def is_resource_name(text: str) -> bool:
    """Tell whether Kubernetes takes a text as a resource's name, after the slash."""
    inner = text.replace("-", "0").replace("_", "0").replace(".", "0")
    ends = {text[:1], text[-1:]}
    return ends <= _WORD and _WORD.issuperset(inner) and 0 < len(text) <= _LONGEST


def is_domain(text: str) -> bool:
    """Tell whether Kubernetes takes a text as a resource's domain, before the slash."""
    labels = text.split(".")
    lower = text == text.lower() and "_" not in text
    ours = text != "kubernetes.io" and not text.endswith(".kubernetes.io")
    return lower and ours and len(text) <= 253 and all(map(is_resource_name, labels))


def prefer(offers: Sequence[Offer], available: Sequence[str], must: Sequence[str]) -> list[str]:
    """Return the ids in the order in which to give them: those that must be, then free ones."""
    free = {offer.id for offer in offers if offer.free}
    rest = [name for name in available if name not in must]
    return [*must, *sorted(rest, key=lambda name: name not in free)]
