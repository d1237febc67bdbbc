"""What several tests of this folder need."""

from __future__ import annotations

import pytest

from adapters.state.container_store import DirectoryStore
from domain.container import Exit
from tests.contract.test_container_store import container


@pytest.fixture
def root_with_a_container(tmp_path):
    """A state root with one container, which has ended."""
    store = DirectoryStore(str(tmp_path / "state"))
    draft = store.draft("c1")
    draft.commit(container(bundle=str(tmp_path)))
    draft.close()
    store.record_exit("c1", Exit(0, 1.0))
    return store.root
