"""Wraps adapters so that the Nth call of any of them fails before it does anything."""

from __future__ import annotations

from typing import Any


class FaultInjector:
    """Counts calls, keeps their names, and raises `error` in place of call number `at`."""

    def __init__(self, at: int = -1, error: BaseException | None = None) -> None:
        self.at = at
        self.error = error
        self.calls: list[str] = []

    def wrap(self, name: str, adapter: Any, *untouched: str) -> Any:
        """Return the adapter with all its methods counted, but for those untouched."""
        return _Wrapped(self, name, adapter, untouched)

    def count(self, name: str) -> None:
        """Count a call."""
        self.calls.append(name)
        if len(self.calls) - 1 == self.at:
            assert self.error is not None
            raise self.error


class _Wrapped:
    def __init__(
        self, injector: FaultInjector, name: str, adapter: Any, untouched: tuple[str, ...]
    ) -> None:
        self._injector = injector
        self._name = name
        self._adapter = adapter
        self._untouched = untouched

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._adapter, name)
        if not callable(found) or name in self._untouched:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._injector.count(f"{self._name}.{name}")
            result = found(*args, **kwargs)
            wrapped = {"draft": "draft", "open": "processor"}.get(name)
            return self._injector.wrap(wrapped, result, "discard", "close") if wrapped else result

        return call
