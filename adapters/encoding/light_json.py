"""JSON by the C code of Python's json package, without the package, which imports re and enum.

Every command of an engine reads and writes the files and messages of this project with it.
"""

from __future__ import annotations

from _json import encode_basestring, encode_basestring_ascii, make_scanner

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from typing import Any

_BLANK = " \t\n\r"


class _Settings:
    """What json.JSONDecoder gives to the scanner."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


# Any object with these attributes will do.
_scan = make_scanner(_Settings)  # type: ignore[arg-type]


def loads(data: bytes | str) -> Any:
    """Return what UTF-8 text in JSON says. Raises ValueError, or RecursionError if it is deep."""
    text = data if isinstance(data, str) else data.decode(errors="surrogatepass")
    value, end = read_first(text)
    rest = text[end:].lstrip(_BLANK)
    if rest:
        from json import JSONDecodeError

        raise JSONDecodeError("Extra data", text, len(text) - len(rest))
    return value


def read_first(text: str) -> tuple[Any, int]:
    """Return the first value of the text, and where it ends. Raises as `loads` does."""
    begin = len(text) - len(text.lstrip(_BLANK))
    try:
        value, end = _scan(text, begin)
    except (StopIteration, SystemError):
        # Python 3.11 raises SystemError where the package that has the real error is not loaded.
        from json import JSONDecoder

        value, end = JSONDecoder().raw_decode(text, begin)
    return value, end


def dumps(value: object) -> str:
    """Return the value as JSON in ASCII, on one line."""
    return _written(value, encode_basestring_ascii, "")


def dumps_for_people(value: object) -> str:
    """Return the value as JSON in all printable characters, laid out with two spaces a level.

    A terminal cannot mistake a part of it for a control sequence.
    """
    return _written(value, _quoted, "\n")


def _quoted(text: str) -> str:
    quoted: str = encode_basestring(text)
    if quoted.isprintable():
        return quoted
    return "".join(c if c.isprintable() else encode_basestring_ascii(c)[1:-1] for c in quoted)


def _written(value: object, quoted: Any, line: str) -> str:
    """`line` begins a line of this level; it is empty where all stands on one line."""
    if isinstance(value, str):
        return str(quoted(value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return repr(value)
    inner = line and f"{line}  "
    if isinstance(value, dict):
        items = [f"{quoted(k)}: {_written(v, quoted, inner)}" for k, v in value.items()]
        left, right = "{", "}"
    elif isinstance(value, (list, tuple)):
        items = [_written(item, quoted, inner) for item in value]
        left, right = "[", "]"
    else:
        raise TypeError(f"{type(value).__name__} has no form in JSON")
    if not items:
        return left + right
    return left + inner + (f",{inner}" if line else ", ").join(items) + line + right
