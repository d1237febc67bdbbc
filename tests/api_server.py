"""Stands in for Kubernetes' API server: resource.k8s.io/v1 and nodes, over HTTPS with a token.

It keeps what is created, and refuses what a real one refuses: a wrong token, an object that exists,
a replacement of what has been replaced since, and a slice that is not as Kubernetes wants it.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_SLICES = "/apis/resource.k8s.io/v1/resourceslices"
_CLAIM = re.compile(r"/apis/resource\.k8s\.io/v1/namespaces/([^/]+)/resourceclaims/([^/]+)")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_CANONICAL = re.compile(r"[1-9]\d*(Ki|Mi|Gi)")


class ApiServer:
    """A cluster with one node; `slices` by name, `claims` by (namespace, name) are its objects."""

    def __init__(self, place, node="board-1"):
        self.place = place
        self.node = node
        self.token = "secret"
        self.slices: dict[str, dict] = {}
        self.claims: dict[tuple[str, str], dict] = {}
        self.writes: list[str] = []  # verbs that changed slices
        self._lock = threading.Lock()
        self._version = 0
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        make_certificate(f"{place}/server")
        make_certificate(f"{place}/stranger")

    def start(self):
        """Serve; after a stop at the same port again."""
        handler = type("Handler", (_Handler,), {"api": self})
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{self.place}/server.crt", f"{self.place}/server.key")
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._port = self._server.server_port
        # The handshake is made in the thread of a connection: a client may refuse it.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def kubeconfig(self, path, token="secret", authority="server"):
        """Write the file that a client needs; `authority` is whom it trusts."""
        server = f"https://127.0.0.1:{self._port}"
        trusted = f"{self.place}/{authority}.crt"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "c", "cluster": {"server": server, "certificate-authority": trusted}}
            ],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        with open(path, "w") as file:
            yaml.safe_dump(content, file)

    def allocate(self, name, *results, uid=""):
        """Make a claim with what a scheduler has allocated: (request, device) or with a driver."""
        found = [
            {"request": r, "driver": driver[0] if driver else "remoteproc", "pool": self.node,
             "device": device}
            for r, device, *driver in results
        ]  # fmt: skip
        metadata = {"name": name, "namespace": "default", "uid": uid or f"uid-{name}"}
        self.claims["default", name] = {
            "metadata": metadata,
            "status": {"allocation": {"devices": {"results": found}}},
        }

    def devices(self):
        """Return the devices of the node's slices by name: their attributes and capacity."""
        with self._lock:
            return {
                device["name"]: (
                    {key: value["string"] for key, value in device["attributes"].items()},
                    {key: value["value"] for key, value in device.get("capacity", {}).items()},
                )
                for each in self.slices.values()
                for device in each["spec"]["devices"]
            }

    def wipe(self):
        """Remove all slices of the node, as its kubelet does."""
        with self._lock:
            self.slices.clear()

    def answer(self, verb, target, body):
        """Return status and object for a request."""
        url = urlsplit(target)
        with self._lock:
            if url.path == f"/api/v1/nodes/{self.node}" and verb == "GET":
                metadata = {"name": self.node, "uid": "uid-node"}
                return 200, {"apiVersion": "v1", "kind": "Node", "metadata": metadata}
            if verb == "GET" and (match := _CLAIM.fullmatch(url.path)):
                found = self.claims.get((match[1], match[2]))
                return (200, found) if found else (404, {})
            if url.path == _SLICES or url.path.startswith(f"{_SLICES}/"):
                return self._slices(verb, url.path[len(_SLICES) + 1 :], parse_qs(url.query), body)
        return 404, {}

    def _slices(self, verb, name, query, body):
        if verb == "GET" and not name:
            assert query["fieldSelector"] == [f"spec.nodeName={self.node},spec.driver=remoteproc"]
            return 200, {"items": list(self.slices.values())}
        if verb == "DELETE":
            self.writes.append(verb)
            return (200, {}) if self.slices.pop(name, None) else (404, {})
        metadata, spec = body["metadata"], body["spec"]
        known = self.slices.get(name or metadata["name"])
        if verb == "POST":
            if known:
                return 409, {}
        elif known is None:
            return 404, {}
        elif metadata["resourceVersion"] != known["metadata"]["resourceVersion"]:
            return 409, {}
        elif spec["pool"]["generation"] <= known["spec"]["pool"]["generation"]:
            return 422, {}
        if not _valid(spec, self.node) or metadata["ownerReferences"][0]["uid"] != "uid-node":
            return 422, {}
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        self.slices[metadata["name"]] = body
        self.writes.append(verb)
        return 201, body


def _valid(spec, node):
    """What Kubernetes checks; a quantity that is not canonical would be written in another way."""
    devices = spec["devices"]
    names = [device["name"] for device in devices]
    values = [v["string"] for d in devices for v in d["attributes"].values()]
    sizes = [v["value"] for d in devices for v in d.get("capacity", {}).values()]
    return (
        (spec["nodeName"], spec["pool"]["name"], spec["pool"]["resourceSliceCount"])
        == (node, node, 1)
        and len(set(names)) == len(names) <= 128
        and all(map(_LABEL.fullmatch, names))
        and all(0 < len(value) <= 64 for value in values)
        and all(map(_CANONICAL.fullmatch, sizes))
    )


class _Handler(BaseHTTPRequestHandler):
    api: ApiServer
    timeout = 30

    def _serve(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size)) if size else None
        if self.headers.get("Authorization") == f"Bearer {self.api.token}":
            status, found = self.api.answer(self.command, self.path, body)
        else:
            status, found = 401, {}
        data = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass  # the client has refused the certificate

    def log_message(self, *_):
        pass


def make_certificate(path):
    """Write PATH.crt and PATH.key: a certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    with open(f"{path}.crt", "wb") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    with open(f"{path}.key", "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
