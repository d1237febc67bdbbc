"""Shows a simulated board as the kernel does: sysfs and debugfs, by FUSE under a chosen root."""
