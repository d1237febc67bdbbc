"""Runs a command on a terminal of its own, types at that, and prints what the command wrote.

    python pty_input.py '[["EXPECTED", "INPUT"], ...]' COMMAND...

Types each INPUT after its EXPECTED text. Exits with the command's status, or with 124 if an
expected text does not come within 20 s.
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
    seen, at = b"", 0  # all output; where the part begins in which the next text is expected
    end = time.monotonic() + 20
    while True:
        if script and script[0][0].encode() in seen[at:]:
            at = len(seen)
            for key in script.pop(0)[1].encode():
                os.write(terminal, bytes([key]))
                time.sleep(0.05)  # podman recognises its detach keys only one by one
            end = time.monotonic() + 20
        if not select.select([terminal], [], [], 0.1)[0]:
            if time.monotonic() > end:
                os.kill(pid, 9)
                print(seen.decode(errors="replace"), "-- these did not come:", script, flush=True)
                return 124
            continue
        try:
            data = os.read(terminal, 4096)
        except OSError:
            data = b""
        if not data:
            break
        seen += data
    sys.stdout.write(seen.decode(errors="replace"))
    sys.stdout.flush()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
