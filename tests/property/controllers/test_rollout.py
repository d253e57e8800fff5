"""The arithmetic of a rollout, whatever the numbers."""

from harness import deployment
from hypothesis import given
from hypothesis import strategies as st

from kubesim.api.appsv1 import Deployment, ReplicaSet, ReplicaSetStatus
from kubesim.controlplane.controllers import rollout
from kubesim.controlplane.controllers.deployment import new_replica_set

amounts = st.one_of(st.integers(0, 12), st.integers(0, 100).map(lambda n: f"{n}%"))


class Band:
    """A Deployment in the middle of a rollout, moved by hand."""

    def __init__(self, total: int, surge: int | str, unavailable: int | str) -> None:
        self.deployment: Deployment = deployment(
            replicas=total,
            strategy={
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
            },
        )
        surge_pods, missing = rollout.fenceposts(self.deployment)
        self.most = total + surge_pods
        self.least = max(0, total - missing)
        self.old = self._sized("old", total, total)
        self.new = self._sized("new", 0, 0)

    def _sized(self, name: str, replicas: int, available: int) -> ReplicaSet:
        made = new_replica_set(self.deployment, revision=1)
        return made.replace(
            metadata=made.metadata.replace(name=name, creation_timestamp=len(name)),
            spec=made.spec.replace(replicas=replicas),
            status=ReplicaSetStatus(replicas=replicas, available_replicas=available),
        )

    def step(self) -> None:
        """What one sync does."""
        wanted = rollout.new_replicas(self.deployment, self.new, [self.old, self.new])
        if wanted != rollout.replicas(self.new):
            self.new = self._sized("new", wanted, rollout.available(self.new))
            return
        for _, size in rollout.old_replicas(self.deployment, self.new, [self.old]):
            self.old = self._sized("old", size, min(size, rollout.available(self.old)))

    def become_ready(self, count: int) -> None:
        """Some of the new pods become available."""
        size = rollout.replicas(self.new)
        self.new = self._sized("new", size, min(size, rollout.available(self.new) + count))


@given(
    total=st.integers(0, 40),
    surge=amounts,
    unavailable=amounts,
    readiness=st.lists(st.integers(0, 5), max_size=60),
)
def test_every_step_stays_in_the_band_and_the_last_one_arrives(
    total: int, surge: int | str, unavailable: int | str, readiness: list[int]
) -> None:
    """However slowly pods become ready, sizes stay inside; when all are, the rollout ends."""
    band = Band(total, surge, unavailable)
    for ready in [*readiness, *[1] * (3 * total + 3)]:
        band.step()
        band.become_ready(ready)
        sizes = rollout.replicas(band.old) + rollout.replicas(band.new)
        usable = rollout.available(band.old) + rollout.available(band.new)
        assert sizes <= band.most
        assert usable >= band.least

    assert (0, total) == (rollout.replicas(band.old), rollout.replicas(band.new))


@given(total=st.integers(0, 100), surge=amounts, unavailable=amounts)
def test_a_rollout_can_always_move(total: int, surge: int | str, unavailable: int | str) -> None:
    """Surge and unavailable are never both nothing."""
    band = Band(total, surge, unavailable)

    assert (0, 0) != rollout.fenceposts(band.deployment)
    assert 0 <= rollout.max_unavailable(band.deployment) <= total
