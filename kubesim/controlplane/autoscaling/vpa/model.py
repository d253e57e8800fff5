"""What a recommender remembers: of each container its peaks, of all containers alike a histogram.

Samples of containers with the same name, in pods with the same labels, in the same namespace are one
distribution. CPU goes into it sample by sample, memory as one peak a day and container: the peak so
far is in it already, and is taken out when there is a higher one. A container that was killed for
want of memory has needed more than it had: that is a peak as well, though it was never measured.

Mirrors: vertical-pod-autoscaler/pkg/recommender/model (aggregate_container_state.go, container.go,
aggregations_config.go).
"""

from __future__ import annotations

from copy import copy

from kubesim.api.vpav1 import HistogramCheckpoint, VerticalPodAutoscalerCheckpointStatus
from kubesim.controlplane.autoscaling.vpa.config import RecommenderConfig
from kubesim.controlplane.autoscaling.vpa.histogram import DecayingHistogram, exponential_buckets

MIN_SAMPLE_WEIGHT = 0.1
EPSILON = 0.001 * MIN_SAMPLE_WEIGHT
BUCKET_GROWTH = 1.05
CPU_BUCKETS = exponential_buckets(1000.0, 0.01, BUCKET_GROWTH)  # cores
MEMORY_BUCKETS = exponential_buckets(1e12, 1e7, BUCKET_GROWTH)  # bytes
MILLI = 1000
CHECKPOINT_VERSION = "v3"


class Aggregate:
    """What was used by all containers that are alike.

    Attributes:
        cpu: Cores.
        memory: Daily peaks, in bytes.
        first_ns: The first CPU sample; ``None`` before there is one.
        last_ns: The last one.
        samples: How many there were.
        created_ns: When it came to be.
    """

    def __init__(self, config: RecommenderConfig, *, created_ns: int = 0) -> None:
        self._config = config
        self.cpu = DecayingHistogram(
            CPU_BUCKETS, half_life_ns=config.cpu_half_life_ns, epsilon=EPSILON
        )
        self.memory = DecayingHistogram(
            MEMORY_BUCKETS, half_life_ns=config.memory_half_life_ns, epsilon=EPSILON
        )
        self.first_ns: int | None = None
        self.last_ns = 0
        self.samples = 0
        self.created_ns = created_ns

    def copy(self) -> Aggregate:
        """One like it that goes its own way."""
        other = copy(self)
        other.cpu, other.memory = self.cpu.copy(), self.memory.copy()
        return other

    def add_cpu(self, milli_cpu: int, at_ns: int) -> None:
        """One sample of CPU."""
        self.cpu.add(milli_cpu / MILLI, MIN_SAMPLE_WEIGHT, at_ns)
        self._sampled(at_ns, at_ns, 1)

    def add_cpu_many(self, milli_cpu: int, first_ns: int, *, step_ns: int, count: int) -> None:
        """Equal samples in equal distances."""
        if count > 0:
            self.cpu.add_many(
                milli_cpu / MILLI, MIN_SAMPLE_WEIGHT, first_ns, step_ns=step_ns, count=count
            )
            self._sampled(first_ns, first_ns + (count - 1) * step_ns, count)

    def merge(self, other: Aggregate) -> None:
        """Add all that another one has."""
        self.cpu.merge(other.cpu)
        self.memory.merge(other.memory)
        if other.first_ns is not None:
            if self.first_ns is None or other.first_ns < self.first_ns:
                self.first_ns = other.first_ns
            self.last_ns = max(self.last_ns, other.last_ns)
        self.samples += other.samples

    def expired(self, now_ns: int) -> bool:
        """Whether its last sample is too old to mean anything."""
        window_ns = self._config.memory_interval_ns * self._config.memory_interval_count
        return now_ns - (self.last_ns if self.samples else self.created_ns) >= window_ns

    def load(self, status: VerticalPodAutoscalerCheckpointStatus) -> None:
        """Take over what a checkpoint has kept."""
        if status.version != CHECKPOINT_VERSION:
            return
        for histogram, kept in (
            (self.cpu, status.cpu_histogram),
            (self.memory, status.memory_histogram),
        ):
            if kept is not None:
                _load(histogram, kept)
        self.first_ns = status.first_sample_start
        self.last_ns = status.last_sample_start or 0
        self.samples = status.total_samples_count or 0

    def _sampled(self, first_ns: int, last_ns: int, count: int) -> None:
        if self.first_ns is None or first_ns < self.first_ns:
            self.first_ns = first_ns
        self.last_ns = max(self.last_ns, last_ns)
        self.samples += count


