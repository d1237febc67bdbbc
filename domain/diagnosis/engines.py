"""Checks of the engines that are to call the runtime."""

from __future__ import annotations

from collections.abc import Iterator

from domain.diagnosis.finding import FAIL, OK, WARN, Finding
from domain.diagnosis.host import SHIM, EngineFacts, Host


def engines(host: Host) -> Iterator[Finding]:
    """There is an engine, and it finds this version of the runtime."""
    if not host.engines:
        advice = "install Docker, Podman or containerd; without one, use remoteproc-runtime run"
        yield Finding(WARN, "engines", "none was found", advice)
    for each in host.engines:
        yield Finding(OK, each.name, each.version or "found, but does not tell its version")
        if each.needs_shim:
            yield _shim(each, host.version)
    if host.kubelet and not host.containerd_knows_us:
        yield Finding(
            WARN,
            "kubernetes",
            "containerd's configuration names neither the runtime nor its annotations",
            "add examples/containerd.toml to /etc/containerd/config.toml",
        )


def _shim(engine: EngineFacts, version: str) -> Finding:
    if not engine.shim:
        text = f"{SHIM} is not in containerd's PATH"
        return Finding(FAIL, engine.name, text, "link it there, or install its package")
    if engine.shim_version != version:
        answer = engine.shim_version or "no version"
        text = f"{engine.shim} is another program: it says {answer}, not {version}"
        advice = "another installer has put it there: remove it, or put this one before it"
        return Finding(FAIL, engine.name, text, advice)
    return Finding(OK, engine.name, f"{engine.shim} is version {version}")
