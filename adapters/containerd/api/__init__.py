"""Messages between containerd and a shim, generated from the .proto files beside.

`script/protoc` generates them. The full names (package and message) are containerd's own, because
an `Any` carries them; the names of the files, and which message is in which, are this project's.
"""
