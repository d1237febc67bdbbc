"""Container images written by hand, as archives that engines load: no registry, no build.

An Image says what a Dockerfile would: FROM scratch, ADD (files), ENTRYPOINT, CMD, LABEL, ENV,
STOPSIGNAL. `write_oci` makes an OCI image layout (image-spec, image-layout.md) for `ctr images
import` and `podman load`; `write_docker` the older format for `docker load`, which every version
reads, but which knows no annotations.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import subprocess
import tarfile
from collections.abc import Mapping
from typing import Any, NamedTuple

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


class Image(NamedTuple):
    """An image with one layer. `name` is a full reference, such as `localhost/blink:1`."""

    name: str
    files: Mapping[str, bytes | str]  # a text is what a symbolic link says
    entrypoint: list[str]
    cmd: list[str] | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None  # of the manifest
    env: list[str] | None = None
    stop_signal: str = ""
    architecture: str = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "amd64")


def firmware_image(name: str, elf: str, **fields: Any) -> Image:
    """FROM scratch; ADD elf /; ENTRYPOINT ["the elf's file name"]."""
    with open(elf, "rb") as file:
        base = os.path.basename(elf)
        return Image(name, {base: file.read()}, [base], **fields)


def probe_image(name: str, folder: str) -> Image:
    """The ordinary workload of probe.c, compiled into `folder`."""
    source, program = os.path.join(os.path.dirname(__file__), "probe.c"), f"{folder}/probe"
    if not os.path.exists(program):
        subprocess.run(["gcc", "-static", "-Os", "-s", "-o", program, source], check=True)
    with open(program, "rb") as file:
        return Image(name, {"probe": file.read()}, ["/probe"], stop_signal="SIGTERM")


def write_oci(image: Image, archive: str) -> str:
    """Write the image as an OCI layout; returns the path, in which podman allows no colon."""
    layer, config = _layer(image), _config(image)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(CONFIG, config),
        "layers": [_descriptor(LAYER, layer)],
        "annotations": image.annotations or {},
    }
    names = {
        "io.containerd.image.name": image.name,
        # Podman takes the whole reference from here.
        "org.opencontainers.image.ref.name": image.name,
    }
    body = json.dumps(manifest).encode()
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [{**_descriptor(MANIFEST, body), "annotations": names}],
    }
    files = {f"blobs/sha256/{_digest(blob)}": blob for blob in (layer, config, body)}
    files["index.json"] = json.dumps(index).encode()
    files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    _write_tar(archive, files)
    return archive


def write_docker(image: Image, archive: str) -> str:
    """Write the image in docker's own format; returns the path."""
    layer, config = _layer(image), _config(image)
    folder = _digest(layer)
    manifest = [
        {
            "Config": f"{_digest(config)}.json",
            "RepoTags": [image.name],
            "Layers": [f"{folder}/layer.tar"],
        }
    ]
    files = {
        f"{_digest(config)}.json": config,
        f"{folder}/layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    _write_tar(archive, files)
    return archive


def _layer(image: Image) -> bytes:
    buffer = io.BytesIO()
    _write_tar(buffer, image.files)
    return buffer.getvalue()


def _config(image: Image) -> bytes:
    run = {
        "Entrypoint": image.entrypoint,
        "Cmd": image.cmd,
        "Env": image.env,
        "Labels": image.labels,
        "StopSignal": image.stop_signal,
        "WorkingDir": "/",
    }
    config = {
        "architecture": image.architecture,
        "os": "linux",
        "created": "2024-01-01T00:00:00Z",
        "config": {key: value for key, value in run.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(_layer(image))}"]},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "ADD"}],
    }
    return json.dumps(config).encode()


def _write_tar(target: str | io.BytesIO, files: Mapping[str, bytes | str]) -> None:
    with tarfile.open(
        target if isinstance(target, str) else None,
        "w",
        fileobj=None if isinstance(target, str) else target,
    ) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.mode = 0o755
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


def _digest(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{_digest(blob)}", "size": len(blob)}
