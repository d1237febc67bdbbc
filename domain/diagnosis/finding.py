"""One row of what `doctor` tells."""

from __future__ import annotations

from typing import NamedTuple

OK, WARN, FAIL = "ok", "warn", "fail"


class Finding(NamedTuple):
    """`level` is ok, warn or fail; `advice` says what to do, `` if all is well."""

    level: str
    subject: str
    text: str
    advice: str = ""
