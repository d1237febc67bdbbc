"""Fixtures that start engines: each is a function, so that a test chooses version and roots."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.engines.containerd import PAUSE, Containerd
from tests.engines.docker import Docker
from tests.engines.images import probe_image, write_docker, write_oci
from tests.engines.node import CONFIG, Node
from tests.engines.ours import ETC, sample
from tests.engines.podman import Podman
from tests.engines.releases import Releases, fetch

PROBE = "localhost/probe:1"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch the engines before the first test, whose time limit a download would exceed."""
    needed = any("releases" in getattr(item, "fixturenames", ()) for item in session.items)
    if needed and os.geteuid() == 0 and not session.config.option.collectonly:
        fetch()


@pytest.fixture(scope="session")
def releases() -> Releases:
    if os.geteuid() != 0:
        pytest.skip("container engines need root")
    return fetch()


@pytest.fixture(scope="session")
def runtime_path() -> str:
    """The folder of remoteproc-runtime and its shim: of this Python, or of an installed package."""
    return os.environ.get("PROGRAMS") or os.path.dirname(sys.executable)


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Archive of an ordinary image, under any name, in either format."""
    folder = str(tmp_path_factory.mktemp("probe"))

    def archive(name: str = PROBE, docker: bool = False) -> str:
        path = f"{folder}/{re.sub('[^a-z0-9]', '-', name)}-{'docker' if docker else 'oci'}.tar"
        write = write_docker if docker else write_oci
        return write(probe_image(name, folder), path)

    return archive


@pytest.fixture(scope="session")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Archive of a sample program's image, `localhost/<program>:1`, in either format."""
    folder = str(tmp_path_factory.mktemp("firmware"))

    def archive(program: str, docker: bool = False) -> str:
        path = f"{folder}/{program}-{'docker' if docker else 'oci'}.tar"
        write = write_docker if docker else write_oci
        return write(sample(program), path)

    return archive


@pytest.fixture
def start_containerd(releases: Releases, runtime_path: str) -> Iterator[Callable[..., Any]]:
    with ExitStack() as stack:
        yield lambda version, **options: stack.enter_context(
            Containerd(releases, version, [runtime_path], **options)
        )


@pytest.fixture
def start_docker(releases: Releases, runtime_path: str) -> Iterator[Callable[..., Any]]:
    with ExitStack() as stack:
        yield lambda version, **options: stack.enter_context(
            Docker(releases, version, [runtime_path], **options)
        )


@pytest.fixture
def start_podman(releases: Releases, runtime_path: str) -> Iterator[Callable[..., Any]]:
    with ExitStack() as stack:
        yield lambda version, **options: stack.enter_context(
            Podman(releases, version, [runtime_path], **options)
        )


@pytest.fixture
def start_node(
    start_containerd: Callable[..., Any], firmware: Callable[..., str], probe: Callable[..., str]
) -> Iterator[Callable[..., Any]]:
    nodes = []

    def started(version: str) -> Any:
        etc = {name: text + CONFIG for name, text in ETC.items()}
        containerd = start_containerd(version, etc=etc)
        for archive in (*map(firmware, ("hello", "crash")), probe(PAUSE), probe(PROBE)):
            containerd.load(archive, "k8s.io")
        nodes.append(Node(containerd))
        return nodes[-1]

    yield started
    for node in nodes:
        node.close()
