"""Proves that an error keeps its class, its text of any length and its errno on the way from a
supervisor, also an error whose class another module than domain.errors defines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sim.loader import CarveoutTooLarge
from adapters.supervisor.control_protocol import decode, encode
from domain import errors
from domain.errors import FirmwareUnfit, HostFault, RemoteprocError
from domain.resource_table import UnusableTable

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, RemoteprocError)
]


def test_success():
    assert decode(encode(None)) is None


@given(st.sampled_from(KINDS), st.text(), st.text())
def test_an_error_of_the_domain(kind, message, hint):
    found = decode(encode(kind(message, hint=hint)))
    assert found is not None
    assert (type(found), found.message, found.hint) == (kind, message, hint)


def test_an_errno():
    found = decode(encode(HostFault("no", errno=28)))
    assert isinstance(found, HostFault) and found.errno == 28


@pytest.mark.parametrize("kind", [UnusableTable, CarveoutTooLarge])
def test_an_error_of_another_module_is_its_nearest_known_ancestor(kind):
    found = decode(encode(kind("no", hint="yes")))
    assert found is not None
    assert (type(found), found.message, found.hint) == (FirmwareUnfit, "no", "yes")


def test_an_error_of_any_length_comes_whole():
    found = decode(encode(HostFault("x" * 300_000, hint="y" * 300_000)))
    assert found is not None
    assert (found.message, found.hint) == ("x" * 300_000, "y" * 300_000)


REFUSAL = b'{"error": "Busy", "message": "no", "hint": ""}'


@pytest.mark.parametrize(
    "message",
    [
        *(b"", b"\xff", b"[]", b"null", b"7", b"[" * 9999, REFUSAL[:-1], REFUSAL + b"}"),
        *(REFUSAL.replace(b"Busy", name) for name in (b"Nobody", b"os", b"host_fault", b"_HINTS")),
        *(REFUSAL.replace(b'"Busy"', value) for value in (b"7", b"null", b'["Busy"]')),
        *(REFUSAL.replace(b'"no"', value) for value in (b"7", b"null", b"[]")),
        REFUSAL.replace(b"Busy", b"HostFault"),
        *(b'{"error": "HostFault", "message": "", "hint": "", "errno": %s}' % value
          for value in (b"1e999", b"null", b'"x"')),
        *(b'{"message": ""}', b'{"ready": true}'),
    ],
)  # fmt: skip
def test_what_no_supervisor_sends_is_a_value_error(message):
    """A supervisor that QEMU has taken over may send anything to a command that root runs."""
    with pytest.raises(ValueError):
        decode(message)
