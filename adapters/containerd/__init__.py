"""The input adapter for containerd: the shim, its protocol and its messages."""
