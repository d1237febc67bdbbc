"""Proves that a supervisor's main thread shows the container's files, and no other thread moves."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs CAP_SYS_ADMIN")

# Runs in a mount namespace whose mounts are shared, as systemd makes them: a mount below would
# appear in the namespace of the parent, too.
SCRIPT = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from adapters.linux import libc
from adapters.supervisor.front import Front
from adapters.supervisor.withdrawal import Withdrawal
rootfs, report = sys.argv[2:]
libc.mount("tmpfs", rootfs, "tmpfs", 0)
open(rootfs + "/firmware.elf", "w").close()
mounted = open("/proc/self/mountinfo").read()
child = os.fork()
if child == 0:
    front = Front(Withdrawal(rootfs))
    gave_up = []
    def work():
        front.withdrawal.prepare([])
        front.show_container(lambda: gave_up.append(1))
        pid = os.getpid()
        found = {
            "root": os.listdir(f"/proc/{pid}/root"),
            "cwd": os.listdir(f"/proc/{pid}/cwd"),
            "mounts": [line.split()[4] for line in open(f"/proc/{pid}/mountinfo")],
            "own": os.path.exists(report),
            "gave up": gave_up,
            "propagated": open(f"/proc/{os.getppid()}/mountinfo").read() != mounted,
        }
        with open(report, "w") as file:
            json.dump(found, file)
        return 7
    front.serve(work)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


def test_the_container_is_shown_and_the_other_thread_stays(tmp_path):
    (tmp_path / "rootfs").mkdir()
    report = tmp_path / "report"
    report.touch()
    words = ["unshare", "--mount", "--propagation", "shared", sys.executable, "-c", SCRIPT]
    subprocess.run([*words, os.getcwd(), tmp_path / "rootfs", report], check=True, timeout=30)
    assert json.loads(report.read_text()) == {
        "root": ["firmware.elf"],
        "cwd": ["firmware.elf"],
        "mounts": ["/"],
        "own": True,
        "gave up": [1],
        "propagated": False,
    }


REFUSED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from adapters.supervisor.front import Front
from adapters.supervisor.withdrawal import Withdrawal
front = Front(Withdrawal(sys.argv[2], proc=True))
def work():
    front.withdrawal.prepare([])
    gave_up = []
    try:
        front.show_container(lambda: gave_up.append(1))
    except OSError as error:
        print(error.strerror, gave_up, flush=True)
    return 0
front.serve(work)
"""


def test_a_refusal_is_told_and_the_rights_are_given_up_all_the_same(tmp_path):
    words = ["setpriv", "--bounding-set=-sys_admin", sys.executable, "-c", REFUSED]
    done = subprocess.run([*words, os.getcwd(), tmp_path], capture_output=True, timeout=30)
    assert done.stdout == b"Operation not permitted [1]\n", done


MADE = "import sys; sys.path.insert(0, sys.argv[1]); " + (
    "from adapters.supervisor.withdrawal import Withdrawal; Withdrawal(sys.argv[2], proc=True)"
)


@pytest.mark.parametrize(
    ("files", "then"), [([], []), (["firmware.elf"], ["firmware.elf", "proc"])]
)
def test_nothing_is_made_where_the_root_file_system_was_unmounted(tmp_path, files, then):
    for name in files:
        (tmp_path / name).touch()
    subprocess.run([sys.executable, "-c", MADE, os.getcwd(), tmp_path], check=True, timeout=30)
    assert sorted(os.listdir(tmp_path)) == then
