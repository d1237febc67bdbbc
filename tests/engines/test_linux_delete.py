"""Proves whom the action `delete` ends beside a dead Linux container: containerd 1.6 runs it after
each container, when the pod's next one may be starting."""

from __future__ import annotations

import json
import os
import socket

import pytest

from tests.engines.ours import SHIM
from tests.engines.process import wait_until

pytestmark = pytest.mark.slow

RUNC_SHIM = "containerd-shim-runc-v2"
START = f'cd "$0" && exec {RUNC_SHIM} -namespace k8s.io -address x -id next start'


@pytest.mark.parametrize("lives", [True, False], ids=["a pod that lives", "a dead pod"])
def test_the_shim_for_runc_ends_with_the_pod_only(start_containerd, lives):
    containerd = start_containerd("2")
    host = containerd.host
    programs = os.path.dirname(containerd.releases.binary(containerd.suite, RUNC_SHIM))
    path = {"PATH": f"{host.env['PATH']}:{programs}"}
    bundle = f"{host.base}/run/ended"
    os.mkdir(bundle)
    annotations = {"io.kubernetes.cri.sandbox-id": "pod"}
    with open(f"{bundle}/config.json", "w") as file:
        json.dump({"ociVersion": "1.0.2", "annotations": annotations}, file)
    os.mkfifo(f"{bundle}/log")
    log = os.open(f"{bundle}/log", os.O_RDWR)
    ttrpc = {"TTRPC_ADDRESS": "/run/containerd/containerd.sock.ttrpc"}
    said = json.loads(host.run("sh", "-c", START, bundle, env={**path, **ttrpc}).check().text)
    service = f"containerd.task.v{said['version']}.Task"
    with open(f"{bundle}/linux-shim.json", "w") as file:
        json.dump({"address": said["address"], "service": service}, file)
    with open(f"{bundle}/address", "w") as file:
        file.write(f"unix://{host.base}/run/pod")
    pod = socket.socket(socket.AF_UNIX)
    pod.bind(f"{host.base}/run/pod")
    if lives:
        pod.listen()
    words = (SHIM, "-namespace", "k8s.io", "-address", "x", "-id", "ended", "-bundle", bundle)
    host.run("sh", "-c", 'cd "$0" && exec "$@" delete', bundle, *words, env=path).check()
    shims = host.find(RUNC_SHIM)
    assert (len(shims) == 1) if lives else wait_until(lambda: not host.find(RUNC_SHIM), 10)
    for shim in shims:
        os.kill(shim, 9)
    os.close(log)
    pod.close()
    host.expected.append("file run/containerd/s/*")  # of the shim that was killed
