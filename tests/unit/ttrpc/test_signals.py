"""A signal ends a server in the main thread, even if the kernel gave it to another thread."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import signal, socket, sys, threading, time
from adapters.containerd.ttrpc.server import Server

server = Server()
if sys.argv[2] == "woken":
    signal.set_wakeup_fd(server.wakeup_fd, warn_on_full_buffer=False)
signal.signal(signal.SIGTERM, lambda *_: server.shutdown(0))
other = threading.Thread(target=time.sleep, args=(60,), daemon=True)
other.start()

def strike():
    time.sleep(0.3)  # until the main thread waits in poll
    signal.pthread_kill(other.ident, signal.SIGTERM)

threading.Thread(target=strike, daemon=True).start()
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
server.serve(listener)
print("ended")
"""


def serve(path, how, seconds):
    program = [sys.executable, "-c", PROGRAM, str(path), how]
    done = subprocess.run(
        program, capture_output=True, timeout=seconds, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    return done.stdout


def test_the_loop_wakes_for_a_signal_that_another_thread_got(tmp_path):
    assert serve(tmp_path / "s", "woken", 10) == b"ended\n"
