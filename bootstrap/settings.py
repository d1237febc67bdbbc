"""The configuration file, which need not exist: YAML, strictly read.

backend: sim              # or sysfs, the default: the processors of the running kernel
board: quad               # sim: a shipped board, or a board file relative to this one
run-directory: /run/...   # who owns which processor; the same for all engines of a machine
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from domain.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from adapters.sim.marked import Marked

DEFAULT_FILE = "/etc/remoteproc-runtime/config.yaml"
BACKENDS = ("sysfs", "sim")


class Settings(NamedTuple):
    """What the programs are to work on. All paths are absolute.

    `root` is the state root, `run_directory` what is shared by all state roots, `board` the
    simulated board's name or file, `base` the directory that a relative `board` starts from.
    """

    root: str
    run_directory: str
    backend: str = "sysfs"
    board: str = ""
    base: str = ""


def default_run_directory() -> str:
    """Return /run/remoteproc-runtime, or the user's own for a user who is not root."""
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.geteuid() == 0 or not own:
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
    from adapters.sim.marked import compose

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
    keys: dict[str, Marked] = top.mapping(("backend", "board", "run-directory"), ())
    base = os.path.dirname(path)
    if "backend" in keys:
        values = values._replace(backend=keys["backend"].choice(BACKENDS))
    if "board" in keys:
        values = values._replace(board=keys["board"].text(), base=base)
    if "run-directory" in keys:
        values = values._replace(run_directory=os.path.join(base, keys["run-directory"].text()))
    if values.backend == "sim" and not values.board:
        top.fail("backend sim needs a `board`", "name a board file, or a shipped one such as quad")
    return values
