"""Messages between the kubelet and its plugins, generated from the .proto files beside.

`script/protoc` generates them. The package of each file is Kubernetes' own, because the names of
the services contain it; the names of the files are this project's.
"""
