"""What a node asks its cluster's API server about dynamic resource allocation.

The `kubernetes` client's classes for custom objects serve resource.k8s.io, too: so any version of
that package will do, and objects are plain JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import yaml
from kubernetes.client import ApiClient, Configuration, CoreV1Api, CustomObjectsApi
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_kube_config
from urllib3.exceptions import HTTPError

from domain.errors import HostFault

_GROUP, _VERSION, _SLICES = "resource.k8s.io", "v1", "resourceslices"
_ANSWER = (5.0, 10.0)  # seconds to connect, and to answer

_T = TypeVar("_T")


class Cluster:
    """Calls the API server that a kubeconfig names, with the credentials that are there.

    Every method raises HostFault if the server cannot be asked or refuses; the next call then reads
    the kubeconfig anew, since certificates and tokens are exchanged from time to time.
    """

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = kubeconfig
        self._client: ApiClient | None = None

    def claim(self, namespace: str, name: str) -> dict[str, Any]:
        """Return a ResourceClaim."""
        return self._ask(
            f"get ResourceClaim {namespace}/{name}",
            lambda client: CustomObjectsApi(client).get_namespaced_custom_object(
                _GROUP, _VERSION, namespace, "resourceclaims", name, _request_timeout=_ANSWER
            ),
        )

    def node_uid(self, node: str) -> str:
        """Return the uid of a node."""
        return self._ask(
            f"get node {node}",
            lambda client: str(
                CoreV1Api(client).read_node(node, _request_timeout=_ANSWER).metadata.uid
            ),
        )

    def slices(self, node: str, driver: str) -> list[dict[str, Any]]:
        """Return the ResourceSlices of a driver on a node."""
        found: dict[str, Any] = self._ask(
            "list ResourceSlices",
            lambda client: CustomObjectsApi(client).list_cluster_custom_object(
                _GROUP,
                _VERSION,
                _SLICES,
                field_selector=f"spec.nodeName={node},spec.driver={driver}",
                _request_timeout=_ANSWER,
            ),
        )
        return found.get("items") or []

    def create(self, body: dict[str, Any]) -> None:
        """Create a ResourceSlice."""
        self._ask(
            "create a ResourceSlice",
            lambda client: CustomObjectsApi(client).create_cluster_custom_object(
                _GROUP, _VERSION, _SLICES, body, _request_timeout=_ANSWER
            ),
        )

    def replace(self, body: dict[str, Any]) -> None:
        """Replace a ResourceSlice, unless somebody else has done so since it was listed."""
        name = body["metadata"]["name"]
        self._ask(
            f"replace ResourceSlice {name}",
            lambda client: CustomObjectsApi(client).replace_cluster_custom_object(
                _GROUP, _VERSION, _SLICES, name, body, _request_timeout=_ANSWER
            ),
        )

    def delete(self, name: str) -> None:
        """Delete a ResourceSlice."""
        self._ask(
            f"delete ResourceSlice {name}",
            lambda client: CustomObjectsApi(client).delete_cluster_custom_object(
                _GROUP, _VERSION, _SLICES, name, _request_timeout=_ANSWER
            ),
        )

    def _ask(self, what: str, call: Callable[[ApiClient], _T]) -> _T:
        server = "the API server"
        try:
            client = self._client or self._open()
            server = f"the API server {client.configuration.host}"
            answer = call(client)
        except ApiException as error:
            raise self._refused(what, server, error) from error
        except HTTPError as error:
            raise HostFault(
                f"cannot {what}: {server} does not answer: {_words(error)}",
                hint="trying again",
            ) from error
        except (ConfigException, OSError, yaml.YAMLError) as error:
            raise HostFault(
                f"cannot {what}: kubeconfig {self._kubeconfig} cannot be used: {_words(error)}",
                hint="name the right file with --kubeconfig",
            ) from error
        self._client = client
        return answer

    def _open(self) -> ApiClient:
        configuration = Configuration()
        configuration.retries = False  # the caller tries again
        load_kube_config(self._kubeconfig, client_configuration=configuration, persist_config=False)
        return ApiClient(configuration)

    def _refused(self, what: str, server: str, error: ApiException) -> HostFault:
        self._client = None
        if error.status == 0:  # TLS failed
            return HostFault(
                f"cannot {what}: no trust between this node and {server}: {_words(error.reason)}",
                hint=f"are the certificates of {self._kubeconfig} those of this cluster?",
            )
        hint = {
            401: f"are the credentials of {self._kubeconfig} still valid?",
            403: f"give the user of {self._kubeconfig} the right, or use the kubelet's kubeconfig",
            404: "serves the cluster resource.k8s.io/v1 (Kubernetes 1.34 or later)?",
        }
        return HostFault(
            f"cannot {what}: {server} answers {error.status} {error.reason}",
            hint=hint.get(error.status, "trying again"),
        )


def _words(error: object) -> str:
    return " ".join(str(error).split())
