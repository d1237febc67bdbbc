"""Proves that the plugin, as a process, and a kubelet agree on who has which processor, whatever
either of them goes through."""

from __future__ import annotations

import os
import shutil
import signal
import time

import grpc
import pytest

from tests.waiting import wait_until

IDLE = [f"idle-{number}" for number in range(4)]
POOL = "kubernetes: {domain: board.example, resources: {any: [idle-0, idle-1]}}\n"
PLACE = "/run/remoteproc-runtime/processor"


def healthy(*names):
    return dict.fromkeys(names, "Healthy")


def mount_of(told):
    (mount,) = told.mounts
    return {"destination": mount.container_path, "type": "bind", "source": mount.host_path,
            "options": ["rbind", "ro"]}  # fmt: skip


def test_each_processor_is_a_resource(node):
    node.kubelet.start()
    node.plugin()
    for name in IDLE:
        node.kubelet.wait(f"remoteproc/{name}", healthy(name))
    name, told = node.kubelet.admit("remoteproc/idle-2")
    assert (name, dict(told.annotations)) == ("idle-2", {"remoteproc.name": "idle-2"})
    (mount,) = told.mounts
    assert (mount.container_path, mount.read_only) == (PLACE, True)
    with open(mount.host_path) as file:
        assert file.read() == "idle-2"
    with pytest.raises(AssertionError, match="Insufficient"):
        node.kubelet.admit("remoteproc/idle-2")


def test_a_kubelet_that_comes_late_empties_its_directory_and_is_restarted(node):
    os.mkdir(node.kubelet.directory)
    node.plugin()
    socket = f"{node.kubelet.directory}/remoteproc-idle-0.sock"
    wait_until(lambda: os.path.exists(socket))
    wait_until(lambda: "waiting for the kubelet" in node.said())
    for _ in range(3):
        node.kubelet.start()  # removes the socket
        for name in IDLE:
            node.kubelet.wait(f"remoteproc/{name}", healthy(name))
        node.kubelet.stop()
    assert node.kubelet.registrations.count("remoteproc/idle-0") >= 3, "once for each kubelet"


def test_it_is_registered_again_well_within_half_a_second(node):
    node.kubelet.start()
    node.plugin()
    for name in IDLE:
        node.kubelet.wait(f"remoteproc/{name}", healthy(name))

    def again():
        """Empty the directory, as a kubelet does late; return after how long all are back."""
        node.kubelet.registrations.clear()
        begun = time.monotonic()
        for name in IDLE:
            os.unlink(f"{node.kubelet.directory}/remoteproc-{name}.sock")
        wait_until(lambda: len(set(node.kubelet.registrations)) == len(IDLE))
        return time.monotonic() - begun

    assert any(again() < 0.4 for _ in range(20)), "at least when the machine has time"


def test_the_directory_is_replaced(node):
    node.kubelet.start()
    node.plugin()
    node.kubelet.wait("remoteproc/idle-0", healthy("idle-0"))
    node.kubelet.stop()
    os.rename(node.kubelet.directory, f"{node.place}/old")
    node.kubelet.start()
    node.kubelet.wait("remoteproc/idle-0", healthy("idle-0"))


def test_a_killed_plugin_starts_again_with_all_as_it_was(node):
    node.kubelet.start()
    first = node.plugin()
    node.kubelet.wait("remoteproc/idle-0", healthy("idle-0"))
    name, told = node.kubelet.admit("remoteproc/idle-0")
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_until(lambda: node.kubelet.devices("remoteproc/idle-0") == {})
    os.unlink(told.mounts[0].host_path)  # as after a reboot: /run is empty
    os.mkdir(told.mounts[0].host_path)  # and containerd makes what it should mount
    node.plugin()
    node.kubelet.wait("remoteproc/idle-0", healthy("idle-0"))
    node.kubelet.pre_start("remoteproc/idle-0", name)
    with open(told.mounts[0].host_path) as file:
        assert file.read() == name


def test_a_pool_is_given_out_with_free_processors_first(node):
    node.configure(POOL)
    node.start("ending", "idle-0", pod=True)  # of a pod that the kubelet has forgotten already
    node.kubelet.start()
    node.plugin()
    node.kubelet.wait("board.example/any", healthy("idle-0", "idle-1"))
    assert node.kubelet.admit("board.example/any")[0] == "idle-1"
    assert node.kubelet.admit("board.example/any")[0] == "idle-0"
    with pytest.raises(AssertionError, match="Insufficient"):
        node.kubelet.admit("board.example/any")


