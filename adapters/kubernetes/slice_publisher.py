"""Keeps the node's ResourceSlice as it should be, whoever removes it.

The kubelet removes the slices of its node when it starts, and when it cannot reach the driver for
half a minute.
"""

from __future__ import annotations

import time
from typing import Any

from adapters.kubernetes.cluster import Cluster
from adapters.kubernetes.resource_slice import shows, slice_name, slice_of
from domain.errors import HostFault
from domain.ports import Warn
from domain.say_once import SayOnce

_CHECK = 30.0  # seconds between two looks at what the API server has
_SOON = 2.0  # the same for a minute after a kubelet has come: it may still remove slices
_SOON_FOR = 60.0
_LONGEST_PAUSE = 30.0  # seconds after a failure; the first pause is 1 s


class SlicePublisher:
    """Publishes the processors of `node`; its methods return at once if nothing is to be done."""

    def __init__(self, cluster: Cluster, node: str, driver: str, say: Warn) -> None:
        self._cluster = cluster
        self._node = node
        self._driver = driver
        self._say = say
        self._shown: list[dict[str, Any]] | None = None
        self._next = 0.0
        self._soon_until = 0.0
        self._pause = 0.0
        self._trouble = SayOnce(say)

    def kubelet_came(self) -> None:
        """Look at the API server's slices at once, and often for a while. Any thread may call."""
        self._soon_until = time.monotonic() + _SOON_FOR
        self._next = 0.0

    def look(self, wanted: list[dict[str, Any]]) -> None:
        """Publish these devices unless they are published; after a failure pause ever longer."""
        now = time.monotonic()
        if now < self._next and (self._pause or wanted == self._shown):
            return
        self._next = now + (_SOON if now < self._soon_until else _CHECK)
        try:
            self._sync(wanted)
        except HostFault as error:
            self._pause = min(2 * self._pause or 1.0, _LONGEST_PAUSE)
            self._next = time.monotonic() + self._pause
            self._trouble(str(error))
            return
        if self._trouble.said or self._shown != wanted:
            names = ", ".join(device["name"] for device in wanted) or "no processor"
            self._say(f"the cluster is shown {names} of node {self._node}")
        self._shown, self._pause = wanted, 0.0
        self._trouble.over()

    def _sync(self, wanted: list[dict[str, Any]]) -> None:
        name = slice_name(self._node, self._driver)
        ours = None
        for each in self._cluster.slices(self._node, self._driver):
            if each["metadata"]["name"] == name and wanted:
                ours = each
            else:
                self._cluster.delete(each["metadata"]["name"])
        if not wanted or (ours and shows(ours, wanted)):
            return
        body = slice_of(self._node, self._cluster.node_uid(self._node), self._driver, wanted)
        if ours is None:
            self._cluster.create(body)
            return
        body["metadata"]["resourceVersion"] = ours["metadata"]["resourceVersion"]
        body["spec"]["pool"]["generation"] = ours["spec"]["pool"]["generation"] + 1
        self._cluster.replace(body)
