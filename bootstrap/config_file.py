"""The keys of the configuration file: YAML, strictly read.

backend: sysfs                # the default: processors of the running kernel; or sim
board: quad                   # sim: a shipped board, or a board file relative to this one
tree: /                       # sysfs: where /sys, /dev and /lib/firmware are found
firmware-directory: /data/fw  # sysfs: instead of where the kernel is found to search
run-directory: /run/...       # who owns which processor; the same for all engines of one user
processors:                   # sysfs: what is special about one, by name or remoteprocN
  m4:
    resource-table: refuse    # of firmware without one: refuse, warn, ignore or auto
    images: any               # firmware that is signed or wrapped, too; or elf
    size-limit: 4M            # of a firmware file; 64M unless given
    consoles: {/dev/ttyS1: 115200}
    coredumps: /var/lib/remoteproc-runtime/coredumps
    poll-seconds: 0.1         # between two reads of the state, where no kernel log can be read
"""

from __future__ import annotations

from adapters.config.yaml_node import YamlNode, compose

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_BACKENDS = ("sysfs", "sim")
_PATHS = ("tree", "firmware-directory", "run-directory")
_KEYS = ("backend", "board", *_PATHS, "processors")
_POLICY = ("resource-table", "images", "size-limit", "consoles", "coredumps", "poll-seconds")


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
    if "processors" in keys:
        policies = keys["processors"].pairs()
        values["policies"] = {name: _policy(value) for name, value in policies.items()}
    if values.get("backend") == "sim" and not values.get("board"):
        top.fail("backend sim needs a `board`", "name a board file, or a shipped one such as quad")
    return values


def _policy(value: YamlNode) -> Mapping[str, Any]:
    keys = value.mapping(_POLICY, ())
    return {key.replace("-", "_"): _policy_value(key, found) for key, found in keys.items()}


def _policy_value(key: str, value: YamlNode) -> Any:
    match key:
        case "resource-table":
            return value.choice(("auto", "refuse", "warn", "ignore"))
        case "images":
            return value.choice(("elf", "any"))
        case "size-limit":
            return value.number(units=True)
        case "consoles":
            return {tty: speed.number() for tty, speed in value.pairs().items()}
        case "poll-seconds":
            return value.seconds()
        case _:
            return value.text()