def test_what_somebody_else_runs_is_unhealthy_until_that_has_ended(node):
    node.kubelet.start()
    node.plugin()
    node.kubelet.wait("remoteproc/idle-0", healthy("idle-0"))
    node.start("foreign", "idle-0")
    node.kubelet.wait("remoteproc/idle-0", {"idle-0": "Unhealthy"})
    node.run("delete", "--force", "foreign")
    node.kubelet.wait("remoteproc/idle-0", healthy("idle-0"))
    node.start("ours", "idle-0", pod=True)
    with pytest.raises(AssertionError, match="not true within"):
        wait_until(lambda: node.kubelet.devices("remoteproc/idle-0") != healthy("idle-0"), 1)
    assert "idle-0 of remoteproc/idle-0 cannot be had: belongs to container foreign" in node.said()


def test_a_start_waits_until_the_processor_is_free(node):
    node.kubelet.start()
    node.plugin()
    node.kubelet.wait("remoteproc/idle-0", healthy("idle-0"))
    node.start("ending", "idle-0", pod=True)
    endpoint = node.kubelet.endpoints["remoteproc/idle-0"]
    from adapters.kubernetes.api import deviceplugin_pb2 as api

    waiting = endpoint.channel.unary_unary(
        "/v1beta1.DevicePlugin/PreStartContainer",
        request_serializer=api.PreStartContainerRequest.SerializeToString,
        response_deserializer=api.PreStartContainerResponse.FromString,
    ).future(api.PreStartContainerRequest(devices_ids=["idle-0"]), timeout=30)
    with pytest.raises(grpc.FutureTimeoutError):
        waiting.result(1)
    node.run("delete", "--force", "ending")
    waiting.result(5)


