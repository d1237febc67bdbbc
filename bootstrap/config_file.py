"""The keys of the configuration file: YAML, strictly read.

backend: sysfs                # the default: processors of the running kernel; or sim
board: quad                   # sim: a shipped board, or a board file relative to this one
tree: /                       # sysfs: where /sys, /dev and /lib/firmware are found
firmware-directory: /data/fw  # sysfs: instead of where the kernel is found to search
run-directory: /run/...       # who owns which processor; the same for all engines of one user
simulator-users: 1879048192-1879113727  # sim: as whom QEMU runs, if root starts it: ids of nobody
kubernetes:                   # what `device-plugin` offers: remoteproc/NAME for each processor
  domain: board.example       # instead of remoteproc
  resources:                  # pools, of which a pod gets any: board.example/cortex-m7
    cortex-m7: [m7-0, m7-1]
processors:                   # what is special about one, by name or remoteprocN, or all: "*"
  m4:                         # its keys override those of "*"
    users: [root]             # who may have it; everybody without these three keys
    containerd-namespaces: [moby]
    kubernetes-namespaces: [plant]
    annotations: {attached: [take, keep, replace, borrow], coredump: [enabled], recovery: [kernel]}
    image-annotations: refuse # of Podman: remoteproc.* that may come from the image; or accept
    require: signature        # of firmware: signature, by one of `keys`; digest, one of `digests`
    keys: [plant.pem]         # Ed25519 public keys, relative to this file
    digests: []
    wait-seconds: 30          # until an absent one appears, and a busy one is free; 0 unless given
    resource-table: refuse    # sysfs, and so is all below; auto, warn and ignore are others
    images: any               # firmware that is signed or wrapped for the driver, too; or elf
    size-limit: 4M            # of a firmware file; 64M unless given
    consoles: {/dev/ttyS1: 115200}
    coredumps: /var/lib/remoteproc-runtime/coredumps  # a directory that nobody else may write
    start-retries: 1          # of a start that the driver fails; 0 unless given
    poll-seconds: 0.1         # between two reads of the state, where no kernel log can be read
"""

from __future__ import annotations

from adapters.config.yaml_node import YamlNode, compose
from domain.annotations import CHOICES, is_digest, is_tty
from domain.policy import EVERY, RULED_FIELDS

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

_BACKENDS = ("sysfs", "sim")
_PATHS = ("tree", "firmware-directory", "run-directory")
_KEYS = ("backend", "board", *_PATHS, "simulator-users", "kubernetes", "processors")
_SHORTEST_POLL = 0.01  # seconds; with 0 a supervisor would never rest
_USER_MAX = 2**32 - 1  # which stands for "no id" (setresuid(2))
_USER_DIGITS = 10  # of a user id; int() fails for thousands of digits
_POLICY = (
    *("resource-table", "images", "size-limit", "consoles", "coredumps"),
    *("poll-seconds", "wait-seconds", "start-retries"),
)
_WHO = ("users", "containerd-namespaces", "kubernetes-namespaces")
_REQUIRED = {"digest": "digests", "signature": "keys"}
_RULES = (*_WHO, "annotations", "image-annotations", "require", *_REQUIRED.values())


def parse_config(text: str, path: str) -> dict[str, Any]:
    """Return what a configuration says, by the names of Settings, in JSON's types.

    Relative paths stay as they are written; `tree_line` is the line of `tree`. `path` names
    the file in errors. Raises InvalidRequest with file, line and key of a mistake.
    """
    top = compose(text, path, "the configuration")
    if top is None:
        return {}  # an empty file, or one of comments
    keys = top.mapping(_KEYS, ())
    values: dict[str, Any] = {}
    if "backend" in keys:
        values["backend"] = keys["backend"].choice(_BACKENDS)
    for key in ("board", *_PATHS):
        if key in keys:
            values[key.replace("-", "_")] = keys[key].text()
    if "tree" in keys:
        values["tree_line"] = keys["tree"].line
    if "simulator-users" in keys:
        values["simulator_users"] = _users(keys["simulator-users"])
    if "kubernetes" in keys:
        values |= _kubernetes(keys["kubernetes"].mapping(("domain", "resources"), ()))
    if "processors" in keys:
        entries = keys["processors"].pairs()
        found = {name: value.mapping((*_RULES, *_POLICY), ()) for name, value in entries.items()}
        values["policies"] = {name: _fields(each, _POLICY) for name, each in found.items()}
        values["rules"] = {name: _fields(each, _RULES) for name, each in found.items()}
        for name, rules in values["rules"].items():
            _check_required(rules, {**values["rules"].get(EVERY, {}), **rules}, entries[name])
    if values.get("backend") == "sim" and not values.get("board"):
        top.fail("backend sim needs a `board`", "name a board file, or a shipped one such as quad")
    return values


