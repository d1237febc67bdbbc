"""What Prometheus is shown of the processors, in its terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.errors import RemoteprocError
from domain.processor_rows import ProcessorRow
from domain.run_counts import Counts, RunCounts

_OF = ["processor", "device"]


class ProcessorCollector(Collector):
    """Looks at the processors whenever Prometheus asks; `counts` are kept by somebody else."""

    def __init__(self, rows: Callable[[], Sequence[ProcessorRow]], counts: RunCounts) -> None:
        self._rows = rows
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; only `remoteproc_up` where the processors cannot be looked at."""
        up = GaugeMetricFamily("remoteproc_up", "Whether the processors can be looked at.")
        try:
            rows = self._rows()
        except RemoteprocError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _now(rows)
        yield from _counted([(row, self._counts.by_device.get(row.info.device)) for row in rows])


def _now(rows: Sequence[ProcessorRow]) -> Iterator[Metric]:
    state = GaugeMetricFamily(
        "remoteproc_processor_state",
        "1 for the state in which the processor is.",
        labels=[*_OF, "state"],
    )
    owner = GaugeMetricFamily(
        "remoteproc_processor_owner",
        "1 for the container that has the processor; name is namespace/pod/container.",
        labels=[*_OF, "container", "name"],
    )
    for row in rows:
        names = [row.info.name, row.info.device]
        state.add_metric([*names, row.info.state], 1)
        if row.owner is not None and not row.left:
            owner.add_metric([*names, row.owner.id, row.owner.name], 1)
    yield from (state, owner)


def _counted(rows: Sequence[tuple[ProcessorRow, Counts | None]]) -> Iterator[Metric]:
    starts = CounterMetricFamily(
        "remoteproc_starts", "Starts of firmware since this program began to look.", labels=_OF
    )
    ends = CounterMetricFamily(
        "remoteproc_ends", "Ends of firmware that were no crash.", labels=_OF
    )
    crashes = CounterMetricFamily(
        "remoteproc_crashes", "Crashes of firmware, by kind.", labels=[*_OF, "kind"]
    )
    refused = CounterMetricFamily(
        "remoteproc_refused_starts",
        "Starts that were refused, and creations for one, by kind.",
        labels=[*_OF, "kind"],
    )
    last = GaugeMetricFamily(
        "remoteproc_last_start_timestamp_seconds", "When firmware was started last.", labels=_OF
    )
    for row, known in rows:
        counts = known or Counts()
        names = [row.info.name, row.info.device]
        starts.add_metric(names, counts.starts)
        ends.add_metric(names, counts.ends)
        for kind, number in counts.crashes.items():
            crashes.add_metric([*names, kind], number)
        for kind, number in counts.refused.items():
            refused.add_metric([*names, kind], number)
        if counts.last_start is not None:
            last.add_metric(names, counts.last_start)
    yield from (starts, ends, crashes, refused, last)
