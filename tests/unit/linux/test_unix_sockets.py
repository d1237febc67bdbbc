"""Proves that sockets can have paths that are longer than a socket's address."""

from __future__ import annotations

import os
import socket

import pytest

from adapters.linux.unix_sockets import address_in, connect


@pytest.mark.parametrize("relative", [False, True])
def test_a_socket_below_a_long_path(tmp_path, monkeypatch, relative):
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    monkeypatch.chdir(folder)
    directory = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(address_in(directory, "s"))
        server.listen()
        connect(client, "s" if relative else f"{folder}/s")
    os.close(directory)
