"""All targets, by name: what reads bytes that an image, an engine, a guest or a file gives."""

from tests.fuzz.target import TARGETS
from tests.fuzz.targets import engines, files, firmware, guests, kernel, shared

__all__ = ["TARGETS", "engines", "files", "firmware", "guests", "kernel", "shared"]