def test_wrong_requests_are_refused_with_a_sentence(node):
    node.configure(POOL)
    node.kubelet.start()
    node.plugin()
    node.kubelet.wait("board.example/any", healthy("idle-0", "idle-1"))
    for names, words in (
        (["idle-0", "idle-1"], "asks for 2 processors of board.example/any, but firmware runs on"),
        (["idle-9"], "board.example/any has no processor idle-9"),
        (["idle-2"], "board.example/any has no processor idle-2"),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            node.kubelet.allocate("board.example/any", names)
        assert words in refused.value.details()


def test_a_second_plugin_of_a_node_is_refused(node):
    node.kubelet.start()
    node.plugin()
    node.kubelet.wait("remoteproc/idle-0", healthy("idle-0"))
    second = node.plugin()
    assert second.wait(10) == 1
    assert "another device plugin or DRA driver serves this node's processors" in node.said()
    assert node.kubelet.registrations.count("remoteproc/idle-0") == 1
    node._plugins.remove(second)


def test_an_ended_plugin_takes_its_sockets_away(node):
    node.kubelet.start()
    plugin = node.plugin()
    for name in IDLE:
        node.kubelet.wait(f"remoteproc/{name}", healthy(name))
    plugin.send_signal(signal.SIGTERM)
    assert plugin.wait(10) == 0
    assert os.listdir(node.kubelet.directory) == ["kubelet.sock"]


# --- the choice reaches the runtime ---------------------------------------------------------


@pytest.fixture
def told(node):
    """What the kubelet tells a container that has idle-1."""
    node.kubelet.start()
    node.plugin()
    node.kubelet.wait("remoteproc/idle-1", healthy("idle-1"))
    return node.kubelet.admit("remoteproc/idle-1")[1]


def test_the_mount_alone_names_the_processor(node, told):
    assert node.create("c1", mounts=[mount_of(told)]) == ""
    assert '"remoteproc.name": "idle-1"' in node.run("state", "c1")


def test_mount_and_annotation_agree_or_the_container_is_refused(node, told):
    assert node.create("c1", dict(told.annotations), [mount_of(told)]) == ""
    assert node.create("c2", {"remoteproc.name": "remoteproc1"}, [mount_of(told)]) == ""
    said = node.create("c3", {"remoteproc.name": "idle-2"}, [mount_of(told)])
    assert "asks for processor idle-2, but Kubernetes has given this container idle-1" in said


def test_no_other_mount_at_that_place_counts(node, told):
    forged = f"{node.place}/forged"
    with open(forged, "w") as file:
        file.write("idle-3")
    os.symlink(forged, f"{node.place}/bundle-link")
    directory = os.path.dirname(told.mounts[0].host_path)
    for source in (forged, f"{node.place}/bundle-link", f"{directory}/../../forged", directory):
        mount = {"destination": PLACE, "type": "bind", "source": source, "options": ["ro"]}
        said = node.create("c1", mounts=[mount])
        assert "no processor is named" in said, (source, said)


def test_a_file_in_the_image_at_that_place_does_not_count(node, told):
    inside = f"{node.place}/bundle-c1/rootfs{PLACE}"
    os.makedirs(os.path.dirname(inside))
    with open(inside, "w") as file:
        file.write("idle-3")
    assert "no processor is named" in node.create("c1")


def test_a_directory_that_others_may_write_is_not_trusted(node, told):
    directory = os.path.dirname(told.mounts[0].host_path)
    os.chmod(directory, 0o777)
    assert "other users can write to" in node.create("c1", mounts=[mount_of(told)])
    os.chmod(directory, 0o700)


def test_a_file_that_has_gone_is_said(node, told):
    mount = mount_of(told)
    mount["source"] += "0"
    said = node.create("c1", mounts=[mount])
    assert "which names the processor: No such file" in said and "device-plugin" in said


def test_a_mistyped_container_is_in_the_log_of_the_one_that_is_meant(node):
    asked = {"remoteproc.name": "idle-1", "remoteproc.console.mian": "none"}
    node.create("c1", {**asked, "io.kubernetes.container.name": "main"})
    words = "annotation remoteproc.console.mian is for a container mian: this one is main"
    wait_until(lambda: words in node.run("logs", "c1"))


# --- processors come and go -----------------------------------------------------------------


class Tree:
    """What the kernel shows of processors, as plain files that a test changes."""

    def __init__(self, node):
        self.path = f"{node.place}/tree"
        os.makedirs(f"{self.path}/sys/class/remoteproc")
        with open(f"{node.place}/config.yaml", "w") as file:
            file.write(f"tree: {self.path}\nrun-directory: {node.place}/run\n")

    def show(self, number, name, state="offline"):
        """Write the attributes; each file is whole whenever somebody reads it."""
        place = f"{self.path}/sys/class/remoteproc/remoteproc{number}"
        os.makedirs(place, exist_ok=True)
        for attribute, text in (("firmware", "(null)"), ("name", name), ("state", state)):
            with open(f"{place}/{attribute}.new", "w") as file:
                file.write(f"{text}\n")
            os.rename(f"{place}/{attribute}.new", f"{place}/{attribute}")

    def remove(self, number):
        place = f"{self.path}/sys/class/remoteproc/remoteproc{number}"
        os.rename(place, f"{self.path}/gone{number}")
        shutil.rmtree(f"{self.path}/gone{number}")


def test_a_processor_appears_dies_goes_comes_back_and_is_renamed(node):
    tree = Tree(node)
    tree.show(0, "m4")
    node.kubelet.start()
    node.plugin()
    node.kubelet.wait("remoteproc/m4", healthy("m4"))
    tree.show(1, "m7")
    node.kubelet.wait("remoteproc/m7", healthy("m7"))
    tree.show(0, "m4", "crashed")
    node.kubelet.wait("remoteproc/m4", {"m4": "Unhealthy"})
    tree.show(0, "m4")
    node.kubelet.wait("remoteproc/m4", healthy("m4"))
    tree.show(0, "m4", "running")  # by another program
    node.kubelet.wait("remoteproc/m4", {"m4": "Unhealthy"})
    tree.remove(0)
    wait_until(lambda: "m4 of remoteproc/m4 cannot be had: this board does not have" in node.said())
    tree.show(0, "m4")
    node.kubelet.wait("remoteproc/m4", healthy("m4"))
    tree.show(1, "dsp")
    node.kubelet.wait("remoteproc/dsp", healthy("dsp"))
    node.kubelet.wait("remoteproc/m7", {"m7": "Unhealthy"})
