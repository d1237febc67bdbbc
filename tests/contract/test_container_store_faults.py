"""Proves that a process killed right before any file operation of the store, or in the middle of a
write, leaves a container that is whole or none, and nothing that the next sweep does not remove."""

from __future__ import annotations

import os

import pytest

from adapters.state import container_dir
from adapters.state.container_store import DirectoryStore
from domain.container import Exit
from domain.errors import AlreadyExists, HostFault, NotFound
from tests.contract.children import every_death
from tests.contract.test_container_store import container

FIRST, SECOND = Exit(139, 1.5, "crashed: " + "x" * 200), Exit(137, 2.5, "its supervisor was killed")
torn = pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(str(tmp_path / "containers"))


def names(store):
    return os.listdir(store.root) if os.path.isdir(store.root) else []


def create(store):
    """What `create` does to the store, its adapters' files in the draft included."""
    draft = store.draft("c1")
    try:
        descriptor = os.open(f"{draft.path}/firmware", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, b"\x7fELF")
        os.close(descriptor)
        draft.commit(container())
    except BaseException:
        draft.discard()
        raise
    draft.close()


def inside(store, action):
    descriptor = os.open(store.directory("c1"), os.O_RDONLY)
    try:
        return action(descriptor)
    finally:
        os.close(descriptor)


def remove(store):
    with store.locked("c1"):
        store.remove("c1")


def only_this_or_nothing(store):
    """Sweep; there is the whole container, or no file at all."""
    store.sweep()
    if store.ids():
        assert store.load("c1")._replace(exit=None) == container()
        assert names(store) == ["c1"]
        return True
    assert names(store) == []
    return False


@torn
def test_death_while_creating(store, torn):
    there = []
    for _ in every_death(lambda: create(store), torn=torn):
        there.append(only_this_or_nothing(store))
        if there[-1]:
            with pytest.raises(AlreadyExists):
                create(store)
            remove(store)
        create(store)  # the id is free
        remove(store)
        assert names(store) == []
    assert True in there and False in there, "some died before and some after the commit"
    assert there == sorted(there), "once it is there, it stays"


@torn
def test_death_while_creating_without_a_sweep(store, torn):
    """A process that does not sweep sees the same: drafts are invisible."""
    for _ in every_death(lambda: create(store), torn=torn):
        assert store.ids() in ([], ["c1"])
        try:
            assert store.load("c1") == container()
        except NotFound:
            create(store)
        remove(store)
        assert store.ids() == []


def test_death_while_discarding(store):
    def discard():
        draft = store.draft("c1")
        draft.commit(container())
        draft.discard()

    for _ in every_death(discard):
        if only_this_or_nothing(store):
            remove(store)
        create(store)
        remove(store)
        assert names(store) == []


def test_death_while_removing(store):
    there = []

    def create_and_remove():
        create(store)
        store.record_exit("c1", FIRST)
        remove(store)

    for _ in every_death(create_and_remove):
        there.append(only_this_or_nothing(store))
        store.remove("c1")
        store.remove("c1")
        store.sweep()
        assert names(store) == []
    assert there.index(True) > 0 and there[-1] is False


def test_death_while_sweeping(store):
    """What a killed sweep leaves, the next one removes."""

    def rubbish_and_sweep():
        path = f"{store.root}/@gone-c1-1"
        os.makedirs(path)
        for name in ("container.json", "firmware", "exit.json"):
            os.close(os.open(f"{path}/{name}", os.O_WRONLY | os.O_CREAT))
        store.sweep()

    for _ in every_death(rubbish_and_sweep):
        store.sweep()
        assert names(store) == []


@torn
def test_death_while_recording_the_exit(store, torn):
    create(store)
    found = []
    for _ in every_death(lambda: store.record_exit("c1", FIRST), torn=torn):
        exit_ = store.load("c1").exit
        assert exit_ in (None, FIRST)
        found.append(exit_)
        assert store.record_exit("c1", SECOND) == (exit_ or SECOND)
        assert store.load("c1").exit == (exit_ or SECOND)
        remove(store)
        assert names(store) == []
        create(store)
    assert None in found and FIRST in found


@torn
@pytest.mark.parametrize(
    ("write", "values"),
    [
        (lambda d: container_dir.write_started(1234.5, d), (None, 1234.5)),
        (lambda d: container_dir.write_paused(True, d), (False, True)),
    ],
    ids=["started", "paused"],
)
def test_death_while_recording_a_change(store, write, values, torn):
    create(store)
    found = set()
    for _ in every_death(lambda: inside(store, write), torn=torn):
        loaded = store.load("c1")
        value = loaded.started if values[0] is None else loaded.paused
        assert value in values
        found.add(value)
        remove(store)
        create(store)
    assert found == set(values)


def test_death_while_resuming(store):
    create(store)

    def pause_and_resume(descriptor):
        container_dir.write_paused(True, descriptor)
        container_dir.write_paused(False, descriptor)

    for _ in every_death(lambda: inside(store, pause_and_resume)):
        assert store.load("c1").paused in (False, True)
        inside(store, lambda d: container_dir.write_paused(False, d))
        assert store.load("c1").paused is False


def test_a_disk_that_takes_no_record_does_not_hide_that_the_container_has_ended(store, monkeypatch):
    create(store)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert store.record_exit("c1", FIRST) == FIRST
    assert store.load("c1").exit is None
    assert store.record_exit("c1", SECOND) == SECOND


def test_a_record_that_cannot_be_read_is_not_written_again(store, monkeypatch):
    create(store)
    store.record_exit("c1", FIRST)

    def broken(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", broken)
        with pytest.raises(HostFault, match="EIO"):
            store.record_exit("c1", SECOND)
    assert store.load("c1").exit == FIRST
