"""ttrpc, containerd's small RPC protocol over Unix sockets, with threads and without asyncio.

`server.Server` and `client.Client` are the two ends, `errors` holds what they raise; see README.md.
This package imports nothing of containerd's messages and nothing of the rest of the project.
"""
