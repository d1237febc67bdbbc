"""The modules of the product that people write."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("domain", "adapters", "bootstrap")
GENERATED = ("_pb2.py", "wiring.py", "args_table.py")
MODULES = sorted(
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if not path.name.endswith(GENERATED)
)
