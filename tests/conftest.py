"""What all tests share: engines' second chance, and the counts of what ran where."""

from __future__ import annotations

import pytest

# They start dozens of other people's programs in emulators and private roots, and share two cores
# with each other. A second failure counts, and the summary tells each that was run again.
OTHER_PEOPLES = ("tests/engines/", "tests/board/", "tests/unit/sysfs/test_guests.py")

# What script/check runs, but for slow tests.
QUICK = ("tests/architecture/", "tests/contract/", "tests/unit/")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.nodeid.startswith(QUICK) and not item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.quick)
        if item.nodeid.startswith(OTHER_PEOPLES):
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter):
    passed = terminalreporter.stats.get("passed", [])
    here = [report for report in passed if report.nodeid.startswith("features/test_features.py")]
    lines = [f"{len(here)} scenarios on sim"] if here else []
    for report in passed:
        lines += [text for name, text in report.user_properties if name == "scenarios"]
    backends = [
        text for report in passed for name, text in report.user_properties if name == "backend"
    ]
    lines += [
        f"{backends.count(name)} contract tests on {name}" for name in dict.fromkeys(backends)
    ]
    for line in lines:
        terminalreporter.write_line(line)
