"""Keeps as JSON what was parsed from a YAML file, so that the next command imports no PyYAML.

The import of PyYAML takes longer than the start of Python, and engines run several commands for
each container. The value of a file depends on the file's text and on this runtime's version alone,
so a cached value is used only if both are the same. The text is compared, and not the file's inode
and times: a filesystem's clock is coarse, so a second change can leave the times of the first, and
images without times of their own give each file the same.

The cache is a directory of mode 0700 with at most `SLOTS` files for each kind of file; two paths
that share a slot replace each other's value. If the cache cannot be used, the file is parsed; no
command fails because of the cache.
"""

from __future__ import annotations

import os
from binascii import crc32

from adapters import __version__
from adapters.encoding.light_json import dumps, loads
from adapters.linux.directories import check_owner, open_private, private_directory
from domain.errors import HostFault, InvalidRequest

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    _Value = TypeVar("_Value")

SLOTS = 64
LARGEST = 1 << 16  # bytes of one cached value with its text
_LARGEST_FILE = 1 << 20  # bytes; people write some kilobytes, and a device may have no end
_TEMPORARY = "new~"
_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW


def read_parsed(
    path: str, cache: str, parse: Callable[[str], Any], build: Callable[[Any], _Value]
) -> _Value:
    """Return what `build` makes of the JSON value that `parse` makes of the text of a file.

    `cache` is the start of a path: a directory and the kind of file that is read; empty for no
    cache. `parse` may look at nothing but the text; its value is cached once `build` has taken
    it. Raises OSError, InvalidRequest, and what `parse` and `build` raise.
    """
    with open(path, "rb") as file:
        data = file.read(_LARGEST_FILE + 1)
    if len(data) > _LARGEST_FILE:
        raise InvalidRequest(f"{path}: is larger than {_LARGEST_FILE >> 20} MiB")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path}: is not UTF-8 text") from error
    if not cache:
        return build(parse(text))
    directory, slot = _place(cache, path)
    try:
        return build(_load(directory, slot, text))
    except Exception:
        pass  # nothing cached, or nothing that can be trusted
    value = parse(text)
    built = build(value)
    _try_to_store(directory, slot, text, value)
    return built


def remember(cache: str, key: str, compute: Callable[[], Any]) -> Any:
    """Return the JSON value that `compute` returns for a key; it is computed once.

    An empty value means that it could not be told, and is computed again.
    """
    directory, slot = _place(cache, key)
    if cache:
        try:
            return _load(directory, slot, key)
        except Exception:
            pass  # nothing cached, or nothing that can be trusted
    value = compute()
    if cache and value:
        _try_to_store(directory, slot, key, value)
    return value


def _place(cache: str, key: str) -> tuple[str, str]:
    """Return the directory, and the name of the file, for the value of a path or another key."""
    directory, kind = os.path.split(cache)
    return directory, f"{kind}-{crc32(os.fsencode(key)) % SLOTS:02x}.json"


def _try_to_store(directory: str, slot: str, text: str, value: Any) -> None:
    try:
        _store(directory, slot, text, value)
    except (OSError, ValueError, HostFault):
        pass  # the next command parses the file again


def _load(directory: str, slot: str, text: str) -> Any:
    """Return the cached value for a text. Raises OSError, LookupError, ValueError, TypeError."""
    place = open_private(directory)
    try:
        descriptor = os.open(slot, os.O_RDONLY | os.O_NONBLOCK | _OPEN, dir_fd=place)
    finally:
        os.close(place)
    try:
        check_owner(descriptor)
        head, body, _ = os.read(descriptor, LARGEST).split(b"\n", 2)
    finally:
        os.close(descriptor)
    if head != _head(body):
        raise ValueError("damaged")
    version, cached_text, value = loads(body)
    if (version, cached_text) != (__version__, text):
        raise LookupError("stale")
    return value


def _store(directory: str, slot: str, text: str, value: Any) -> None:
    """Cache a value. Raises OSError, also if another process is storing one now, and ValueError."""
    import fcntl

    body = dumps([__version__, text, value]).encode()
    data = b"%s\n%s\n]\n" % (_head(body), body)
    if len(data) > LARGEST:
        return
    private_directory(directory)
    place = open_private(directory)
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The lock lets all processes use one name, so those killed here leave one file at most.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _OPEN
        with open(os.open(_TEMPORARY, flags, 0o600, dir_fd=place), "wb") as file:
            file.write(data)
        os.rename(_TEMPORARY, slot, src_dir_fd=place, dst_dir_fd=place)
    finally:
        os.close(place)


def _head(body: bytes) -> bytes:
    """Return the first line of a cached file: a checksum, which shows damage of the second."""
    return b"[%d," % crc32(body)
