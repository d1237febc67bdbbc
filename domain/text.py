"""Text from images, devices and callers, made safe to print."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text with each unprintable character as a Python escape, such as \\n or \\x1b.

    The result is one line, and a terminal cannot mistake a part of it for a control sequence.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def quoted(text: str) -> str:
    """Return the text as JSON and Dockerfiles quote it, unprintable characters escaped."""
    return '"' + printable(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def visible(text: str) -> str:
    """Return a name for a message: quoted if one would not see where it ends, or what is in it."""
    return text if text.isprintable() and text and " " not in text else quoted(text)
