"""Where a service of this node finds what it works with: the options of its command."""

from __future__ import annotations

from typing import NamedTuple


class NodeOptions(NamedTuple):
    """`directory` is the kubelet's for plugins of this kind.

    `run_directory` and `domain`, with which the names of resources begin, are the configuration's.
    The others are a DRA driver's: `cdi` is containerd's directory for CDI files, `kubeconfig` says
    where the API server is, `node` is this node's name there.
    """

    directory: str
    run_directory: str = ""
    domain: str = ""
    cdi: str = ""
    kubeconfig: str = ""
    node: str = ""
