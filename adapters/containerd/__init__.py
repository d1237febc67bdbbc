"""Input adapter: the shim that containerd, and through it Docker and Kubernetes, calls."""
