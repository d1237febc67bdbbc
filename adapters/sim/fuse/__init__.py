"""The simulated board as the kernel shows one: sysfs and debugfs, by FUSE under a chosen root."""
