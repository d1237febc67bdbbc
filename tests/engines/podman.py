"""Podman in an isolated host, on storage of its own, with the libraries of its suite."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.engines.containerd import close
from tests.engines.isolated_host import PROJECT, IsolatedHost
from tests.engines.process import Process, Result
from tests.engines.releases import PODMAN, Releases

# The defaults of the two limits cannot be raised to without CAP_SYS_RESOURCE.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
init_path = "{bin}/catatonit"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "{runtime}"
conmon_path = ["{bin}/conmon"]
helper_binaries_dir = ["{bin}"]
tmp_dir = "{run}/libpod"
[engine.runtimes]
runc = ["{bin}/runc"]
crun = ["{bin}/crun"]
[network]
network_backend = "netavark"
network_config_dir = "{base}/networks"
"""
STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{base}/storage"
runroot = "{run}/containers"
"""


class Podman:
    """Podman of one version; containers get no network.

    `etc`: as Containerd's. `runtime` is the default of `--runtime`: `runc`, `crun` or a path. With
    `upgrade_to` another version can take over by `switch`: both then run on the newer's libraries.
    `user` runs it: one who is not root and has no subordinate ids is root in the containers, and
    they have no other user.
    """

    def __init__(
        self,
        releases: Releases,
        version: str,
        path: Sequence[str] = (),
        etc: Mapping[str, str] | None = None,
        runtime: str = "crun",
        upgrade_to: str = "",
        user: int = 0,
    ) -> None:
        self.releases, self.runtime, self.user = releases, runtime, user
        overlays: dict[str, list[str]] = {}
        for each in filter(None, (version, upgrade_to)):
            for folder, layers in releases.library_overlay(PODMAN[each]).items():
                overlays[folder] = [*layers, *overlays.get(folder, [])]
        if user:
            programs = (sys.executable, PROJECT, releases.folder)
            overlays.update({folder: ["/mnt", folder] for folder in closed(programs)})
        policy = {"default": [{"type": "insecureAcceptAnything"}]}
        self.host = IsolatedHost(
            path,
            {"containers/policy.json": json.dumps(policy), **(etc or {})},
            {folder: list(dict.fromkeys(layers)) for folder, layers in overlays.items()},
        )
        base = self.host.base
        self.host.env |= {
            "CONTAINERS_CONF": f"{base}/conf/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{base}/conf/storage.conf",
            "CONTAINERS_REGISTRIES_CONF": os.devnull,
            "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
        }
        self.host.expected += (
            # Podman makes its root private by a mount, which stays until the machine goes down,
            f"mount {base}/storage/overlay",
            "mount /run/containers/overlay-containers",
            # keeps one group for conmon, and version 5 forgets a pod's group in one hierarchy.
            "cgroup *libpod_parent/conmon",
            "cgroup systemd/libpod_parent/[0-9a-f]*",
        )
        self.host.open()
        self.run_directory = "/run"
        self._as_user: list[str] = []
        if user:
            self._as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
            self.run_directory = f"/run/user/{user}"
            self.host.env["XDG_RUNTIME_DIR"] = self.run_directory
            for folder in ("home", "networks", "storage", "tmp", f"run/user/{user}"):
                os.makedirs(f"{base}/{folder}", exist_ok=True)
                os.chown(f"{base}/{folder}", user, user)
        self.switch(version)

    def switch(self, version: str) -> None:
        """Use this version from now on, on the storage that is there."""
        self.version, self.suite = version, PODMAN[version]
        base = self.host.base
        folder = os.path.dirname(self.releases.binary(self.suite, "podman"))
        for name, text in (("containers", CONTAINERS_CONF), ("storage", STORAGE_CONF)):
            with open(f"{base}/conf/{name}.conf", "w") as file:
                names = {"base": base, "bin": folder, "run": self.run_directory}
                file.write(text.format(**names, runtime=self.runtime))

    def podman(
        self, *args: str, check: bool = True, timeout: float = 60, stdin: str = ""
    ) -> Result:
        """Run podman; an exit code other than 0 raises AssertionError, unless `check` is false."""
        podman = self.releases.binary(self.suite, "podman")
        result = self.as_user(podman, *args, stdin=stdin, timeout=timeout)
        return result.check() if check else result

    def background(self, *args: str) -> Process:
        """Start podman and let it run, such as for `events`, `logs -f` or `wait`."""
        return self.host.spawn([*self._as_user, self.releases.binary(self.suite, "podman"), *args])

    def as_user(self, *argv: str, stdin: str = "", timeout: float = 60) -> Result:
        """Run a command as the user who runs Podman."""
        return self.host.run(*self._as_user, *argv, stdin=stdin, timeout=timeout)

    def run(self, *args: str, check: bool = True, timeout: float = 60) -> Result:
        """`podman run` without a network, which no firmware has."""
        return self.podman("run", "--network", "none", *args, check=check, timeout=timeout)

    def inspect(self, name: str) -> Any:
        """The object that `podman inspect` prints."""
        return json.loads(self.podman("inspect", name).stdout)[0]

    def load(self, archive: str) -> None:
        """Load an archive made by images.write_oci or write_docker."""
        self.podman("load", "-i", archive)

    def close(self, within: float = 10) -> None:
        """Check that nothing is left, within `within` seconds, and remove all.

        Raises AssertionError if a container, process, mount, netns or cgroup is left.
        """
        try:
            left = self.podman("ps", "-a", "--format", "{{.Names}}: {{.Status}}").text
            assert not left, f"containers left: {left}"
            if self.user:
                # Ends the process that keeps the user's namespaces.
                self.podman("system", "migrate")
            self.host.wait_empty(within)
        finally:
            self.host.close()

    def __enter__(self) -> Podman:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        close(self, kind)


def closed(paths: Iterable[str]) -> Iterator[str]:
    """Yield the directories on the way to these that only their owner may enter."""
    for path in paths:
        parts = os.path.realpath(path).split("/")
        for end in range(2, len(parts)):
            folder = "/".join(parts[:end])
            if not os.stat(folder).st_mode & 0o001:
                yield folder
                break
