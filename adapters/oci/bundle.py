"""Reads config.json (runtime-spec config.md) into the request that the use case `create` takes.

Every value is untrusted: typed getters read it, and their errors name the property. Properties
that have no meaning for firmware are ignored.
"""

from __future__ import annotations

import os
import stat

from adapters.encoding.light_json import loads
from adapters.oci.entry import is_sandbox, read_entry
from adapters.oci.json_value import Value
from adapters.oci.linux_section import read_hooks, read_linux_config
from adapters.oci.mounts_section import read_mounts
from domain.annotations import drop_remoteproc_annotations
from domain.creation import CreateRequest
from domain.errors import InvalidRequest, NotFound

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from typing import Any

_LIMIT = 8 << 20  # bytes; engines write some kilobytes


def read_bundle(container_id: str, bundle: str, document: Any = None) -> CreateRequest:
    """Read the config.json in the directory `bundle`. Raises NotFound, InvalidRequest.

    `document` is what `load_json` returned for that file, if the caller has called it.
    """
    bundle = os.path.abspath(bundle)
    path = f"{bundle}/config.json"
    if document is None:
        document = load_json(path, hint="give the bundle's directory with --bundle")
    config = Value(document, "the document", path)
    process = config.need("process", hint="firmware is its entry point: add process.args")
    cwd = process.get("cwd")
    root = config.need("root", hint='add "root": {"path": "rootfs"}').need("path")
    given, terminal = config.get("annotations"), process.get("terminal")
    annotations = given.texts() if given else {}
    sandbox = is_sandbox(container_id, process, annotations)
    return CreateRequest(
        id=container_id,
        bundle=bundle,
        rootfs=os.path.normpath(os.path.join(bundle, root.text())),
        cwd=cwd.text() if cwd else "/",
        entry="" if sandbox else read_entry(process),
        # containerd copies a pod's annotations to the pod's sandbox (internal/cri/annotations).
        annotations=drop_remoteproc_annotations(annotations) if sandbox else annotations,
        hooks=read_hooks(config),
        linux_config=read_linux_config(config),
        terminal=terminal.flag() if terminal else False,
        size=_size(process),
        mounts=read_mounts(config, bundle),
    )


def read_process(path: str) -> tuple[list[str], bool]:
    """Read a process file (runc exec -p). Return `args`, and whether it asks for a terminal.

    Raises NotFound, InvalidRequest.
    """
    process = Value(load_json(path), "the document", path)
    args = process.need("args", hint='add "args": ["status"]')
    terminal = process.get("terminal")
    return [each.text() for each in args.items()], terminal.flag() if terminal else False


def _size(process: Value) -> tuple[int, int]:
    size = process.get("consoleSize")
    if size is None:
        return (0, 0)
    return (size.need("height").number(0, 0xFFFF), size.need("width").number(0, 0xFFFF))


def load_json(path: str, *, hint: str = "") -> Any:
    """Return what a file of JSON says. Raises NotFound, with the hint, and InvalidRequest."""
    try:
        with open(path, "rb", opener=_open) as file:
            if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
                raise InvalidRequest(f"{path}: is a FIFO, not a regular file")
            data = file.read(_LIMIT + 1)
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist", hint=hint) from None
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InvalidRequest(f"{path!r} is no file name: it has a NUL") from error
    if len(data) > _LIMIT:
        raise InvalidRequest(f"{path} is larger than {_LIMIT >> 20} MiB")
    return parse_json(data, path)


def parse_json(data: bytes, path: str) -> Any:
    """Return what JSON says; `path` names it in errors. Raises InvalidRequest."""
    try:
        return loads(data)
    except RecursionError:
        raise InvalidRequest(f"{path} is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8 text") from error
    except ValueError as error:
        raise InvalidRequest(f"{path} is not JSON: {error}") from error


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a FIFO without a writer must not block
