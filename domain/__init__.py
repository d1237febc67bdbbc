"""The rules of firmware in containers, without I/O; imports only the standard library."""
