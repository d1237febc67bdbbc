"""Input adapter: the shim by which containerd, and through it Docker and Kubernetes, ask."""
