"""`device-plugin`: offers this node's processors to Kubernetes' scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.oci.commands import CommandContext

if TYPE_CHECKING:
    import click


def run(context: CommandContext, kubelet_directory: str) -> None:
    """Offer this node's processors to Kubernetes, as resources.

    A service of the host, to be started before the kubelet or k3s, as root. Pods request
    remoteproc/NAME, unless the configuration's `kubernetes` says otherwise. The container that the
    kubelet gives a processor to runs its firmware there, without any annotation.
    """
    from adapters.kubernetes.node_options import NodeOptions
    from adapters.oci.host_service import run_service

    options = NodeOptions(kubelet_directory)
    run_service(
        "device-plugin",
        "kubernetes",
        lambda: context.node_plugin(context.config, context.root, options),
        lambda plugin: plugin.run(),
    )


def command() -> click.Command:
    """Return the grammar."""
    import click

    from adapters.oci.options import command

    return command(
        "device-plugin",
        run,
        click.Option(
            ["--kubelet-directory"],
            metavar="DIR",
            default="/var/lib/kubelet/device-plugins",
            show_default=True,
            help="Where the kubelet looks for plugins.",
        ),
    )
