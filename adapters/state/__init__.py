"""What is remembered on disk: containers and their directories, and who holds which processor."""
