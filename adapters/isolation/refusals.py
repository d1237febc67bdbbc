"""What the kernel refuses of the things that a bundle asks for."""

from __future__ import annotations

from adapters.linux.process import privileged
from domain.errors import host_fault, reason


class Refusals:
    """A refusal is an error for the machine's root; for another user it is one of `warnings`."""

    def __init__(self, hint: str = "") -> None:
        self._hint = hint
        self._strict = privileged()
        self.warnings: list[str] = []

    def add(self, what: str, error: OSError) -> None:
        """Take a refusal; `what` completes "cannot". Raises HostFault for root."""
        if self._strict:
            raise host_fault(f"cannot {what}", error, hint=self._hint) from error
        self.warnings.append(f"cannot {what}: {reason(error)}")
