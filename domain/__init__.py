"""The life of firmware in a container, free of I/O: imports the standard library only."""
