"""Simulated boards: each processor is a QEMU process, each board a YAML file."""
