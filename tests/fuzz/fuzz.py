"""Fuzzes one target with Atheris: python -m tests.fuzz.fuzz TARGET [arguments of libFuzzer].

It must be a process of its own: Atheris never returns, and instruments modules as they are
imported.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["adapters", "bootstrap", "domain", "yaml"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run until libFuzzer's arguments say that it is enough, or a defect is found."""
    target = TARGETS[sys.argv[1]]
    # libFuzzer's own time limit is for C code, which no signal handler of Python interrupts.
    limits = [f"-max_len={target.largest}", "-timeout=10", "-rss_limit_mb=1024"]
    atheris.Setup([sys.argv[0], *limits, *sys.argv[2:]], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
