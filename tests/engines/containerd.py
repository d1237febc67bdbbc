"""containerd in an isolated host, with ctr, and with CRI for the runtimes runc and remoteproc."""

from __future__ import annotations

import glob
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from tests.engines.cri import Cri
from tests.engines.daemon import Daemon
from tests.engines.isolated_host import IsolatedHost
from tests.engines.process import Process, Result, wait_until
from tests.engines.releases import CONTAINERD, OLDEST, Releases

PAUSE = "localhost/pause:1"  # the image of CRI's sandboxes; load it before the first pod
_BUNDLES = "run/containerd/io.containerd.runtime.v2.task/*/*"

# containerd 2 reads version 2 as well, so one file serves all, and upgrades keep it.
CONFIG = """\
version = 2
root = "{base}/containerd"
state = "/run/containerd"
[grpc]
address = "/run/containerd/containerd.sock"
[ttrpc]
address = "/run/containerd/containerd.sock.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
path = "{base}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{base}/cni/bin"
conf_dir = "{base}/cni/conf"
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.remoteproc]
runtime_type = "io.containerd.remoteproc.v1"
pod_annotations = ["remoteproc.*"]
container_annotations = ["remoteproc.*"]
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.bare]
runtime_type = "io.containerd.remoteproc.v1"
"""


class Containerd:
    """containerd of one version, `path` first in the PATH where it looks for shims.

    `etc`: texts of files to show below /etc, by their paths there.
    """

    def __init__(
        self,
        releases: Releases,
        version: str,
        path: Sequence[str] = (),
        etc: Mapping[str, str] | None = None,
        host: IsolatedHost | None = None,
    ) -> None:
        self.releases = releases
        # Debian 12's runc serves every version; the shim for runc is found beside containerd.
        self.host = host or host_for(releases, path, etc)
        self.host.watched += [
            "run/containerd/s/*",  # shims' sockets
            _BUNDLES,
        ]
        self.socket = f"{self.host.base}/run/containerd/containerd.sock"  # seen from outside
        self.daemon = Daemon(self.host, "containerd", self._ready)
        self._cri: Cri | None = None
        self._config = f"{self.host.base}/conf/containerd.toml"
        with open(self._config, "w") as file:
            file.write(CONFIG.format(base=self.host.base, pause=PAUSE))
        self.start(version)

    def _ready(self) -> bool:
        return os.path.exists(self.socket) and self.ctr("version", check=False).code == 0

    def start(self, version: str) -> None:
        """Start this version on the roots that are there."""
        self.version, self.suite = version, CONTAINERD[version]
        containerd = self.releases.binary(self.suite, "containerd")
        path = f"{self.host.env['PATH']}:{os.path.dirname(containerd)}"
        self.daemon.start([containerd, "-c", self._config], {"PATH": path})

    def restart(self, version: str = "", kill: bool = False) -> None:
        """End it, by SIGKILL if `kill`, and start it again, as another version if given."""
        self.close_cri()
        if kill:
            self.daemon.kill()
        else:
            self.daemon.stop()
        self.start(version or self.version)

    def ctr(
        self, *args: str, namespace: str = "default", check: bool = True, timeout: float = 60
    ) -> Result:
        """Run ctr; an exit code other than 0 raises AssertionError, unless `check` is false."""
        result = self.host.run(*self._client(namespace), *args, timeout=timeout)
        return result.check() if check else result

    def background(self, *args: str, namespace: str = "default") -> Process:
        """Start ctr and let it run, such as for `events`, or `run` without `-d`."""
        return self.host.spawn([*self._client(namespace), *args])

    def listen(self) -> Process:
        """Start `ctr events`; return once it prints events: it does not print earlier ones."""
        events = self.background("events")

        def prints_events() -> bool:
            self.ctr("namespaces", "label", "default", "seen=yes")
            return "/namespaces/update" in events.output()

        assert wait_until(prints_events, 10), "ctr events prints no events"
        return events

    def _client(self, namespace: str) -> list[str]:
        ctr = self.releases.binary(self.suite, "ctr")
        return [ctr, "-a", "/run/containerd/containerd.sock", "-n", namespace]

    def load(self, archive: str, namespace: str = "default") -> None:
        """Import an archive made by images.write_oci; CRI's namespace is `k8s.io`."""
        self.ctr("images", "import", archive, namespace=namespace)

    @property
    def cri(self) -> Cri:
        """The CRI client; a restart of containerd needs a new one, so do not keep it."""
        if self._cri is None:
            self._cri = Cri(self.socket)
        return self._cri

    def close_cri(self) -> None:
        """Close the CRI client's connection."""
        if self._cri is not None:
            self._cri.close()
            self._cri = None

    def close(self, within: float = 10) -> None:
        """Stop containerd, and check that nothing is left `within` seconds later.

        Raises AssertionError if a container, process, mount, netns or cgroup is left.
        """
        try:
            left = self._containers()
            self.close_cri()
            # Where a shim has died, containerd runs the action `delete` and removes the bundle when
            # it has told that the pod is removed; if it is ended meanwhile, its next start does.
            wait_until(lambda: not glob.glob(_BUNDLES, root_dir=self.host.base), within)
            self.daemon.stop()
            assert not left, f"containers left: {left}"
            self.end_fork_servers()
            self.host.wait_empty(within)
        finally:
            self.close_cri()
            self.host.close()

    def end_fork_servers(self) -> None:
        """End the fork servers, which would end by themselves a minute after their last shim."""
        for pid in self.host.find("remoteproc-fork-server"):
            os.kill(pid, signal.SIGTERM)

    def _containers(self) -> list[str]:
        namespaces = self.ctr("namespaces", "ls", "-q").stdout.split()
        return [c for n in namespaces for c in self.ctr("c", "ls", "-q", namespace=n).text.split()]

    def __enter__(self) -> Containerd:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        close(self, kind)


def host_for(
    releases: Releases, path: Sequence[str], etc: Mapping[str, str] | None
) -> IsolatedHost:
    """An open isolated host with runc at the end of PATH."""
    host = IsolatedHost(path, etc)
    runc = f"{host.base}/bin"
    os.mkdir(runc)
    os.symlink(releases.binary(OLDEST, "runc"), f"{runc}/runc")
    host.env["PATH"] += f":{runc}"
    return host.open()


def close(engine: Any, kind: Any) -> None:
    """Close an engine with its checks, or only destroy it when the test has failed already."""
    if kind is None:
        engine.close()
    else:
        engine.host.close()
