"""Proves that the examples fit together, and pass what Pod Security calls "baseline"."""

from __future__ import annotations

import pytest
import yaml

from domain.offers import DOMAIN, is_resource_name
from tests.architecture.sources import ROOT

EXAMPLES = ROOT / "examples"
# All that the profile lets pods set only to some values: examples set none of it.
FORBIDDEN = {"hostNetwork", "hostPID", "hostIPC", "hostPath", "hostPort", "privileged", "procMount"}
FORBIDDEN |= {"capabilities", "seccompProfile", "appArmorProfile", "seLinuxOptions", "sysctls"}
FORBIDDEN |= {"hostProcess", "windowsOptions", "host"}


def load(name):
    return yaml.safe_load((EXAMPLES / name).read_text())


def keys(value):
    """All keys of mappings, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def pod(name):
    found = load(name)
    return found if found["kind"] == "Pod" else found["spec"]["template"]


@pytest.mark.parametrize("name", ["pod.yaml", "deployment.yaml"])
def test_pods_pass_baseline_and_request_one_processor_a_container(name):
    spec = pod(name)["spec"]
    assert FORBIDDEN & set(keys(spec)) == set()
    assert spec["runtimeClassName"] == load("runtimeclass.yaml")["metadata"]["name"]
    for container in spec["containers"]:
        ((resource, count),) = container["resources"]["limits"].items()
        domain, _, processor = resource.partition("/")
        assert (domain, count) == (DOMAIN, 1) and is_resource_name(processor)


def test_a_deployment_does_not_wait_for_a_second_processor():
    assert load("deployment.yaml")["spec"]["strategy"] == {"type": "Recreate"}


def test_annotations_are_for_containers_of_the_pod():
    found = pod("pod.yaml")
    names = [container["name"] for container in found["spec"]["containers"]]
    assert all(key.split(".")[2] in names for key in found["metadata"]["annotations"])


def test_the_base_has_files_that_exist():
    assert all((EXAMPLES / name).is_file() for name in load("kustomization.yaml")["resources"])


def documents(name):
    return list(yaml.safe_load_all((EXAMPLES / name).read_text()))


def test_classes_are_of_the_driver_and_one_serves_pods_of_the_device_plugin():
    every, one = documents("deviceclass.yaml")
    for each in (every, one):
        assert (each["apiVersion"], each["kind"]) == ("resource.k8s.io/v1", "DeviceClass")
        (selector,) = each["spec"]["selectors"]
        assert f'device.driver == "{DOMAIN}"' in selector["cel"]["expression"]
    domain, _, processor = one["spec"]["extendedResourceName"].partition("/")
    assert f'["{DOMAIN}"].name == "{processor}"' in selector["cel"]["expression"]
    assert domain == DOMAIN


def test_a_pod_claims_what_its_template_requests():
    template, found = documents("pod-claim.yaml")
    (request,) = template["spec"]["spec"]["devices"]["requests"]
    classes = [each["metadata"]["name"] for each in documents("deviceclass.yaml")]
    assert request["exactly"]["deviceClassName"] in classes
    spec = found["spec"]
    assert FORBIDDEN & set(keys(spec)) == set() and spec["runtimeClassName"] == "remoteproc"
    (claim,) = spec["resourceClaims"]
    assert claim["resourceClaimTemplateName"] == template["metadata"]["name"]
    (container,) = spec["containers"]
    assert container["resources"]["claims"] == [{"name": claim["name"]}]


def test_containerd_knows_the_handler_and_lets_annotations_through():
    text = (EXAMPLES / "containerd.toml").read_text()
    handler = load("runtimeclass.yaml")["handler"]
    assert f".containerd.runtimes.{handler}]" in text
    for key in ("pod_annotations", "container_annotations"):
        assert f'{key} = ["remoteproc.*"]' in text


def test_nodes_get_the_label_that_the_class_selects():
    ((label, value),) = load("runtimeclass.yaml")["scheduling"]["nodeSelector"].items()
    prefix, _, name = label.partition("/")
    # node-feature-discovery puts this prefix before a name that has none.
    assert prefix == "feature.node.kubernetes.io"
    text = (ROOT / "docs/kubernetes.md").read_text()
    assert f"{label}={value}" in text
    features = "/etc/kubernetes/node-feature-discovery/features.d"
    assert f"    echo {name}={value} > {features}/remoteproc\n" in text


def test_k3s_is_told_the_same_as_containerd_alone():
    text = (ROOT / "docs/kubernetes.md").read_text()
    (row,) = (line for line in text.splitlines() if "`config-v3.toml.tmpl`" in line)
    section = row.split("`[")[1].split("]`")[0].replace("'", '"')
    assert section in (EXAMPLES / "containerd.toml").read_text()


def test_the_service_starts_what_exists_before_the_kubelet():
    text = (ROOT / "systemd/remoteproc-device-plugin.service").read_text()
    before = text.split("Before=")[1].splitlines()[0].split()
    assert {"kubelet.service", "k3s.service", "k3s-agent.service"} <= set(before)
    assert "ExecStart=/usr/local/bin/remoteproc-runtime device-plugin\n" in text
    driver = (ROOT / "systemd/remoteproc-dra-driver.service").read_text()
    assert "Conflicts=remoteproc-device-plugin.service\n" in driver
    assert "ExecStart=/usr/local/bin/remoteproc-runtime dra-driver\n" in driver
