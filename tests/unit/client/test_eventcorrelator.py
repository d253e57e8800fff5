"""Events that are too many."""

from kubesim.controlplane.client.eventcorrelator import BURST, COMBINED, EventCorrelator, Subject

WEB = Subject("StatefulSet", "default", "web", "uid-1")


def test_what_goes_well_is_still_said_after_many_warnings() -> None:
    """25 Events of one type about an object use up that type, not the other."""
    correlator = EventCorrelator()
    for _ in range(BURST):
        assert correlator.correlate(WEB, "Warning", "FailedCreate", "no room", now_ns=0)

    assert correlator.correlate(WEB, "Warning", "FailedCreate", "no room", now_ns=0) is None
    assert "made" == correlator.correlate(WEB, "Normal", "SuccessfulCreate", "made", now_ns=0)


def test_the_tenth_of_a_kind_is_combined() -> None:
    """Ten different messages for one reason become one Event."""
    correlator = EventCorrelator()
    said = [correlator.correlate(WEB, "Normal", "Made", f"pod {n}", now_ns=0) for n in range(10)]

    assert [f"pod {n}" for n in range(9)] == said[:9]
    assert f"{COMBINED}pod 9" == said[9]
