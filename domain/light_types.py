"""NamedTuple and StrEnum with the behaviour of typing's and enum's, without their import.

Importing typing or enum takes longer than one command of an engine needs for all of its work. The
classes here have what this project uses; type checkers see the originals.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import Enum
    from typing import NamedTuple as NamedTuple

    class StrEnum(str, Enum):
        """What type checkers see: enum's own came with Python 3.11."""

else:

    def _field(index):
        return property(lambda record: record[index])

    class NamedTuple(tuple):
        """A tuple whose items have names: those that a subclass annotates, with its defaults."""

        def __init_subclass__(cls):
            cls._fields = cls.__match_args__ = tuple(cls.__annotations__)
            cls._defaults = {name: vars(cls)[name] for name in cls._fields if name in vars(cls)}
            for index, name in enumerate(cls._fields):
                setattr(cls, name, _field(index))

        def __new__(cls, /, *values, **named):
            for name in cls._fields[len(values) :]:
                if name in named:
                    values += (named.pop(name),)
                elif name in cls._defaults:
                    values += (cls._defaults[name],)
                else:
                    raise TypeError(f"{cls.__name__} needs {name}")
            if named or len(values) > len(cls._fields):
                raise TypeError(f"{cls.__name__} has only {', '.join(cls._fields)}")
            return tuple.__new__(cls, values)

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def __getnewargs__(self):
            return tuple(self)

        def __repr__(self):
            items = (f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({', '.join(items)})"

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, /, **changes):
            return type(self)(**{**self._asdict(), **changes})

    class _Closed(type):
        def __iter__(cls):
            return iter(cls._members.values())

    class StrEnum(str, metaclass=_Closed):
        """Texts of which a subclass names the only ones; `is` compares them."""

        __slots__ = ()

        def __init_subclass__(cls):
            cls._members = {}
            for name, text in list(vars(cls).items()):
                if not name.startswith("_"):
                    member = cls._members[text] = str.__new__(cls, text)
                    setattr(cls, name, member)

        def __new__(cls, text):
            try:
                return cls._members[text]
            except KeyError:
                raise ValueError(f"{text!r} is no {cls.__name__}") from None

        @property
        def value(self):
            """The text."""
            return str(self)
