"""The network of a scenario: where things are, and what is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubesim.errors import InputError
from kubesim.facts import ImagePulled
from kubesim.scenario import Scenario
from kubesim.scenario.live import LiveRun

IMAGE = "ghcr.io/acme/app:v1"
SECOND = 1_000_000_000


def scenario(folder: Path, network: dict[str, Any], timeline: Any = ()) -> Path:
    """Two nodes in two zones, a pod on each, one image of 100 MB."""
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"p{number}"},
            "spec": {
                "nodeName": f"pool-{number}",
                "containers": [{"name": "c", "image": IMAGE, "imagePullPolicy": "Always"}],
            },
        }
        for number in range(2)
    ]
    document = {
        "apiVersion": "kubesim.dev/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": "test"},
        "spec": {
            "duration": "5m",
            "nodePools": [
                {"name": "pool", "count": 2, "capacity": {"cpu": "4", "memory": "8Gi"},
                 "zones": ["a", "b"]}
            ],
            "images": [{"name": IMAGE, "layers": [{"size": "100M"}], "program": {"port": 0}}],
            "network": network,
            "timeline": list(timeline),
        },
    }  # fmt: skip
    file = folder / "scenario.yaml"
    file.write_text("---\n".join(yaml.safe_dump(each) for each in (document, *pods)))
    return file


def pulls(file: Path) -> dict[str, float]:
    """How long each node's pull took from the manifest on, in seconds; unpacking included."""
    live = LiveRun(Scenario.load(file))
    live.advance(live.end_ns)
    journal = live.simulation.sim.journal
    return {fact.node: (at - fact.resolved_ns) / SECOND for at, fact in journal.of(ImagePulled)}


UNPACK_S = 100 / 21


def test_without_a_network_every_node_has_its_own_link(tmp_path: Path) -> None:
    """100 MB/s each, as the preset says."""
    took = pulls(scenario(tmp_path, {}))

    assert all(1 + UNPACK_S < each < 1.5 + UNPACK_S for each in took.values())
    assert {"pool-0", "pool-1"} == set(took)


def test_a_narrow_registry_is_shared(tmp_path: Path) -> None:
    """20 MB/s for both: 10 s and the unpacking."""
    network = {"registries": [{"name": "ghcr.io", "bandwidth": "20M", "latency": "10ms"}]}
    took = pulls(scenario(tmp_path, network))

    assert all(9 + UNPACK_S < each < 10.8 + UNPACK_S for each in took.values()), took


def test_a_cut_zone_waits(tmp_path: Path) -> None:
    """Its pull stands still for a minute; the other zone's goes on."""
    network = {
        "nodes": {"bandwidth": "10M"},
        "zones": [{"name": "a", "latency": "1ms"}, {"name": "b", "latency": "1ms"}],
    }
    timeline = [{"at": "5s", "cut": "zone/a"}, {"at": "65s", "heal": "zone/a"}]
    took = pulls(scenario(tmp_path, network, timeline))

    assert 70 + UNPACK_S < took["pool-0"] < 71 + UNPACK_S
    assert 10 + UNPACK_S < took["pool-1"] < 11 + UNPACK_S


def test_an_outage_of_the_registry(tmp_path: Path) -> None:
    """Nothing is pulled until it is back, and then with the back-off."""
    timeline = [
        {"at": "0s", "failRegistry": "ghcr.io"},
        {"at": "15s", "restoreRegistry": "ghcr.io"},
    ]
    live = LiveRun(Scenario.load(scenario(tmp_path, {}, timeline)))
    live.advance(15 * SECOND)
    journal = live.simulation.sim.journal

    assert [] == list(journal.of(ImagePulled))

    live.advance(60 * SECOND)

    assert 2 == len(list(journal.of(ImagePulled)))


@pytest.mark.parametrize(
    ("network", "timeline", "said"),
    [
        ({"zone": []}, [], 'did you mean "zones"?'),
        ({"racks": [{"name": "r", "zone": "x", "nodes": ["pool-0"]}]}, [], 'no place "x"'),
        ({"links": [{"between": ["core", "zone/x"]}]}, [], 'no place "zone/x"'),
        ({}, [{"at": "1s", "cut": "node/pol-0"}], 'did you mean "node/pool-0"?'),
    ],
)
def test_mistakes(tmp_path: Path, network: dict[str, Any], timeline: Any, said: str) -> None:
    """Told with their place."""
    with pytest.raises(InputError) as refused:
        Scenario.load(scenario(tmp_path, network, timeline))

    assert said in "\n".join(str(problem) for problem in refused.value.problems)
