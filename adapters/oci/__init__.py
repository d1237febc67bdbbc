"""The OCI runtime command line, and config.json."""
