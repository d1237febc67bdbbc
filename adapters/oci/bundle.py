"""Reads config.json (runtime-spec config.md) into what the use cases take.

Every value is untrusted: it is read through typed getters that name the property on error.
Properties that mean nothing for firmware are ignored.
"""

from __future__ import annotations

import json
import os
import stat
from typing import Any

from domain.errors import InvalidRequest, NotFound
from domain.lifecycle import CreateRequest

_LIMIT = 8 << 20  # bytes; what engines write has some kilobytes
_WORDS = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}


class Value:
    """A JSON value and where it stands, `process.args[0]`."""

    def __init__(self, value: Any, where: str, file: str) -> None:
        self._value = value
        self._where = where
        self._file = file

    def fail(self, problem: str, hint: str = "") -> InvalidRequest:
        """Return the error about this value."""
        return InvalidRequest(f"{self._file}: {self._where} {problem}", hint=hint)

    def _as(self, kind: type) -> Any:
        if not isinstance(self._value, kind):
            raise self.fail(f"must be {_WORDS[kind]}")
        return self._value

    def get(self, name: str) -> Value | None:
        """Return a property of this object; None if it is absent or null."""
        value = self._as(dict).get(name)
        return None if value is None else Value(value, self._at(name), self._file)

    def _at(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where != "the document" else name

    def need(self, name: str, hint: str = "") -> Value:
        """Return a property that has to be there."""
        found = self.get(name)
        if found is None:
            raise InvalidRequest(f"{self._file}: there is no {self._at(name)}", hint=hint)
        return found

    def text(self) -> str:
        """Return the string; no NUL may be in it, nor half a character (an escaped surrogate)."""
        text = self._as(str)
        if "\0" in text:
            raise self.fail("must not contain a NUL")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self.fail("must be Unicode text") from None
        return str(text)

    def items(self) -> list[Value]:
        """Return the items of this list."""
        return [
            Value(item, f"{self._where}[{number}]", self._file)
            for number, item in enumerate(self._as(list))
        ]

    def texts(self) -> dict[str, str]:
        """Return this object, whose values have to be strings."""
        found = {}
        for key, value in self._as(dict).items():
            where = f"{self._where}[{key!r}]"
            found[Value(key, where, self._file).text()] = Value(value, where, self._file).text()
        return found


def read_bundle(container_id: str, bundle: str) -> CreateRequest:
    """Read a bundle's config.json. Raises NotFound, InvalidRequest."""
    bundle = os.path.abspath(bundle)
    path = f"{bundle}/config.json"
    config = Value(_load(path), "the document", path)
    process = config.need("process", hint="firmware is its entry point: add process.args")
    cwd = process.get("cwd")
    root = config.need("root", hint='add "root": {"path": "rootfs"}').need("path")
    annotations = config.get("annotations")
    return CreateRequest(
        id=container_id,
        bundle=bundle,
        rootfs=os.path.normpath(os.path.join(bundle, root.text())),
        cwd=cwd.text() if cwd else "/",
        entry=_entry(process),
        annotations=annotations.texts() if annotations else {},
    )


def _entry(process: Value) -> str:
    args = process.need("args", hint='add "args": ["hello.elf"]')
    items = args.items()
    if len(items) != 1:
        raise args.fail(
            f"must be one firmware file, not {len(items)} words",
            hint="firmware takes no arguments: leave only its path inside the image",
        )
    entry = items[0].text()
    if not entry:
        raise items[0].fail("is empty", hint="name the firmware file inside the image")
    return entry


def _load(path: str) -> Any:
    try:
        with open(path, "rb", opener=_open) as file:
            if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
                raise InvalidRequest(f"{path}: is a FIFO, not a regular file")
            data = file.read(_LIMIT + 1)
    except FileNotFoundError:
        raise NotFound(
            f"{path} does not exist", hint="give the bundle's directory with --bundle"
        ) from None
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror}") from error
    if len(data) > _LIMIT:
        raise InvalidRequest(f"{path}: is larger than {_LIMIT >> 20} MiB")
    try:
        return json.loads(data)
    except RecursionError:
        raise InvalidRequest(f"{path}: is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path}: is not UTF-8 text") from error
    except ValueError as error:
        raise InvalidRequest(f"{path}: is not JSON: {error}") from error


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a FIFO without a writer must not hang us
