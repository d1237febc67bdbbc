"""Proves that every way to a digest gives SHA-256, and that small files need no OpenSSL."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from adapters.images import digest


@pytest.mark.parametrize("own", [digest._BUILTIN, ("no_such_module", "errno"), ()])
@pytest.mark.parametrize("size", [0, 1000, (1 << 20) - 1, 1 << 20, 64 << 20])
def test_every_way_is_sha256(monkeypatch, own, size):
    monkeypatch.setattr(digest, "_BUILTIN", own)
    found = digest.sha256(size)
    found.update(b"firm")
    found.update(b"ware")
    assert found.hexdigest() == hashlib.sha256(b"firmware").hexdigest()


@pytest.mark.parametrize(("size", "loaded"), [(100_000, False), (1 << 20, True)])
def test_openssl_is_loaded_for_large_files_only(size, loaded):
    code = "import sys; from adapters.images.digest import sha256; sha256(int(sys.argv[1]));"
    code += "print('_hashlib' in sys.modules)"
    words = [sys.executable, "-c", code, str(size)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == str(loaded)
