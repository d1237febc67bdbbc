"""What the programs work on: the configuration file's values, paths made absolute."""

from __future__ import annotations

import os

from adapters.linux.process import privileged
from domain.errors import InvalidRequest, NotFound
from domain.firmware import SIZE_LIMIT
from domain.light_types import NamedTuple

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

DEFAULT_FILE = "/etc/remoteproc-runtime/config.yaml"


class Settings(NamedTuple):
    """What the programs are to work on. All paths are absolute.

    `root` is the state root, `run_directory` what all state roots share, `board` the
    simulated board's name or file, `base` the directory that a relative `board` starts from.
    `simulator_users` are the first and the last id of the users that QEMU runs as, whom nobody else
    uses; None for those of adapters.sim.qemu_users.
    `policies` holds, by processor, fields of adapters.sysfs.policy.Policy, and `rules` of
    domain.policy.ProcessorRules. `namespace` is that of containerd, `` for the command line.
    `resource_domain` is the part before the slash of Kubernetes' resources, and `resources` are
    names or devices of the processors in each pool of theirs.
    """

    root: str
    run_directory: str
    backend: str = "sysfs"
    board: str = ""
    base: str = ""
    tree: str = "/"
    firmware_directory: str = ""
    policies: Mapping[str, Mapping[str, Any]] = {}
    simulator_users: tuple[int, int] | None = None
    rules: Mapping[str, Mapping[str, Any]] = {}
    namespace: str = ""
    resource_domain: str = "remoteproc"
    resources: Mapping[str, Sequence[str]] = {}

    @property
    def leases_directory(self) -> str:
        """Where the leases of all state roots are: who has which processor."""
        return f"{self.run_directory}/owners"

    @property
    def boards_directory(self) -> str:
        """Where is recorded which processors of simulated boards run."""
        return f"{self.run_directory}/boards"

    @property
    def board_key(self) -> str:
        """A short word, fit for a file name: the same for all settings that name the same board."""
        from binascii import crc32

        file = self.board if self.backend == "sim" else self.tree
        if self.backend == "sysfs" or "/" in file or file.endswith((".yaml", ".yml")):
            file = os.path.realpath(os.path.join(self.base, file))
        return f"{self.backend}-{crc32(os.fsencode(file)):08x}"

    @property
    def board_cache(self) -> str:
        """Where parsed board files are cached, as adapters.config.parsed_cache takes it."""
        return cache_of("board")

    @property
    def waits(self) -> dict[str, float]:
        """How many seconds to wait for a processor that is absent or busy, by processor."""
        given = ((name, policy.get("wait_seconds")) for name, policy in self.policies.items())
        return {name: float(seconds) for name, seconds in given if seconds}

    @property
    def largest_firmware(self) -> int:
        """The size in bytes up to which firmware is copied out of an image.

        The copy is made before the processor's own limit is checked, so it is the largest limit
        of all processors; those without a `size-limit` have the default.
        """
        limits = [int(policy.get("size_limit", 0)) for policy in self.policies.values()]
        return max([SIZE_LIMIT, *limits])


def default_run_directory() -> str:
    """Return /run/remoteproc-runtime, or the caller's own unless the caller is real root."""
    own = _base_directory("XDG_RUNTIME_DIR")
    if not own or privileged():
        return "/run/remoteproc-runtime"
    return f"{own}/remoteproc-runtime"


def _base_directory(variable: str) -> str:
    """Return an XDG base directory, "" for none: a relative path is none (its specification)."""
    path = os.environ.get(variable, "")
    return path if path.startswith("/") else ""


def fork_servers_directory() -> str:
    """Return the directory of the sockets of the servers that fork shims."""
    return f"{default_run_directory()}/forks"


def cache_of(kind: str) -> str:
    """Return where files of a kind are cached, as adapters.config.parsed_cache takes it.

    It is the default run directory: the configured one is not known before the configuration is.
    """
    return f"{default_run_directory()}/parsed/{kind}"


def _default_file() -> str:
    """Return the machine's file, or that of a user who is not real root and has one."""
    if not privileged():
        own = _base_directory("XDG_CONFIG_HOME") or f"{_home()}/.config"
        file = f"{own}/remoteproc-runtime/config.yaml"
        if os.path.exists(file):
            return file
    return DEFAULT_FILE


def _home() -> str:
    """Return the home of the caller, who may be called root in a user namespace of an engine."""
    home = os.environ.get("HOME", "")
    if home:
        return home
    from pwd import getpwuid

    from adapters.linux.users import outside_user

    try:
        return getpwuid(outside_user()).pw_dir
    except KeyError:
        return "/nonexistent"


def load_settings(config: str | None = None, root: str | None = None) -> Settings:
    """Read `config`, or the default file if there is one; `root` overrides its state root.

    Raises NotFound, and InvalidRequest with file, line and key of a mistake.
    """
    run = default_run_directory()
    settings = Settings(root="", run_directory=run)
    file = config or _default_file()
    if config is not None or os.path.exists(file):
        settings = _read(os.path.abspath(file), settings)
    chosen = os.path.abspath(root) if root else f"{settings.run_directory}/containers"
    return settings._replace(root=chosen)


def namespace_root(settings: Settings, namespace: str) -> str:
    """Return the state root of a namespace of containerd, whose name the caller has checked."""
    return f"{settings.run_directory}/containerd/{namespace}"


def _read(path: str, defaults: Settings) -> Settings:
    from adapters.config.parsed_cache import read_parsed

    def parse(text: str) -> dict[str, Any]:
        from bootstrap.config_file import parse_config

        return parse_config(text, path)

    try:
        return read_parsed(
            path, cache_of("config"), parse, lambda values: _settings(path, values, defaults)
        )
    except OSError as error:
        raise NotFound(
            f"cannot read configuration {path}: {error.strerror}", hint="check --config"
        ) from error


def _settings(path: str, values: Mapping[str, Any], defaults: Settings) -> Settings:
    """Return the defaults with the values of a configuration file, relative paths resolved."""
    base = os.path.dirname(path)
    changes = {key: value for key, value in values.items() if key != "tree_line"}
    if "board" in changes:
        changes["base"] = base
    for key in ("tree", "firmware_directory", "run_directory"):
        if key in changes:
            changes[key] = os.path.join(base, changes[key])
    if "rules" in changes:  # `values` are cached without what depends on the file's place
        changes["rules"] = {name: _with_keys(each, base) for name, each in values["rules"].items()}
    if "tree" in changes and not os.path.isdir(changes["tree"]):
        raise InvalidRequest(
            f"{path}:{values['tree_line']}: tree {changes['tree']} is no directory",
            hint="name where /sys is found",
        )
    return defaults._replace(**changes)


def _with_keys(rules: Mapping[str, Any], base: str) -> Mapping[str, Any]:
    """Return a processor's rules, the relative paths of keys resolved."""
    if "keys" not in rules:
        return rules
    return {**rules, "keys": [os.path.join(base, key) for key in rules["keys"]]}
