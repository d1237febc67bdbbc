"""Proves what is said of an API server that cannot be asked, and that it is asked as told anew."""

from __future__ import annotations

import os

import pytest

from adapters.kubernetes.cluster import Cluster
from domain.errors import HostFault
from tests.api_server import ApiServer


@pytest.fixture
def api(tmp_path):
    api = ApiServer(tmp_path)
    api.start()
    yield api
    api.stop()


def test_each_trouble_is_one_line_and_ends_when_it_is_mended(api, tmp_path):
    path = str(tmp_path / "config")
    cluster = Cluster(path)

    def said():
        with pytest.raises(HostFault) as raised:
            cluster.slices(api.node, "remoteproc")
        assert str(raised.value).isprintable()
        return str(raised.value)

    def works():
        api.kubeconfig(path)
        assert cluster.slices(api.node, "remoteproc") == []

    assert f"kubeconfig {path} cannot be used" in said()
    works()
    os.unlink(path)
    works()
    api.token = "exchanged"
    assert "list ResourceSlices: the API server https://127.0.0.1:" in said()
    assert "answers 401 Unauthorized; are the credentials of" in said()
    api.kubeconfig(path, token="exchanged")
    assert cluster.slices(api.node, "remoteproc") == []
    api.kubeconfig(path, authority="stranger")
    cluster = Cluster(path)
    words = said()
    assert "no trust between this node and the API server" in words
    assert "certificate verify failed" in words
    api.token = "secret"
    works()
    api.stop()
    assert "does not answer: " in said()
    api.start()
    works()
    with open(path, "w") as file:
        file.write("{: [")
    cluster = Cluster(path)
    assert "cannot be used" in said()
    works()
    with pytest.raises(HostFault, match="answers 404"):
        cluster.claim("default", "none")
    with pytest.raises(HostFault, match="answers 404"):
        cluster.node_uid("another")
