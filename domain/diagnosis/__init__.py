"""What `doctor` tells of a host: pure checks over what was seen of it."""
