"""The contract of domain.ports.ContainerStore and Draft, over every adapter of it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.state import container_dir
from adapters.state.container_store import DirectoryStore
from domain.container import Exit, FirmwareContainer, Status
from domain.errors import AlreadyExists, HostFault, InvalidRequest, NotFound
from domain.firmware import FirmwareImage
from tests.fakes.store import MemoryStore


def container(container_id="c1", **more):
    return FirmwareContainer(
        id=container_id,
        bundle="/b",
        processor="m4",
        device="remoteproc0",
        firmware=FirmwareImage("hello.elf", 3, "sha256:0", f"/x/{container_id}/firmware"),
        annotations={"remoteproc.name": "m4", "other": "ü\n"},
        created=1700000000.25,
        rootfs="/b/rootfs",
        owner=1000,
        pid=4711,
        start_time=123456,
    )._replace(**more)


class Memory(NamedTuple):
    """Two stores of one memory."""

    store: MemoryStore
    other: MemoryStore

    def started(self, container_id):
        self.store.mark(container_id, started=2.0)

    def wrote(self, container_id, name, data):
        self.store.shelf.files[container_id, name] = data

    def names(self):
        return [*self.store.shelf.containers, *self.store.shelf.drafts]


class OnDisk(NamedTuple):
    """Two stores of one directory."""

    store: DirectoryStore
    other: DirectoryStore

    def started(self, container_id):
        descriptor = os.open(self.store.directory(container_id), os.O_RDONLY)
        container_dir.write_started(2.0, descriptor)
        os.close(descriptor)

    def wrote(self, container_id, name, data):
        Path(self.store.directory(container_id), name).write_bytes(data)

    def names(self):
        return os.listdir(self.store.root) if os.path.isdir(self.store.root) else []


@pytest.fixture(params=["memory", "directory"])
def place(request, tmp_path):
    if request.param == "memory":
        store = MemoryStore()
        return Memory(store, MemoryStore(store.shelf))
    root = str(tmp_path / "containers")
    return OnDisk(DirectoryStore(root), DirectoryStore(root))


def add(store, container_id="c1", **more):
    draft = store.draft(container_id)
    draft.commit(container(container_id, **more))
    draft.close()
    return container(container_id, **more)


def test_an_empty_store(place):
    assert place.store.ids() == []
    place.store.sweep()
    place.store.remove("absent")
    assert place.names() == []


def test_a_draft_is_invisible_until_it_is_committed(place):
    draft = place.store.draft("c1")
    assert place.other.ids() == []
    with pytest.raises(NotFound):
        place.other.load("c1")
    draft.commit(container())
    assert place.other.ids() == ["c1"]
    assert place.other.load("c1") == container()
    assert draft.path == place.store.directory("c1"), "the draft's place becomes the container's"
    draft.close()


@pytest.mark.parametrize("committed", [False, True])
def test_a_discarded_draft_leaves_nothing(place, committed):
    draft = place.store.draft("c1")
    if committed:
        draft.commit(container())
    draft.discard()
    assert place.names() == []
    draft.discard()
    add(place.store)


def test_discarding_and_closing_repeatedly_does_not_open_the_successor(place):
    old = place.store.draft("c1")
    old.discard()
    new = place.other.draft("c1")
    new.commit(container())
    old.discard()
    old.close()
    assert place.store.load("c1") == container()
    new.close()


def test_no_draft_of_an_id_that_exists(place):
    add(place.store)
    with pytest.raises(AlreadyExists, match="c1"):
        place.other.draft("c1")
    assert place.other.load("c1") == container()


def test_of_two_drafts_the_first_commit_wins(place):
    """They are made by two threads, as two requests to one server would."""
    drafts = []
    thread = threading.Thread(target=lambda: drafts.append(place.other.draft("c1")))
    mine = place.store.draft("c1")
    thread.start()
    thread.join()
    [theirs] = drafts
    theirs.commit(container(pid=1))
    with pytest.raises(AlreadyExists, match="c1"):
        mine.commit(container(pid=2))
    mine.discard()
    theirs.close()
    assert place.store.load("c1").pid == 1
    assert place.names() == ["c1"]


def test_many_creators_of_one_id(place):
    """Eight threads: one creates the container, and nothing of the others is left."""
    won, lost = [], []
    gate = threading.Barrier(8)

    def create(pid):
        gate.wait()
        try:
            draft = place.store.draft("c1")
        except AlreadyExists:
            lost.append(pid)
            return
        try:
            draft.commit(container(pid=pid))
        except AlreadyExists:
            draft.discard()
            lost.append(pid)
            return
        draft.close()
        won.append(pid)

    for _ in range(20):
        threads = [threading.Thread(target=create, args=(pid,)) for pid in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(lost)) == (1, 7)
        assert place.store.load("c1").pid == won[0]
        assert place.names() == ["c1"]
        place.store.remove("c1")
        won.clear()
        lost.clear()


def test_ids_are_sorted(place):
    for container_id in ("b", "a.2", "c", "a"):
        add(place.store, container_id)
    assert place.other.ids() == ["a", "a.2", "b", "c"]


def test_places_are_apart(place):
    assert place.store.directory("a") == place.other.directory("a")
    assert place.store.directory("a") != place.store.directory("b")


def test_a_file_of_a_container(place):
    add(place.store)
    assert place.other.read_file("c1", "log") == b""
    place.wrote("c1", "log", b"hello\n")
    assert place.other.read_file("c1", "log") == b"hello\n"


@pytest.mark.parametrize("operation", ["load", "locked", "read_file", "last_output", "record_exit"])
def test_an_unknown_container(place, operation):
    add(place.store, "another")
    calls = {
        "load": lambda: place.store.load("c1"),
        "locked": lambda: place.store.locked("c1").__enter__(),
        "read_file": lambda: place.store.read_file("c1", "log"),
        "last_output": lambda: place.store.last_output("c1"),
        "record_exit": lambda: place.store.record_exit("c1", Exit(0, 1.0)),
    }
    with pytest.raises(NotFound, match="c1"):
        calls[operation]()


@pytest.mark.parametrize("container_id", ["", ".", "..", "../c1", "a/b", "@new-c1-1", "a\0"])
def test_an_id_that_none_can_have_reaches_nothing(place, container_id):
    with pytest.raises((InvalidRequest, NotFound)):
        place.store.load(container_id)


def test_what_happens_to_a_container_is_read_by_all(place):
    add(place.store)
    assert place.other.load("c1").status is Status.CREATED
    place.started("c1")
    assert place.other.load("c1") == container(started=2.0)
    place.store.record_exit("c1", Exit(7, 3.5, "exit code 7"))
    assert place.other.load("c1").exit == Exit(7, 3.5, "exit code 7")
    with place.other.locked("c1") as locked:
        assert locked == place.store.load("c1")


def test_the_first_exit_on_record_stays(place):
    add(place.store)
    first, second = Exit(139, 1.0, "crashed"), Exit(137, 2.0, "killed")
    assert place.store.record_exit("c1", first) == first
    assert place.other.record_exit("c1", second) == first
    assert place.store.load("c1").exit == first


def test_of_many_recorders_of_an_exit_all_hear_the_same(place):
    for round_ in range(20):
        add(place.store, f"c{round_}")
        heard: list[Exit] = []
        gate = threading.Barrier(8)

        def record(status, name=f"c{round_}", gate=gate, heard=heard):
            gate.wait()
            heard.append(place.store.record_exit(name, Exit(status, float(status), "x" * 3000)))

        threads = [threading.Thread(target=record, args=(status,)) for status in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(heard) == 8
        assert set(heard) == {place.store.load(f"c{round_}").exit}


def test_a_removed_container_is_gone_and_can_be_removed_again(place):
    add(place.store)
    add(place.store, "c2")
    place.store.remove("c1")
    place.other.remove("c1")
    assert place.other.ids() == ["c2"]
    add(place.store)


def test_a_lock_keeps_others_out(place):
    add(place.store)
    entered = threading.Event()

    def second():
        with place.other.locked("c1"):
            entered.set()

    thread = threading.Thread(target=second)
    with place.store.locked("c1"):
        thread.start()
        assert not entered.wait(0.2)
        assert place.other.load("c1") == container(), "reading does not wait"
    thread.join()
    assert entered.is_set()


def test_a_draft_keeps_others_out_until_it_is_closed(place):
    draft = place.store.draft("c1")
    draft.commit(container())
    entered = []
    thread = threading.Thread(target=lambda: entered.append(place.other.locked("c1").__enter__()))
    thread.start()
    time.sleep(0.2)
    assert entered == []
    draft.close()
    thread.join()
    assert entered == [container()]


def test_who_waited_for_a_container_that_is_removed_hears_it(place):
    add(place.store)
    heard = []

    def waiter():
        try:
            with place.other.locked("c1"):
                heard.append("locked")
        except NotFound:
            heard.append("gone")

    thread = threading.Thread(target=waiter)
    with place.store.locked("c1"):
        thread.start()
        time.sleep(0.1)
        place.store.remove("c1")
    thread.join()
    assert heard == ["gone"]


def test_a_lock_is_free_again_after_an_error(place):
    add(place.store)
    with pytest.raises(ZeroDivisionError), place.store.locked("c1"):
        raise ZeroDivisionError
    with place.other.locked("c1"):
        pass


def test_sweep_leaves_containers_and_living_drafts_alone(place):
    add(place.store)
    draft = place.store.draft("c2")
    place.other.sweep()
    draft.commit(container("c2"))
    place.other.sweep()
    draft.close()
    place.other.sweep()
    assert place.store.ids() == ["c1", "c2"]
    with place.store.locked("c1"):
        place.other.sweep()
        assert place.other.ids() == ["c1", "c2"]


texts = st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=50)
@given(
    annotations=st.dictionaries(texts, texts, max_size=3),
    created=st.floats(0, 1e11),
    name=texts,
    reason=texts,
)
def test_everything_is_read_back_as_it_was_written(place, annotations, created, name, reason):
    firmware = FirmwareImage(name, 0, "sha256:0", name)
    wanted = container(annotations=annotations, created=created, firmware=firmware, bundle=name)
    draft = place.store.draft("c1")
    draft.commit(wanted)
    draft.close()
    place.store.record_exit("c1", Exit(1, created, reason))
    assert place.other.load("c1") == wanted._replace(exit=Exit(1, created, reason))
    place.store.remove("c1")


def test_a_sandbox_has_no_firmware(place):
    add(place.store, firmware=None, processor="", device="")
    assert place.other.load("c1") == container(firmware=None, processor="", device="")


@pytest.mark.parametrize("text", ["", "null", "[1]", "{", "[" * 100_000, "{}", '"\\ud800"'])
def test_a_damaged_record_is_a_fault_that_names_the_container(tmp_path, text):
    (tmp_path / "container.json").write_text(text)
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(HostFault, match="container c1"):
            container_dir.read_container("c1", directory)
    finally:
        os.close(directory)
