"""Linux itself: the C library, /proc, locks, files, sockets, new processes; no rule of ours."""
