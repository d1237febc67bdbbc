"""What joins the domain to the world: processors, this host, command lines, containerd."""

__version__ = "0.1.0"  # the only place; pyproject.toml reads it from here
