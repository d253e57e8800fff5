"""A cloud that rents out instances.

Asking is quick, and the answer is an instance or a refusal. An instance then starts, boots its
operating system and its kubelet, runs until someone ends it, and is gone a while later. A spot
instance can be taken back at any time, with two minutes of notice.

Mirrors: AWS EC2's RunInstances, TerminateInstances, instance states and spot interruption notices.
Departs: how much there is of a machine type is a number that does not change; an instance that has
started also boots. Spot interruptions come with a constant rate, each instance for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kubesim.facts import (
    InstanceInterruptionNoticed,
    InstanceLaunched,
    InstanceRefused,
    InstanceStarted,
    InstanceTerminated,
)
from kubesim.sim import Sim, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.world.cloud.instances import INSUFFICIENT_CAPACITY, Instance, InstanceSpec, Refusal

TERMINATED_BY_USER = "Client.UserInitiatedShutdown"
TERMINATED_BY_SPOT = "Server.SpotInstanceTermination"

Notify = Callable[[Instance], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudTimings:
    """How long the cloud takes.

    Attributes:
        start: From the request until the instance runs.
        boot: From running until its kubelet starts.
        stop: From the order to end until it is gone.
        spot_notice_ns: How long before it takes a spot instance back the cloud says so.
        spot_lifetime: How long a spot instance lives until the cloud wants it back.
    """

    start: Distribution
    boot: Distribution
    stop: Distribution
    spot_notice_ns: int
    spot_lifetime: Distribution


class Cloud:
    """A cloud.

    Args:
        sim: The run.
        timings: How long it takes.
        horizon_ns: The end of the run; what would happen after it is not planned.
        capacity: How many instances there are of a machine type (``m5.large``) or of its spot
            instances (``m5.large/spot``), where it is not without limit.
        booted: Told when an instance's kubelet starts.
        stopping: Told when an instance loses its power.
        gone: Told when the cloud has forgotten an instance.
    """

    def __init__(  # noqa: PLR0913  # whom it tells
        self,
        sim: Sim,
        *,
        timings: CloudTimings,
        horizon_ns: int,
        capacity: Mapping[str, int],
        booted: Notify,
        stopping: Notify,
        gone: Notify,
    ) -> None:
        self._sim = sim
        self._timings = timings
        self._horizon_ns = horizon_ns
        self._capacity = capacity
        self._booted, self._stopping, self._gone = booted, stopping, gone
        self._serial = 0
        self._in_use: dict[str, int] = {}
        self._noticed: list[Notify] = []
        self.instances: dict[str, Instance] = {}
        """Everything that ever was on the bill, by identity."""

    def on_interruption(self, notify: Notify) -> None:
        """Be told of every spot interruption notice."""
        self._noticed.append(notify)

    def adopt(self, spec: InstanceSpec) -> Instance:
        """An instance that runs already."""
        instance = self._new(spec)
        instance.running_ns = self._sim.now
        self._plan_interruption(instance)
        return instance

    def available(self, machine: str, *, spot: bool) -> int | None:
        """How many more there are of a kind; ``None`` for any number."""
        limit = self._capacity.get(_kind(machine, spot))
        return None if limit is None else max(limit - self._in_use.get(_kind(machine, spot), 0), 0)

    def launch(self, spec: InstanceSpec) -> Instance | Refusal:
        """Ask for an instance."""
        if self.available(spec.machine, spot=spec.spot) == 0:
            where = f" in the Availability Zone you requested ({spec.zone})" if spec.zone else ""
            message = f"We currently do not have sufficient {spec.machine} capacity{where}"
            self._sim.emit(
                InstanceRefused(
                    pool=spec.pool,
                    machine=spec.machine,
                    zone=spec.zone,
                    spot=spec.spot,
                    code=INSUFFICIENT_CAPACITY,
                )
            )
            return Refusal(code=INSUFFICIENT_CAPACITY, message=message)
        instance = self._new(spec)
        self._sim.emit(
            InstanceLaunched(
                instance=instance.id,
                node=spec.node,
                pool=spec.pool,
                machine=spec.machine,
                zone=spec.zone,
                spot=spec.spot,
                price_per_hour_nano_usd=spec.price_per_hour_nano_usd,
            )
        )
        self._sim.process(self._start(instance))
        return instance

    def terminate(self, instance_id: str, *, reason: str = TERMINATED_BY_USER) -> None:
        """End an instance; ending it twice changes nothing."""
        instance = self.instances[instance_id]
        if not instance.alive:
            return
        instance.ended_ns = self._sim.now
        self._stopping(instance)
        delay_ns = self._timings.stop.draw(self._sim.rng(f"cloud/{instance.id}/stop"))
        self._sim.call_in(delay_ns, self._forget, instance, reason)

    def _new(self, spec: InstanceSpec) -> Instance:
        self._serial += 1
        instance = Instance(id=f"i-{self._serial:017x}", spec=spec, launched_ns=self._sim.now)
        self.instances[instance.id] = instance
        kind = _kind(spec.machine, spec.spot)
        self._in_use[kind] = self._in_use.get(kind, 0) + 1
        return instance

    def _start(self, instance: Instance) -> SimProcess[None]:
        rng = self._sim.rng(f"cloud/{instance.id}/start")
        yield self._sim.timeout(self._timings.start.draw(rng))
        if not instance.alive:
            return
        instance.running_ns = self._sim.now
        self._sim.emit(InstanceStarted(instance=instance.id, node=instance.spec.node))
        self._plan_interruption(instance)
        yield self._sim.timeout(self._timings.boot.draw(rng))
        if instance.alive:
            self._booted(instance)

    def _plan_interruption(self, instance: Instance) -> None:
        if not instance.spec.spot:
            return
        lifetime_ns = self._timings.spot_lifetime.draw(
            self._sim.rng(f"cloud/{instance.id}/interruption")
        )
        if self._sim.now + lifetime_ns <= self._horizon_ns:
            self._sim.call_in(lifetime_ns, self.interrupt, instance.id)

    def interrupt(self, instance_id: str) -> None:
        """Take a spot instance back: first the notice, two minutes later the instance."""
        instance = self.instances[instance_id]
        if not instance.alive:
            return
        notice_ns = self._timings.spot_notice_ns
        self._sim.emit(
            InstanceInterruptionNoticed(
                instance=instance.id, node=instance.spec.node, ends_ns=self._sim.now + notice_ns
            )
        )
        for notify in self._noticed:
            notify(instance)
        self._sim.call_in(notice_ns, self._take_back, instance_id)

    def _take_back(self, instance_id: str) -> None:
        self.terminate(instance_id, reason=TERMINATED_BY_SPOT)

    def _forget(self, instance: Instance, reason: str) -> None:
        instance.gone = True
        self._in_use[_kind(instance.spec.machine, instance.spec.spot)] -= 1
        now_ns = self._sim.now
        self._sim.emit(
            InstanceTerminated(
                instance=instance.id,
                node=instance.spec.node,
                reason=reason,
                lifetime_ns=instance.billed_ns(now_ns),
                cost_nano_usd=instance.cost_nano_usd(now_ns),
            )
        )
        self._gone(instance)


def _kind(machine: str, spot: bool) -> str:
    return f"{machine}/spot" if spot else machine
