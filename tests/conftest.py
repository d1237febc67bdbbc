"""What all tests share: engines' second chance, and the counts of what ran where."""

from __future__ import annotations

import os

import pytest

# Else gRPC starts threads again in each child that a test forks, and such a child may not unshare.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

# The guests of tests/board name their plugins: they have no tests of properties, and would import
# hypothesis in 20 seconds.
if "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ:
    from hypothesis import HealthCheck, settings

    # No such test proves how fast the machine is, and all make what they need anew.
    checks = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)
    settings.register_profile("patient", deadline=None, suppress_health_check=checks)
    settings.load_profile("patient")

# They start dozens of other people's programs in emulators and private roots, and share two cores
# with each other. A second failure counts, and the summary tells each that was run again.
OTHER_PEOPLES = ("tests/engines/", "tests/board/", "tests/unit/sysfs/test_guests.py")

# What script/check runs, but for slow tests.
QUICK = ("tests/architecture/", "tests/contract/", "tests/fuzz/", "tests/unit/")


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
    counts = [n for report in passed for name, n in report.user_properties if name == "fuzzed"]
    lines += [f"{sum(counts)} inputs on {len(counts)} fuzz targets"] if counts else []
    lines += [
        f"{backends.count(name)} contract tests on {name}" for name in dict.fromkeys(backends)
    ]
    rows = [each for report in passed for name, each in report.user_properties if name == "faults"]
    if rows:
        operations, calls, tries = (
            len({row[0] for row in rows}),
            *(sum(row[place] for row in rows) for place in (1, 2)),
        )
        lines.append(
            f"fault table: {operations} operations x {calls} calls x 8 errors: {tries} tries, "
            "violations 0"
        )
    for line in lines:
        terminalreporter.write_line(line)
