"""Proves which operation is legal in which status, what a status is made of, and which ids are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.container import Exit, FirmwareContainer, Operation, Status, check_id
from domain.errors import InvalidRequest, WrongState

BASE = FirmwareContainer(
    id="c1",
    bundle="/b",
    processor="m4",
    device="remoteproc0",
    firmware=None,
    annotations={},
    created=1.0,
)
BY_STATUS = {
    Status.CREATED: BASE,
    Status.RUNNING: BASE._replace(started=2.0),
    Status.PAUSED: BASE._replace(started=2.0, paused=True),
    Status.STOPPED: BASE._replace(started=2.0, exit=Exit(0, 3.0)),
}
LEGAL = {
    ("start", "created"),
    ("stop", "created"),
    ("stop", "running"),
    ("stop", "paused"),
    ("kill", "created"),
    ("kill", "running"),
    ("kill", "paused"),
    ("delete", "stopped"),
    ("pause", "running"),
    ("resume", "paused"),
    ("update", "created"),
    ("update", "running"),
    ("update", "paused"),
    ("exec in", "created"),
    ("exec in", "running"),
    ("exec in", "paused"),
}


@pytest.mark.parametrize("status", BY_STATUS)
@pytest.mark.parametrize("operation", list(Operation))
def test_every_operation_in_every_status(operation, status):
    container = BY_STATUS[status]
    if (operation.value, status.value) in LEGAL:
        container.check(operation)
        return
    with pytest.raises(WrongState) as refused:
        container.check(operation)
    assert refused.value.message == f"cannot {operation.value} container c1: it is {status.value}"


@pytest.mark.parametrize(
    ("operation", "status", "hint"),
    [
        (Operation.START, Status.STOPPED, "create it anew"),
        (Operation.DELETE, Status.CREATED, "--force"),
        (Operation.DELETE, Status.RUNNING, "--force"),
        (Operation.DELETE, Status.PAUSED, "--force"),
        (Operation.KILL, Status.STOPPED, "delete it"),
    ],
)
def test_refusals_that_have_a_way_out_say_it(operation, status, hint):
    with pytest.raises(WrongState, match=hint):
        BY_STATUS[status].check(operation)


@pytest.mark.parametrize("status", BY_STATUS)
def test_status_follows_from_the_facts(status):
    assert BY_STATUS[status].status is status


@pytest.mark.parametrize("started", [None, 2.0])
@pytest.mark.parametrize("paused", [False, True])
def test_an_exit_on_record_outweighs_everything(started, paused):
    container = BASE._replace(started=started, paused=paused, exit=Exit(137, 3.0))
    assert container.status is Status.STOPPED


def test_a_container_that_never_ran_is_not_paused():
    assert BASE._replace(paused=True).status is Status.CREATED


@pytest.mark.parametrize(
    "container_id", ["a", "0", "a.b", "A_b+c-d.e", "...", "-x", ".hidden", "x" * 200]
)
def test_good_ids(container_id):
    assert check_id(container_id) == container_id


@pytest.mark.parametrize(
    "container_id",
    [
        *("", ".", "..", "a/b", "/", "../x", "a b", "a\n", "\n", "a\0", "@new-a-1", "é", "a:b"),
        *("x" * 201, "٣", "a\u202eb", "*", "$(x)", "~"),
    ],
)
def test_bad_ids(container_id):
    with pytest.raises(InvalidRequest) as refused:
        check_id(container_id)
    assert refused.value.hint
    assert str(refused.value).isprintable()


@given(st.text())
def test_an_accepted_id_is_one_plain_file_name(container_id):
    try:
        check_id(container_id)
    except InvalidRequest:
        return
    assert container_id not in ("", ".", "..")
    assert "/" not in container_id and not container_id.startswith("@")
    assert container_id.isascii() and container_id.isprintable() and len(container_id) <= 200
