"""The plain forms of the calls that engines make. Generated: do not edit.

`script/generate` makes this file from click's commands; `adapters.oci.fast_args` reads it.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing takes time
if TYPE_CHECKING:
    from adapters.oci.fast_args import Grammar

GLOBAL_OPTIONS: Grammar = {
    "values": {
        "--config": "config",
        "--root": "root",
        "--log": "log",
        "--log-format": "log_format",
        "--log-level": "log_level",
        "--cgroup-manager": "cgroup_manager",
        "--rootless": "",
    },
    "flags": {"--debug": "debug", "--systemd-cgroup": ""},
    "choices": {
        "log_format": ["text", "json"],
        "log_level": ["trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"],
        "cgroup_manager": ["cgroupfs", "systemd", "disabled"],
    },
    "arguments": [],
    "required": 0,
    "mixed": False,
    "defaults": {
        "config": None,
        "root": None,
        "log": None,
        "log_format": "text",
        "log_level": "info",
        "debug": False,
        "cgroup_manager": None,
    },
}

COMMANDS: dict[str, Grammar] = {
    "create": {
        "values": {
            "--bundle": "bundle",
            "-b": "bundle",
            "--pid-file": "pid_file",
            "--console-socket": "console_socket",
            "--preserve-fds": "",
        },
        "flags": {"--no-new-keyring": "", "--no-pivot": ""},
        "choices": {},
        "arguments": ["container_id"],
        "required": 1,
        "mixed": True,
        "defaults": {"bundle": ".", "pid_file": None, "console_socket": None},
    },
    "delete": {
        "values": {},
        "flags": {"--force": "force", "-f": "force"},
        "choices": {},
        "arguments": ["container_id"],
        "required": 1,
        "mixed": True,
        "defaults": {"force": False},
    },
    "exec": {
        "values": {
            "--process": "process",
            "-p": "process",
            "--pid-file": "pid_file",
            "--console-socket": "console_socket",
            "--cwd": "",
            "--env": "",
            "-e": "",
            "--user": "",
            "-u": "",
            "--preserve-fds": "",
            "--cap": "",
            "-c": "",
            "--cgroup": "",
        },
        "flags": {
            "--detach": "detach",
            "-d": "detach",
            "--tty": "tty",
            "-t": "tty",
            "--no-new-privs": "",
        },
        "choices": {},
        "arguments": ["container_id"],
        "required": 1,
        "mixed": False,
        "defaults": {
            "words": (),
            "process": None,
            "pid_file": None,
            "console_socket": None,
            "detach": False,
            "tty": False,
        },
    },
    "kill": {
        "values": {},
        "flags": {"--all": "", "-a": ""},
        "choices": {},
        "arguments": ["container_id", "signal"],
        "required": 1,
        "mixed": True,
        "defaults": {"signal": "TERM"},
    },
    "list": {
        "values": {"--format": "form", "-f": "form"},
        "flags": {"--quiet": "quiet", "-q": "quiet"},
        "choices": {"form": ["table", "json"]},
        "arguments": [],
        "required": 0,
        "mixed": True,
        "defaults": {"form": "table", "quiet": False},
    },
    "pause": {
        "values": {},
        "flags": {},
        "choices": {},
        "arguments": ["container_id"],
        "required": 1,
        "mixed": True,
        "defaults": {},
    },
    "ps": {
        "values": {"--format": "form", "-f": "form"},
        "flags": {},
        "choices": {"form": ["table", "json"]},
        "arguments": ["container_id"],
        "required": 1,
        "mixed": True,
        "defaults": {"form": "table"},
    },
    "resume": {
        "values": {},
        "flags": {},
        "choices": {},
        "arguments": ["container_id"],
        "required": 1,
        "mixed": True,
        "defaults": {},
    },
    "start": {
        "values": {},
        "flags": {},
        "choices": {},
        "arguments": ["container_id"],
        "required": 1,
        "mixed": True,
        "defaults": {},
    },
    "state": {
        "values": {},
        "flags": {},
        "choices": {},
        "arguments": ["container_id"],
        "required": 1,
        "mixed": True,
        "defaults": {},
    },
}
