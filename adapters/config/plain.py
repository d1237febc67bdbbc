"""Reads plain YAML without PyYAML, whose import takes longer than starting Python itself.

Plain: mappings and lists by indentation, words without quotes, `{key: word, ...}` within a line,
comments. That is how configurations are written, and every command of an engine reads one. All
else, mistakes too, is left to PyYAML, and a test proves that both read alike what is plain.
"""

from __future__ import annotations

from typing import Any, NamedTuple

_INSIDE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.-+")
_FIRST = _INSIDE - frozenset("-+")
_NULLS = ("null", "Null", "NULL")
_LONGEST = 255  # a key of more than 1024 characters would be none

_Line = tuple[int, str, int]  # indentation, text, number


class Mark(NamedTuple):
    """Where a node begins: the line's number from 0."""

    line: int


class Node(NamedTuple):
    """What yaml.compose would return, as far as adapters.config.yaml_node looks at it."""

    id: str
    value: Any
    start_mark: Mark
    tag: str = ""


class _NotPlain(Exception):
    pass


def read_plain(text: str) -> Node | None:
    """Return the root node, or None unless all of the text is plain."""
    if not text.replace("\n", "").isprintable():
        return None
    lines: list[_Line] = []
    for number, line in enumerate(text.split("\n")):
        content = line.partition(" #")[0].strip(" ")
        if content and content[0] != "#":
            lines.append((len(line) - len(line.lstrip(" ")), content, number))
    lines.reverse()  # the next one is the last: nested blocks take theirs from the end
    try:
        root = _block(lines) if lines else None
    except _NotPlain:
        return None
    return None if lines else root


def _block(lines: list[_Line]) -> Node:
    return _sequence(lines) if lines[-1][1].startswith("- ") else _mapping(lines)


def _sequence(lines: list[_Line]) -> Node:
    indentation, _, first = lines[-1]
    items = []
    while lines and lines[-1][0] == indentation and lines[-1][1].startswith("- "):
        _, content, number = lines.pop()
        item = content[2:].lstrip(" ")
        if item[0] == "{" or ":" not in item:
            items.append(_within_line(item, number))
        else:  # a mapping, whose first key stands behind the dash
            lines.append((indentation + len(content) - len(item), item, number))
            items.append(_mapping(lines))
    return Node("sequence", items, Mark(first))


def _mapping(lines: list[_Line]) -> Node:
    indentation, _, first = lines[-1]
    pairs = []
    while lines and lines[-1][0] == indentation and not lines[-1][1].startswith("- "):
        _, content, number = lines.pop()
        name, colon, rest = content.partition(":")
        if not colon or rest[:1] not in ("", " "):
            raise _NotPlain
        key = _word(name, number)
        if rest:
            pairs.append((key, _within_line(rest.lstrip(" "), number)))
        elif lines and (lines[-1][0], lines[-1][1][:2] == "- ") > (indentation, False):
            pairs.append((key, _block(lines)))
        else:
            raise _NotPlain
    if not pairs:
        raise _NotPlain
    return Node("mapping", pairs, Mark(first))


def _within_line(text: str, number: int) -> Node:
    if text[0] != "{" or text[-1] != "}":
        return _word(text, number)
    pairs = []
    for pair in text[1:-1].split(","):
        key, _, value = pair.strip(" ").partition(": ")
        pairs.append((_word(key, number), _word(value.lstrip(" "), number)))
    return Node("mapping", pairs, Mark(number))


def _word(text: str, number: int) -> Node:
    if not 0 < len(text) <= _LONGEST or text[0] not in _FIRST or not _INSIDE.issuperset(text):
        raise _NotPlain
    if text in _NULLS:
        raise _NotPlain
    return Node("scalar", text, Mark(number))
