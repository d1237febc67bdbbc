"""YAML values with their file and line, for errors that name both."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any, NoReturn

from domain.errors import InvalidRequest

ADDRESS_END = 1 << 64
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_LONGEST_NAME = 64
_DEEPEST = 20
_LONGEST_TIME = 86400.0
_SINGULAR = {"processors": "a processor", "memory": "a memory", "options": "an option"}


class YamlNode:
    """One node that yaml.compose returned, and the key that the node is the value of.

    Each method reads the node as one kind of value, and raises InvalidRequest if it is another.
    """

    def __init__(self, node: Any, path: str, key: str) -> None:
        self.node, self.path, self.key = node, path, key
        self.line = node.start_mark.line + 1

    def fail(self, problem: str, hint: str = "") -> NoReturn:
        """Raise InvalidRequest about this value."""
        raise InvalidRequest(f"{self.path}:{self.line}: {problem}", hint=hint)

    def mapping(self, known: Sequence[str], needed: Sequence[str]) -> dict[str, YamlNode]:
        """Read a mapping with all the keys `needed` and none but those `known`."""
        found = self.pairs(known)
        for key in needed:
            if key not in found:
                self.fail(f"{self.key} lacks the key {key!r}")
        return found

    def pairs(self, known: Sequence[str] = ()) -> dict[str, YamlNode]:
        """Read a mapping whose keys are `known`, or, if none are, names of the user's own."""
        if self.node.id != "mapping":
            hint = f"its keys are {', '.join(known)}" if known else ""
            self.fail(f"{self.key} must be a mapping", hint)
        found: dict[str, YamlNode] = {}
        for key_node, node in self.node.value:
            here = YamlNode(key_node, self.path, "a key")
            key = here.text()
            if known and key not in known:
                here.fail(f"unknown key {key!r} in {self.key}", _nearest(key, known))
            if key in found:
                here.fail(f"key {key!r} is given twice in {self.key}")
            found[key] = YamlNode(node, self.path, key)
        return found

    def items(self) -> list[YamlNode]:
        """Read a list of at least one item."""
        if self.node.id != "sequence" or not self.node.value:
            self.fail(f"{self.key} must be a list of at least one item")
        key = _SINGULAR.get(self.key, f"an item of {self.key}")
        return [YamlNode(node, self.path, key) for node in self.node.value]

    def text(self) -> str:
        """Read a scalar as it is written; the kernel must be able to take it as a name."""
        if self.node.id != "scalar" or self.node.tag.endswith(":null"):
            self.fail(f"{self.key} must be a text")
        text = str(self.node.value)
        if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text):
            self.fail(f"{self.key} {text!r} must have no NUL and no surrogates")
        return text

    def choice(self, known: Sequence[str]) -> str:
        """Read one of the known words."""
        text = self.text()
        if text not in known:
            self.fail(f"{self.key} {text!r} is unknown", _nearest(text, known))
        return text

    def name(self) -> str:
        """Read a name: printable, without spaces and slashes."""
        text = self.text()
        if not text or len(text) > _LONGEST_NAME or "/" in text or not text.isprintable():
            self.fail(f"{self.key} {text!r} must have 1 to {_LONGEST_NAME} characters, no slash")
        if any(c.isspace() for c in text):
            self.fail(f"{self.key} {text!r} must have no spaces")
        return text

    def number(self, units: bool = False) -> int:
        """Read a number from 0 to 2**64-1, hexadecimal too; with `units`, K, M and G may follow."""
        text = self.text()
        unit = _UNITS.get(text[-1:], 0) if units else 0
        try:
            number = int(text[:-1] if unit else text, 0) * (unit or 1)
        except ValueError:
            how = "such as 65536, 0x10000 or 64K" if units else "such as 0x20000000"
            self.fail(f"{self.key} {text!r} is no number", f"write one {how}")
        if not 0 <= number < ADDRESS_END:
            self.fail(f"{self.key} {text} is out of range")
        return number

    def seconds(self, least: float = 0.0) -> float:
        """Read a time of at least so many seconds, and up to a day."""
        text = self.text()
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not least <= seconds <= _LONGEST_TIME:
            allowed = f"from {least:g} to {_LONGEST_TIME:g}"
            self.fail(f"{self.key} {text!r} is no number of seconds {allowed}")
        return seconds

    def errno(self) -> str:
        """Read the name of an errno."""
        text = self.text()
        if not (text.startswith("E") and isinstance(getattr(errno, text, None), int)):
            self.fail(f"{self.key} {text!r} is no errno name", "write one such as EIO or ETIMEDOUT")
        return text


def compose(text: str, path: str, key: str) -> YamlNode | None:
    """Parse YAML text; `path` and `key` name it in errors. None if there is nothing in it.

    Raises InvalidRequest with the line of a mistake.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses many open brackets: the time for them grows with the square of their number."""

        def fetch_flow_collection_start(self, token: Any) -> None:
            if self.flow_level == _DEEPEST:
                problem = f"more than {_DEEPEST} brackets in brackets"
                raise yaml.scanner.ScannerError(problem=problem, problem_mark=self.get_mark())
            super().fetch_flow_collection_start(token)

    loader = None
    try:
        loader = Loader(text)
        root = loader.get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "cannot be read"
        raise InvalidRequest(f"{path}:{line}: is not YAML: {problem}") from error
    except (RecursionError, OverflowError, ValueError) as error:
        # PyYAML lets pass what Python raises at a character such as "\UFFFFFFFF" or deep blocks.
        line = loader.line + 1 if loader else 1
        problem = "too many levels" if isinstance(error, RecursionError) else "no such character"
        raise InvalidRequest(f"{path}:{line}: is not YAML: {problem}") from error
    return None if root is None else YamlNode(root, path, key)


def _nearest(word: str, known: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
