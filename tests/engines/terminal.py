"""Types into a command on a terminal of its own; the dialogue is JSON: [[wait for, type], ...].

Prints what the command wrote; exits as it did.
"""

from __future__ import annotations

import json
import os
import pty
import select
import sys
import time


def converse(argv: list[str], dialogue: list[list[str]], seconds: float = 20) -> int:
    """Wait for each text, then type the answer; return the command's exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(argv[0], argv)
    seen, at, end = "", 0, time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:
                break
            if not data:
                break
            seen += data.decode(errors="replace")
        while dialogue and (found := seen.find(dialogue[0][0], at)) >= 0:
            wanted, typed = dialogue.pop(0)
            at = found + len(wanted)
            os.write(terminal, typed.encode())
    sys.stdout.write(seen)
    sys.stdout.flush()
    if dialogue:
        os.kill(pid, 9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(converse(sys.argv[2:], json.loads(sys.argv[1])))