class ContainerState:
    """One container of one pod.

    Args:
        config: The recommender's flags.

    Attributes:
        last_cpu_ns: When its last CPU sample was measured.
    """

    def __init__(self, config: RecommenderConfig) -> None:
        self._config = config
        self.last_cpu_ns = 0
        self._memory_peak = 0
        self._oom_peak = 0
        self._window_end_ns = 0
        self._last_memory_ns = 0

    def copy(self) -> ContainerState:
        """One like it that goes its own way."""
        return copy(self)

    def add_cpu(self, aggregate: Aggregate, milli_cpu: int, at_ns: int) -> bool:
        """A sample of CPU; whether it is news."""
        if at_ns <= self.last_cpu_ns:
            return False
        self.last_cpu_ns = at_ns
        aggregate.add_cpu(milli_cpu, at_ns)
        return True

    def add_memory(
        self, aggregate: Aggregate, memory_bytes: int, at_ns: int, *, oom: bool = False
    ) -> None:
        """A sample of memory, or what was needed by one that was killed for want of it."""
        if not oom and at_ns < self._last_memory_ns:
            return
        self._last_memory_ns = at_ns
        if not self._window_end_ns:
            self._window_end_ns = at_ns
        if at_ns < self._window_end_ns:
            before = max(self._memory_peak, self._oom_peak)
            if not before or memory_bytes <= before:
                return
            aggregate.memory.subtract(float(before), 1.0, self._window_end_ns)
        else:
            interval_ns = self._config.memory_interval_ns
            passed = (at_ns - self._window_end_ns) // interval_ns
            self._window_end_ns += (passed + 1) * interval_ns
            self._memory_peak = self._oom_peak = 0
        aggregate.memory.add(float(memory_bytes), 1.0, self._window_end_ns)
        if oom:
            self._oom_peak = memory_bytes
        else:
            self._memory_peak = memory_bytes

    def add_many(
        self,
        aggregate: Aggregate,
        *,
        milli_cpu: int,
        memory_bytes: int,
        first_ns: int,
        step_ns: int,
        count: int,
    ) -> None:
        """Equal samples of both in equal distances, as if each had been added by itself."""
        if count <= 0:
            return
        aggregate.add_cpu_many(milli_cpu, first_ns, step_ns=step_ns, count=count)
        last_ns = first_ns + (count - 1) * step_ns
        self.last_cpu_ns = max(self.last_cpu_ns, last_ns)
        # Of equal samples of memory only those that begin a new day make a difference.
        at_ns = first_ns
        while at_ns <= last_ns:
            self.add_memory(aggregate, memory_bytes, at_ns)
            next_ns = max(self._window_end_ns, at_ns + step_ns)
            at_ns += -(-(next_ns - at_ns) // step_ns) * step_ns
        self._last_memory_ns = max(self._last_memory_ns, last_ns)

    def record_oom(self, aggregate: Aggregate, requested_bytes: int, at_ns: int) -> None:
        """It was killed for want of memory; it had ``requested_bytes``."""
        interval_ns = self._config.memory_interval_ns
        if self._last_memory_ns and at_ns < self._last_memory_ns - interval_ns:
            return
        used = max(requested_bytes, self._memory_peak)
        config = self._config
        needed = max(
            used + int(config.oom_min_bump_up_bytes), int(used * config.oom_bump_up_ratio)
        )
        self.add_memory(aggregate, needed, at_ns, oom=True)


def _load(histogram: DecayingHistogram, kept: HistogramCheckpoint) -> None:
    weights = {int(index): weight for index, weight in kept.bucket_weights.items()}
    histogram.load(
        weights,
        total=kept.total_weight or 0.0,
        reference_ns=kept.reference_timestamp or 0,
    )
