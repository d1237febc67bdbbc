"""Docker and Podman as the people who type their commands see them: the same words for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.engines.images import Image, write_docker
from tests.engines.ours import ETC, RUNTIME
from tests.engines.process import Process, Result, wait_until

ENGINES = ("docker-shim", "docker-path", "podman-4", "podman-5")


class CommandLine:
    """An engine whose containers are firmware; `kind` is one of ENGINES."""

    def __init__(self, kind: str, engine: Any, folder: str) -> None:
        self.kind = kind
        self.engine = engine
        self._folder = folder

    def __call__(self, *words: str, check: bool = True, timeout: float = 60) -> Result:
        """Run the engine's client with these words."""
        client = self.engine.docker if self.kind.startswith("docker") else self.engine.podman
        result: Result = client(*words, check=check, timeout=timeout)
        return result

    def load(self, image: Image) -> None:
        """Load an image."""
        self.engine.load(write_docker(image, f"{self._folder}/image.tar"))

    def run(self, image: str, *options: str, runtime: str | None = None, **how: Any) -> Result:
        """Run `localhost/IMAGE:1` as the container `one` on m3-0, unless the options say more.

        `words`: what comes after the image. `runtime`: another than ours, `runc` or `crun`.
        """
        words = how.pop("words", ())
        return self(*self._running(image, options, runtime), *words, **how)

    def background(self, image: str, *options: str) -> Process:
        """Start `run` and let it go on."""
        process: Process = self.engine.background(*self._running(image, options))
        return process

    def _running(
        self, image: str, options: Sequence[str], runtime: str | None = None
    ) -> Sequence[str]:
        runtime = runtime or {"docker-shim": RUNTIME, "docker-path": "remoteproc"}.get(self.kind)
        chosen = ["--runtime", runtime] if runtime else []
        first = ["run", *chosen] if self.kind.startswith("docker") else [*chosen, "run"]
        where = ["--annotation", "remoteproc.name=m3-0"]
        if not any(option.startswith("--network") for option in options):
            where += ["--network", "none"]
        return [*first, "--name", "one", *where, *options, f"localhost/{image}:1"]

    def state(self, name: str = "one") -> Any:
        """The object `State` of `inspect`."""
        return self.engine.inspect(name)["State"]

    def ended(self, name: str = "one", within: float = 10) -> int:
        """Wait until the container has ended; return its exit code."""
        over = ("exited", "stopped")
        assert wait_until(lambda: self.state(name)["Status"] in over, within, 0.1), self.state(name)
        return int(self.state(name)["ExitCode"])

    def remove(self, name: str = "one") -> None:
        """Remove a container, whatever it does."""
        self("rm", "-f", name)


def start(
    kind: str,
    start_docker: Any,
    start_podman: Any,
    path: str,
    folder: str,
    etc: Mapping[str, str] | None = None,
    **settings: Any,
) -> CommandLine:
    """Start an engine with the board `quad`; `settings` are for Docker's daemon.json.

    `etc`: as Containerd's.
    """
    runtime = f"{path}/remoteproc-runtime"
    etc = {**ETC, **(etc or {})}
    if kind.startswith("docker"):
        runtimes = {"remoteproc": {"path": runtime}}
        engine = start_docker("28", etc=etc, runtimes=runtimes, settings=settings)
    else:
        engine = start_podman(kind.removeprefix("podman-"), etc=etc, runtime=runtime)
    return CommandLine(kind, engine, folder)
