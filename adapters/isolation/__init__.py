"""What separates a supervisor from the host: namespaces, control groups, limits, hooks."""
