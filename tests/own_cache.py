"""A cache of parsed files for one test alone.

Real root has one cache (`cache_of` of bootstrap/settings.py). Files of tests that run beside take
each other's slots there, and a test that counts imports would miss what it has cached.
"""

from __future__ import annotations

import os

BOUND = (
    "install -d -m 0700 /run/remoteproc-runtime /run/remoteproc-runtime/parsed"
    ' && mount --bind "$0" /run/remoteproc-runtime/parsed && exec "$@"'
)


def own_cache(place: str) -> tuple[list[str], dict[str, str]]:
    """Return words before a command, and its environment, which give it a cache below `place`."""
    own = f"{place}/parsed"
    os.makedirs(own, 0o700, exist_ok=True)
    before = ["unshare", "--mount", "sh", "-c", BOUND, own] if os.geteuid() == 0 else []
    return before, {**os.environ, "XDG_RUNTIME_DIR": place}
