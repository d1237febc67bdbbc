"""What joins the domain to the world: processors, this host, command lines, containerd."""
