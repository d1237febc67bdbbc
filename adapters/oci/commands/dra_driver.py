"""`dra-driver`: offers this node's processors to Kubernetes' scheduler, by their attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.oci.commands import CommandContext

if TYPE_CHECKING:
    import click


def run(
    context: CommandContext, registry: str, cdi_directory: str, kubeconfig: str, node: str | None
) -> None:
    """Offer this node's processors to Kubernetes, as devices.

    A service of the host, in the place of device-plugin, for Kubernetes 1.34 or later: pods claim
    a processor by name, core, memory and board (dynamic resource allocation). It needs the API
    server; the kubelet's own kubeconfig gives it the rights that it needs.
    """
    from adapters.kubernetes.node_options import NodeOptions
    from adapters.oci.host_service import run_service

    options = NodeOptions(
        registry, cdi=cdi_directory, kubeconfig=kubeconfig, node=node or _host_name()
    )
    run_service(
        "dra-driver",
        "dra",
        lambda: context.dra_driver(context.config, context.root, options),
        lambda driver: driver.run(),
    )


def _host_name() -> str:
    """Return the name that the kubelet gives to its node, unless it is told another."""
    import os

    return os.uname().nodename.lower()


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import command

    return command(
        "dra-driver",
        run,
        click.Option(
            ["--registry"],
            metavar="DIR",
            default="/var/lib/kubelet/plugins_registry",
            show_default=True,
            help="Where the kubelet looks for drivers.",
        ),
        click.Option(
            ["--cdi-directory"],
            metavar="DIR",
            default="/var/run/cdi",
            show_default=True,
            help="Where containerd looks for CDI files.",
        ),
        click.Option(
            ["--kubeconfig"],
            metavar="FILE",
            default="/etc/kubernetes/kubelet.conf",
            show_default=True,
            help="The API server, and the credentials for it.",
        ),
        click.Option(
            ["--node"],
            metavar="NAME",
            help="This node's name in the cluster; the host's name, if it is not given.",
        ),
    )
