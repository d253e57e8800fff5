"""From the store to the rows of each table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kubesim.tui.scene import Happening, Ref, Scene
from kubesim.tui.sheet import Sheet
from kubesim.tui.tables import LATEST_EVENTS, events_sheet, memory, node_status
from kubesim.tui.views import VIEWS, find_view, view_words

SceneAt = Callable[[float], Scene]


def texts(sheet: Sheet, name: str) -> dict[str, str]:
    """The row of that name, by column."""
    row = next(row for row in sheet.rows if row.ref.name.startswith(name))
    titles = [column.name for column in sheet.columns]
    return dict(zip(titles, (text for text, _ in row.cells), strict=True))


def build(scene: Scene, word: str, namespace: str = "") -> Sheet:
    view = find_view(word)
    assert view is not None
    return view.build(scene, namespace)


def test_pods_have_the_columns_of_k9s(scene_at: SceneAt) -> None:
    """A running Wasm pod stands there as kubectl and k9s would show it."""
    row = texts(build(scene_at(10), "pods"), "greeter")

    assert ["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "NODE", "RUNTIME", "AGE"] == list(
        row
    )
    assert ("1/1", "Running", "0", "spin", "9s") == (
        row["READY"], row["STATUS"], row["RESTARTS"], row["RUNTIME"], row["AGE"],
    )  # fmt: skip
    assert row["NODE"].startswith("wasm-")


def test_every_state_of_a_pod_has_its_colour(scene_at: SceneAt) -> None:
    """Ready, completed and pending pods are told apart."""
    sheet = build(scene_at(10), "pods")
    status = {row.ref.name.split("-")[0]: row.cells[3] for row in sheet.rows}

    assert ("Running", "ok") == status["shop"]
    assert ("Completed", "done") == status["report"]
    assert ("Pending", "warn") == status["homeless"]


def test_pods_stand_in_the_order_of_their_names(scene_at: SceneAt) -> None:
    """Rows do not jump when pods come and go."""
    names = [row.ref.name for row in build(scene_at(10), "pods").rows]

    assert sorted(names) == names


def test_a_namespace_hides_the_others(scene_at: SceneAt) -> None:
    """Only the pods of the chosen namespace are there."""
    scene = scene_at(10)

    assert 9 == len(build(scene, "pods", "default").rows)
    assert 0 == len(build(scene, "pods", "kube-system").rows)


def test_nodes_show_load_and_runtimes(scene_at: SceneAt) -> None:
    """A node's row has the numbers of the Run's row."""
    row = texts(build(scene_at(10), "nodes"), "wasm-0")

    assert ("Ready", "wasm", "runc,spin,wasmtime") == (
        row["STATUS"], row["POOL"], row["RUNTIMES"],
    )  # fmt: skip
    assert row["CPU"].endswith("/2000m")


@pytest.mark.parametrize(
    ("ready", "cordoned", "expected"),
    [
        (True, False, ("Ready", "ok")),
        (True, True, ("Ready,SchedulingDisabled", "warn")),
        (False, False, ("NotReady", "bad")),
        (False, True, ("NotReady,SchedulingDisabled", "bad")),
    ],
)
def test_node_statuses_are_kubectl_s(
    ready: bool, cordoned: bool, expected: tuple[str, str]
) -> None:
    """Cordoned and silent nodes say so."""
    assert expected == node_status(ready=ready, cordoned=cordoned)


def test_services_show_their_requests(scene_at: SceneAt) -> None:
    """Before there is traffic there are no latencies; then there are."""
    scene = scene_at(10)
    assert ("0", "-") == (
        texts(build(scene, "svc"), "shop")["REQUESTS"],
        texts(build(scene, "svc"), "shop")["P99"],
    )


def test_served_requests_are_counted(scene_at: SceneAt) -> None:
    """With traffic, requests and quantiles are those of the observer."""
    scene = scene_at(25)
    row = texts(build(scene, "svc"), "shop")

    assert int(row["REQUESTS"].replace(",", "")) > 100
    assert row["P99"].endswith(("us", "ms"))


def test_workloads_show_how_many_are_ready(scene_at: SceneAt) -> None:
    """Deployments and ReplicaSets count as kubectl does."""
    scene = scene_at(10)

    assert "4/4" == texts(build(scene, "deploy"), "shop")["READY"]
    assert "4" == texts(build(scene, "rs"), "shop")["READY"]


def test_events_are_the_latest_first(scene_at: SceneAt) -> None:
    """The newest Event is on top, and the scenario's own steps are among them."""
    sheet = build(scene_at(61), "events")
    times = [row.cells[0][0] for row in sheet.rows]

    assert sorted(times, reverse=True) == times
    assert any(row.cells[1] == ("Step", "accent") for row in sheet.rows)
    assert any(row.cells[2] == ("FailedScheduling", "warn") for row in sheet.rows)


def test_a_flood_of_events_is_bounded() -> None:
    """A long run does not make the table longer and longer."""
    ref = Ref("Pod", "default", "p")
    flood = [Happening(at, ref, "Normal", "Pulled", "", "kubelet") for at in range(5000)]

    assert LATEST_EVENTS == len(events_sheet(flood, "").rows)


@pytest.mark.parametrize("word", [view.name for view in VIEWS])
def test_every_view_can_be_built_at_any_time(word: str, scene_at: SceneAt) -> None:
    """Even at the very beginning every view is a sheet whose rows fill its columns."""
    sheet = build(scene_at(0), word)

    assert all(len(row.cells) == len(sheet.columns) for row in sheet.rows)


def test_any_kind_of_kubernetes_is_a_view(scene_at: SceneAt) -> None:
    """Kinds without a view of their own are listed by name."""
    sheet = build(scene_at(10), "runtimeclasses")

    assert ["wasmtime", "wasmtime-spin-v2"] == [row.ref.name for row in sheet.rows]
    assert find_view("flavours") is None
    assert {"pods", "svc", "endpointslices"} <= set(view_words())


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(12, "12"), (640 * 2**10, "640Ki"), (512 * 2**20, "512Mi"), (15 * 2**29, "7.5Gi")],
)
def test_memory_is_written_for_people(amount: int, expected: str) -> None:
    """Bytes have the largest unit that fits."""
    assert expected == memory(amount)
