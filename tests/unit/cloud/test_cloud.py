"""The cloud: instances, refusals, interruptions and the bill."""

from kubesim.facts import InstanceInterruptionNoticed, InstanceTerminated
from kubesim.sim import Sim
from kubesim.sim.distribution import Constant
from kubesim.sim.time import HOUR, MINUTE, SECOND
from kubesim.world.cloud import Cloud, CloudTimings, Instance, InstanceSpec, Refusal, billed_ns


class Setting:
    """A cloud with round numbers, and what it told."""

    def __init__(self, capacity: dict[str, int] | None = None, lifetime_ns: int = HOUR) -> None:
        self.sim = Sim(seed=1)
        self.told: list[tuple[int, str, str]] = []
        timings = CloudTimings(
            start=Constant(10 * SECOND),
            boot=Constant(20 * SECOND),
            stop=Constant(5 * SECOND),
            spot_notice_ns=2 * MINUTE,
            spot_lifetime=Constant(lifetime_ns),
        )

        def tell(what: str):  # type: ignore[no-untyped-def]
            return lambda i: self.told.append((self.sim.now // SECOND, what, i.spec.node))

        self.cloud = Cloud(
            self.sim,
            timings=timings,
            horizon_ns=10 * HOUR,
            capacity=capacity or {},
            booted=tell("booted"),
            stopping=tell("stopping"),
            gone=tell("gone"),
        )

    def launch(self, node: str, *, spot: bool = False) -> Instance | Refusal:
        """Ask for an m5.large at a dollar an hour."""
        return self.cloud.launch(
            InstanceSpec(
                node=node,
                pool="p",
                machine="m5.large",
                spot=spot,
                price_per_hour_nano_usd=1_000_000_000,
            )
        )


def test_an_instance_boots_and_goes() -> None:
    """It starts, boots, is ended, loses its power at once and is forgotten later."""
    setting = Setting()
    instance = setting.launch("n")
    assert isinstance(instance, Instance)
    setting.sim.run_until(100 * SECOND)
    setting.cloud.terminate(instance.id)
    setting.cloud.terminate(instance.id)
    setting.sim.run_until(200 * SECOND)
    assert [(30, "booted", "n"), (100, "stopping", "n"), (105, "gone", "n")] == setting.told


def test_an_instance_that_is_ended_early_never_boots() -> None:
    """Ended before it runs, it costs nothing but the minimum of nothing."""
    setting = Setting()
    instance = setting.launch("n")
    assert isinstance(instance, Instance)
    setting.sim.run_until(5 * SECOND)
    setting.cloud.terminate(instance.id)
    setting.sim.run_until(100 * SECOND)
    assert [(5, "stopping", "n"), (10, "gone", "n")] == setting.told
    assert 0 == instance.cost_nano_usd(setting.sim.now)


def test_capacity_is_limited_by_kind() -> None:
    """A machine type that is sold out is refused, on-demand and spot apart; one given back counts."""
    setting = Setting({"m5.large": 1})
    first = setting.launch("a")
    assert isinstance(first, Instance)
    refusal = setting.launch("b")
    assert isinstance(refusal, Refusal)
    assert "InsufficientInstanceCapacity" == refusal.code
    assert isinstance(setting.launch("c", spot=True), Instance)
    setting.cloud.terminate(first.id)
    setting.sim.run_until(10 * SECOND)
    assert isinstance(setting.launch("d"), Instance)


def test_a_spot_instance_is_warned_two_minutes_before() -> None:
    """The notice says when; then the instance is ended for the cloud's own reason."""
    setting = Setting(lifetime_ns=HOUR)
    setting.launch("n", spot=True)
    setting.sim.run_until(2 * HOUR)
    at_ns, notice = next(iter(setting.sim.journal.of(InstanceInterruptionNoticed)))
    assert 10 * SECOND + HOUR == at_ns
    assert at_ns + 2 * MINUTE == notice.ends_ns
    ended_ns, ended = next(iter(setting.sim.journal.of(InstanceTerminated)))
    assert (notice.ends_ns + 5 * SECOND, "Server.SpotInstanceTermination") == (
        ended_ns,
        ended.reason,
    )


def test_an_on_demand_instance_is_never_taken_back() -> None:
    """Only spot instances are interrupted."""
    setting = Setting(lifetime_ns=MINUTE)
    setting.launch("n")
    setting.sim.run_until(HOUR)
    assert [] == list(setting.sim.journal.of(InstanceInterruptionNoticed))


def test_the_bill_is_by_the_second_with_a_minute_at_least() -> None:
    """Nothing before it runs; whole seconds; a minute at least once it has ended."""
    assert 0 == billed_ns(None, 5 * SECOND, 9 * SECOND)
    assert 30 * SECOND == billed_ns(10 * SECOND, None, 40 * SECOND)
    assert MINUTE == billed_ns(10 * SECOND, 40 * SECOND, HOUR)
    assert 91 * SECOND == billed_ns(10 * SECOND, 100 * SECOND + 1, HOUR)
