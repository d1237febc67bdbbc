"""Somebody at a terminal: runs a command on one, types what it is told, prints what it saw.

    python pty_input.py '[["EXPECTED", "TYPED"], ...]' COMMAND...

Reaper as the command does, or with 124 if something expected does not come within 20 s.
"""

from __future__ import annotations

import json
import os
import pty
import select
import sys
import time


def main() -> int:
    script, *command = json.loads(sys.argv[1]), *sys.argv[2:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    seen, at = b"", 0
    end = time.monotonic() + 20
    while True:
        if script and script[0][0].encode() in seen[at:]:
            at = len(seen)
            for key in script.pop(0)[1].encode():
                os.write(terminal, bytes([key]))
                time.sleep(0.05)  # podman knows its detach keys one by one only
            end = time.monotonic() + 20
        if not select.select([terminal], [], [], 0.1)[0]:
            if time.monotonic() > end:
                os.kill(pid, 9)
                print(seen.decode(errors="replace"), "-- waited in vain for", script, flush=True)
                return 124
            continue
        try:
            data = os.read(terminal, 4096)
        except OSError:
            data = b""
        if not data:
            break
        seen += data
    print(seen.decode(errors="replace"), flush=True)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
