"""Takes a snapshot of files, to prove that a refused command changes none."""

from __future__ import annotations

import os
import stat


def snapshot(*tops):
    """Return for every path below each directory its kind, mode and content."""
    found = {}
    for top in tops:
        for above, directories, files in os.walk(top):
            for name in [*directories, *files]:
                path = os.path.join(above, name)
                found[path] = _content(path)
    return found


def _content(path):
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return status.st_mode, os.readlink(path)
    if stat.S_ISREG(status.st_mode) and status.st_size < 1 << 20:
        with open(path, "rb") as file:
            return status.st_mode, file.read()
    return status.st_mode, status.st_size


def refused(backend, *words, says=(), watch=(), **options):
    """Run a command that must fail; return its error.

    Fails unless the error is one line that contains all texts of `says`, and no file under the
    state root and the directories `watch` has changed.
    """
    before = snapshot(backend.root, *watch)
    outcome = backend.command(*words, **options)
    assert outcome.code == 1, outcome
    assert "Traceback" not in outcome.err, outcome.err
    missing = [text for text in says if text not in outcome.refusal]
    assert not missing, (missing, outcome.refusal)
    assert outcome.out == ""
    assert snapshot(backend.root, *watch) == before
    return outcome.refusal
