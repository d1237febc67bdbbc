"""Messages between containerd and a shim, generated from the .proto files beside.

`script/protoc` generates them. Full names (package and message) are containerd's own, because
an `Any` carries them; file names and the split into files are ours.
"""
