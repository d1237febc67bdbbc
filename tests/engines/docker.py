"""dockerd and its own containerd in an isolated host, with the docker client of its version."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tests.engines.containerd import Containerd, close, host_for
from tests.engines.daemon import Daemon
from tests.engines.process import Process, Result
from tests.engines.releases import CONTAINERD, DOCKER, OLDEST, Releases


class Docker:
    """dockerd of one version; containers get no network.

    `etc`: as Containerd's. `runtimes` is the daemon.json object of that name: {"remoteproc":
    {"path": "/…"}} for a command line, or {"runtimeType": "io.containerd.remoteproc.v1"} for a shim
    (which needs no entry at all); `settings` has more of daemon.json. With `live_restore`
    containers outlive a graceful end of dockerd.
    """

    def __init__(
        self,
        releases: Releases,
        version: str,
        path: Sequence[str] = (),
        etc: Mapping[str, str] | None = None,
        runtimes: Mapping[str, Any] | None = None,
        live_restore: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.releases = releases
        self.host = host_for(releases, path, etc)
        base = self.host.base
        self.host.watched.append("run/docker/netns/*")
        self.host.expected += (
            # With live-restore dockerd keeps the mount by which it makes its root private,
            f"mount {base}/docker",
            # and once a container was in the host's network, a name for that.
            "mount /run/docker/netns/default",
            "file run/docker/netns/default",
        )
        self.socket = f"{base}/run/docker.sock"  # seen from outside
        self.daemon = Daemon(self.host, "dockerd", self._ready)
        self._settings = f"{base}/conf/daemon.json"
        with open(self._settings, "w") as file:
            # Debian's package of Docker has no init; Podman's does the same.
            init = releases.binary(OLDEST, "catatonit")
            json.dump(
                {
                    "runtimes": runtimes or {},
                    "live-restore": live_restore,
                    "init-path": init,
                    **(settings or {}),
                },
                file,
            )
        self.containerd = Containerd(releases, self._containerd_for(version), host=self.host)
        self.start(version)

    @staticmethod
    def _containerd_for(version: str) -> str:
        return next(v for v, suite in CONTAINERD.items() if suite == DOCKER[version])

    def _ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(self.socket)
            sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 OK" in sock.recv(64)

    def start(self, version: str) -> None:
        """Start this version of dockerd on the roots that are there."""
        self.version, self.suite = version, DOCKER[version]
        base, dockerd = self.host.base, self.releases.binary(self.suite, "dockerd")
        off = ("iptables", "ip6tables", "ip-forward", "ip-masq", "userland-proxy")
        self.daemon.start(
            [
                dockerd,
                f"--config-file={self._settings}",
                f"--data-root={base}/docker",
                "--exec-root=/run/docker",
                "--pidfile=/run/docker.pid",
                "--host=unix:///run/docker.sock",
                "--containerd=/run/containerd/containerd.sock",
                "--exec-opt=native.cgroupdriver=cgroupfs",
                "--storage-driver=overlay2",
                "--bridge=none",
                *(f"--{flag}=false" for flag in off),
            ],
            {"PATH": f"{self.host.env['PATH']}:{os.path.dirname(dockerd)}"},
        )

    def restart(self, version: str = "", kill: bool = False, containerd: bool = False) -> None:
        """End dockerd, by SIGKILL if `kill`, and start it, as another version if given.

        With `containerd` that is restarted in the same way while dockerd is down.
        """
        version = version or self.version
        if kill:
            self.daemon.kill()
        else:
            self.daemon.stop()
        if containerd:
            self.containerd.restart(self._containerd_for(version), kill)
        # dockerd killed leaves its pid file, and trusts it if the pid has been given out again.
        if kill and os.path.exists(f"{self.host.base}/run/docker.pid"):
            os.unlink(f"{self.host.base}/run/docker.pid")
        self.start(version)

    def docker(
        self, *args: str, check: bool = True, timeout: float = 60, stdin: str = ""
    ) -> Result:
        """Run the docker client; an exit code other than 0 raises AssertionError, if `check`."""
        argv, env = [self._client(), *args], self._environment
        result = self.host.run(*argv, env=env, stdin=stdin, timeout=timeout)
        return result.check() if check else result

    def background(self, *args: str) -> Process:
        """Start the docker client and let it run, such as for `events`, `logs -f` or `wait`."""
        return self.host.spawn([self._client(), *args], env=self._environment)

    _environment: ClassVar = {"DOCKER_HOST": "unix:///run/docker.sock", "DOCKER_BUILDKIT": "0"}

    def _client(self) -> str:
        return self.releases.binary(self.suite, "docker")

    def run(self, *args: str, check: bool = True, timeout: float = 60) -> Result:
        """`docker run` without a network, which no firmware has."""
        return self.docker("run", "--network", "none", *args, check=check, timeout=timeout)

    def inspect(self, name: str) -> Any:
        """The object that `docker inspect` prints."""
        return json.loads(self.docker("inspect", name).stdout)[0]

    def load(self, archive: str) -> None:
        """Load an archive made by images.write_docker (or write_oci, from 25 on)."""
        self.docker("load", "-i", archive)

    def close(self) -> None:
        """Stop both daemons; raises AssertionError if a container or anything else is left."""
        try:
            left = self.docker("ps", "-a", "--format", "{{.Names}}: {{.Status}}").text
            self.daemon.stop()
            assert not left, f"containers left: {left}"
        except BaseException:
            self.host.close()
            raise
        self.containerd.close()

    def __enter__(self) -> Docker:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        close(self, kind)
