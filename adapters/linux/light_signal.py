"""Python's module `signal` without its enums, whose import takes longer than a small command.

Signals are plain numbers here. Type checkers see the original.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as signal
else:
    import _signal as signal  # noqa: F401
