"""Proves that an error is one printable line whatever it quotes, and says the errno by name."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import errors
from domain.errors import HostFault, InvalidRequest, NotFound, ProcessorFault, RemoteprocError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, RemoteprocError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_message_and_hint(kind):
    assert str(kind("m4 is busy")) == "m4 is busy"
    error = kind("m4 is busy", hint="stop it first")
    assert str(error) == "m4 is busy; stop it first"
    assert (error.message, error.hint) == ("m4 is busy", "stop it first")


@given(st.text(), st.text())
def test_nothing_that_is_quoted_breaks_or_forges_a_line(message, hint):
    text = str(NotFound(message, hint=hint))
    assert text.isprintable()
    text.encode()  # no lone surrogate either


def test_nothing_that_is_quoted_floods_a_line():
    """The reason, which is said after what is quoted, stays."""
    text = str(NotFound(f"cannot open {'x' * 1_000_000}: EIO", hint="look elsewhere"))
    assert len(text) < 40_000 and "x...x" in text
    assert text.startswith("cannot open x") and text.endswith("x: EIO; look elsewhere")


def test_want_of_memory_is_no_mistake_of_ours():
    assert errors.internal_error(MemoryError()).startswith("there is no memory left; ")


def test_readable_text_stays_as_it_is():
    assert str(InvalidRequest("Prozessor »m4« läuft")) == "Prozessor »m4« läuft"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", "a\\nb"), ("\x1b[2J", "\\x1b[2J"), ("\u202e", "\\u202e"), ("\udc80", "\\udc80")],
)
def test_the_unprintable_is_escaped(text, shown):
    assert str(NotFound(text)) == shown


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EINVAL, "Invalid argument (EINVAL)"),
        (errno.ENOSPC, "No space left on device (ENOSPC)"),
        (99999, "Unknown error 99999 (99999)"),
    ],
)
def test_reason(number, text):
    assert errors.reason(OSError(number, "whatever")) == text


def test_reason_of_an_error_without_a_number():
    assert errors.reason(OSError("odd")) == "Success (0)"


def test_a_failed_system_call_keeps_its_errno_and_says_what_to_do():
    error = errors.host_fault("cannot write x", OSError(errno.ENOSPC, "whatever"))
    assert (type(error), error.errno) == (HostFault, errno.ENOSPC)
    assert error.message == "cannot write x: No space left on device (ENOSPC)"
    assert error.hint == "free some space and try again"
    assert errors.host_fault("", OSError(errno.ENOSPC, ""), hint="buy a disk").hint == "buy a disk"
    assert errors.host_fault("cannot write x", OSError(errno.EIO, "")).hint == ""


def test_a_refused_order_names_the_processor_the_errno_and_what_else_was_said():
    error = ProcessorFault.refused("start", "m4", OSError(errno.EIO, "Input/output error"))
    assert (str(error), error.errno) == (
        "cannot start processor m4: Input/output error (EIO)",
        errno.EIO,
    )
    error = ProcessorFault.refused(
        "stop", "m4", OSError(errno.EBUSY, ""), words="kernel: no", hint="try again"
    )
    assert str(error) == (
        "cannot stop processor m4: Device or resource busy (EBUSY) [kernel: no]; try again"
    )


@pytest.mark.parametrize("kind", [HostFault, ProcessorFault])
def test_faults_keep_the_errno(kind):
    assert kind("x").errno == 0
    assert kind("x", errno=16, hint="y").errno == 16
