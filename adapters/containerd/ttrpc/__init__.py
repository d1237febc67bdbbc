"""ttrpc, containerd's light RPC over Unix sockets, with threads and without asyncio.

`server.Server` and `client.Client` are the two ends, `errors` what they raise; see README.md.
Nothing here knows of containerd or of the rest of the project.
"""