def _kubernetes(keys: Mapping[str, YamlNode]) -> dict[str, Any]:
    from domain.offers import is_domain, is_resource_name

    found: dict[str, Any] = {}
    if domain := keys.get("domain"):
        if not is_domain(domain.text()):
            domain.fail(f"domain {domain.text()!r} is none for resources", "write board.example")
        found["resource_domain"] = domain.text()
    if pools := keys.get("resources"):
        found["resources"] = {}
        placed: dict[str, str] = {}
        for name, members in pools.pairs().items():
            if not is_resource_name(name):
                members.fail(f"{name!r} is no resource's name", "write one such as cortex-m7")
            found["resources"][name] = [each.text() for each in members.items()]
            for member in found["resources"][name]:
                if placed.setdefault(member, name) != name:
                    members.fail(
                        f"processor {member} is in the resources {placed[member]} and {name}",
                        "leave it in one: two would give it away twice",
                    )
    return found


def _users(value: YamlNode) -> list[int]:
    first, _, last = value.text().partition("-")
    written = first.isdecimal() and last.isdecimal() and max(len(first), len(last)) <= _USER_DIGITS
    if not (written and 0 < int(first) <= int(last) < _USER_MAX):
        value.fail("is not FIRST-LAST, two user ids", "leave it out for the default")
    return [int(first), int(last)]


def _fields(found: Mapping[str, YamlNode], keys: Sequence[str]) -> dict[str, Any]:
    """Return the values of those keys that are given."""
    return {key.replace("-", "_"): _value(key, found[key]) for key in keys if key in found}


def _check_required(own: Mapping[str, Any], rules: Mapping[str, Any], entry: YamlNode) -> None:
    """Raise InvalidRequest if firmware must have what no key lists, or the other way round.

    `rules` are the entry's `own`, and those of "*".
    """
    for word, key in _REQUIRED.items():
        if rules.get("require") == word and not rules.get(key):
            entry.fail(f"require: {word} needs `{key}`", f"list the {key} that {entry.key} takes")
        if key in own and rules.get("require") != word:
            entry.fail(f"`{key}` without require: {word} has no effect", f"add require: {word}")


def _value(key: str, value: YamlNode) -> Any:
    match key:
        case "resource-table":
            return value.choice(("auto", "refuse", "warn", "ignore"))
        case "images":
            return value.choice(("elf", "any"))
        case "size-limit":
            return value.number(units=True)
        case "start-retries":
            return value.number()
        case "consoles":
            return {tty: speed.number() for tty, speed in value.pairs().items()}
        case "poll-seconds":
            return value.seconds(_SHORTEST_POLL)
        case "wait-seconds":
            return value.seconds()
        case "require":
            return value.choice(tuple(_REQUIRED))
        case "image-annotations":
            return value.choice(("accept", "refuse"))
        case "annotations":
            return {field: _allowed(field, each) for field, each in _ruled(value)}
        case "digests":
            return [_digest(each) for each in value.items()]
        case "keys" | "users" | "containerd-namespaces" | "kubernetes-namespaces":
            return [each.text() for each in value.items()]
        case _:
            return value.text()


def _ruled(value: YamlNode) -> Iterable[tuple[str, YamlNode]]:
    return value.mapping(RULED_FIELDS, ()).items()


def _allowed(field: str, value: YamlNode) -> list[str]:
    """Return the values of an annotation that containers may ask for."""
    ttys = field == "console"
    return [
        each.text() if ttys and is_tty(each.text()) else each.choice(CHOICES[field])
        for each in value.items()
    ]


def _digest(value: YamlNode) -> str:
    text = value.text()
    if not is_digest(text):
        value.fail(f"{text!r} is no digest", "give sha256: and 64 hexadecimal digits")
    return text
