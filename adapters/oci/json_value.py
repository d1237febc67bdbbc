"""Typed getters over untrusted JSON: each error names the file and the property."""

from __future__ import annotations

from domain.errors import InvalidRequest

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from typing import Any

_WORDS = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a whole number",
}


class Value:
    """A JSON value, and the name of its place in the file, as `process.args[0]`."""

    def __init__(self, value: Any, where: str, file: str) -> None:
        self._value = value
        self._where = where
        self._file = file

    @property
    def raw(self) -> Any:
        """The value as it was read, of any type: for properties whose mistakes do not matter."""
        return self._value

    def fail(self, problem: str, hint: str = "") -> InvalidRequest:
        """Return an error that names the file and this value's place."""
        return InvalidRequest(f"{self._file}: {self._where} {problem}", hint=hint)

    def _as(self, kind: type) -> Any:
        if not isinstance(self._value, kind) or (kind is int and isinstance(self._value, bool)):
            raise self.fail(f"must be {_WORDS[kind]}")
        return self._value

    def get(self, name: str) -> Value | None:
        """Return a property of this object; None if it is absent or null. Raises InvalidRequest."""
        value = self._as(dict).get(name)
        return None if value is None else Value(value, self._at(name), self._file)

    def _at(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where != "the document" else name

    def need(self, name: str, hint: str = "") -> Value:
        """Return a property of this object. Raises InvalidRequest if it is absent or null."""
        found = self.get(name)
        if found is None:
            raise InvalidRequest(f"{self._file}: there is no {self._at(name)}", hint=hint)
        return found

    def text(self) -> str:
        """Return the string. Raises InvalidRequest if it holds a NUL or a lone surrogate."""
        text = self._as(str)
        if "\0" in text:
            raise self.fail("must not contain a NUL")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self.fail("must be Unicode text") from None
        return str(text)

    def number(self, least: int = -(1 << 63), most: int = (1 << 64) - 1) -> int:
        """Return the whole number. Raises InvalidRequest if it is outside of the bounds."""
        number = int(self._as(int))
        if not least <= number <= most:
            raise self.fail(f"is {number}: it must be from {least} to {most}")
        return number

    def flag(self) -> bool:
        """Return the boolean. Raises InvalidRequest."""
        return bool(self._as(bool))

    def items(self) -> list[Value]:
        """Return the items of this list. Raises InvalidRequest."""
        return [
            Value(item, f"{self._where}[{number}]", self._file)
            for number, item in enumerate(self._as(list))
        ]

    def texts(self) -> dict[str, str]:
        """Return this object as a dict. Raises InvalidRequest if a value is no string."""
        found = {}
        for key, value in self._as(dict).items():
            where = f"{self._where}[{key!r}]"
            found[Value(key, where, self._file).text()] = Value(value, where, self._file).text()
        return found
