"""All rows of the table."""

from __future__ import annotations

from tests.kernel_table.attributes import firmware, path, starts, words
from tests.kernel_table.life import attached, debug, life

ROWS = [*words(), *firmware(), *path(), *starts(), *life(), *debug(), *attached()]
