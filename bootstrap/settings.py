"""The configuration file, which need not exist: YAML, strictly read.

backend: sysfs                # the default: processors of the running kernel; or sim
board: quad                   # sim: a shipped board, or a board file relative to this one
tree: /                       # sysfs: where /sys, /dev and /lib/firmware are found
firmware-directory: /data/fw  # sysfs: instead of where the kernel is found to search
run-directory: /run/...       # who owns which processor; the same for all engines of one user
processors:                   # sysfs: what is special about one, by name or remoteprocN
  m4:
    resource-table: refuse    # of firmware without one: refuse, warn, ignore or auto
    images: any               # firmware that is signed or wrapped, too; or elf
    size-limit: 4M
    consoles: {/dev/ttyS1: 115200}
    coredumps: /var/lib/remoteproc-runtime/coredumps
    poll-seconds: 0.1
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from adapters.linux.process import privileged
from domain.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from adapters.config.yaml_node import YamlNode

DEFAULT_FILE = "/etc/remoteproc-runtime/config.yaml"
BACKENDS = ("sysfs", "sim")
_KEYS = ("backend", "board", "tree", "firmware-directory", "run-directory", "processors")
_POLICY = ("resource-table", "images", "size-limit", "consoles", "coredumps", "poll-seconds")


class Settings(NamedTuple):
    """What the programs are to work on. All paths are absolute.

    `root` is the state root, `run_directory` what is shared by all state roots, `board` the
    simulated board's name or file, `base` the directory that a relative `board` starts from.
    `policies` holds, by processor, fields of adapters.sysfs.policy.Policy.
    """

    root: str
    run_directory: str
    backend: str = "sysfs"
    board: str = ""
    base: str = ""
    tree: str = "/"
    firmware_directory: str = ""
    policies: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


def default_run_directory() -> str:
    """Return /run/remoteproc-runtime, or the user's own for one who is not the machine's root."""
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    if not own or privileged():
        return "/run/remoteproc-runtime"
    return f"{own}/remoteproc-runtime"


def load_settings(config: str | None = None, root: str | None = None) -> Settings:
    """Read `config`, or the default file if there is one; `root` overrides its state root.

    Raises NotFound, and InvalidRequest with file, line and key of a mistake.
    """
    run = default_run_directory()
    values = Settings(root="", run_directory=run)
    if config is not None or os.path.exists(DEFAULT_FILE):
        values = _read(os.path.abspath(config or DEFAULT_FILE), values)
    chosen = os.path.abspath(root) if root else f"{values.run_directory}/containers"
    return values._replace(root=chosen)


def _read(path: str, values: Settings) -> Settings:
    from adapters.config.yaml_node import compose

    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise NotFound(
            f"cannot read configuration {path}: {error.strerror}",
            hint="check --config",
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path}: is not UTF-8 text") from error
    top = compose(text, path, "the configuration")
    if top is None:
        return values  # an empty file, or one of comments
    keys = top.mapping(_KEYS, ())
    base = os.path.dirname(path)
    changes: dict[str, Any] = {}
    if "backend" in keys:
        changes["backend"] = keys["backend"].choice(BACKENDS)
    if "board" in keys:
        changes |= {"board": keys["board"].text(), "base": base}
    for key in ("tree", "firmware-directory", "run-directory"):
        if key in keys:
            changes[key.replace("-", "_")] = os.path.join(base, keys[key].text())
    if "tree" in keys and not os.path.isdir(changes["tree"]):
        keys["tree"].fail(f"tree {changes['tree']} is no directory", "name where /sys is found")
    if "processors" in keys:
        changes["policies"] = {
            name: _policy(value) for name, value in keys["processors"].pairs().items()
        }
    values = values._replace(**changes)
    if values.backend == "sim" and not values.board:
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
