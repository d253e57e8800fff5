"""An executor with a Spin image: Spin in an ordinary container, which fetches the application itself."""

from __future__ import annotations

from spinapp_harness import SpinRun, Write, spin_app

from kubesim.facts import ImagePulled, LayerPulled, ModuleLoaded

EXECUTOR = """
apiVersion: core.spinkube.dev/v1alpha1
kind: SpinAppExecutor
metadata: {name: spintainer}
spec: {createDeployment: true, deploymentConfig: {spinImage: 'ghcr.io/spinframework/spin:v3.6.3'}}
---
"""
PLAIN_NODE = "[{name: pool, count: 1, capacity: {cpu: '4', memory: 8Gi}, runtimes: [runc]}]"
APP = spin_app("""replicas: 1
executor: spintainer
variables: [{name: greeting, value: hi}]
runtimeConfig: {keyValueStores: [{name: default, type: spin}]}
checks: {readiness: {initialDelaySeconds: 1, periodSeconds: 1, httpGet: {path: /visits}}}""")


def started(write: Write, app: str = APP) -> SpinRun:
    return SpinRun(write, app, platform=EXECUTOR, pools=PLAIN_NODE)


def test_it_needs_no_shim(write_scenario: Write) -> None:
    """On a node that knows runc only, the component answers, with its variables and its store."""
    run = started(write_scenario).until(30)
    (pod,) = run.pods()
    assert None is pod.spec.runtime_class_name
    assert "ghcr.io/spinframework/spin:v3.6.3" == pod.spec.containers[0].image
    assert [pod.name] == run.ready()
    assert "hi" == run.body("/variable", "greeting")
    assert int(run.body("/visits")) + 1 == int(run.body("/visits"))
    assert "Serving http://0.0.0.0:80" in run.log()


def test_spin_pulls_past_containerd(write_scenario: Write) -> None:
    """The kubelet pulls Spin's image; the application's is in no image list and in no shim's cache."""
    run = started(write_scenario).until(30)
    journal = run.live.simulation.sim.journal
    pulled = {fact.image for _, fact in journal.of(ImagePulled)}
    assert {"ghcr.io/spinframework/spin:v3.6.3"} == pulled
    assert {"ghcr.io/spinframework/spin:v3.6.3"} == {f.image for _, f in journal.of(LayerPulled)}
    assert [] == list(journal.of(ModuleLoaded))


def test_a_restart_pulls_again_and_forgets(write_scenario: Write) -> None:
    """The store was a file in the container; what Spin had fetched, too."""
    dies = APP.replace(
        "{readiness: {initialDelaySeconds: 1, periodSeconds: 1,", "{liveness: {"
    ).replace("/visits}", "/nothing}")
    run = started(write_scenario, dies).until(15)
    assert ["1", "2"] == [run.body("/visits") for _ in range(2)]
    run.until(75)
    assert run.restarts() >= 1
    assert run.log().count("Serving http://0.0.0.0:80") >= 2
    assert "1" == run.body("/visits")


def test_an_application_that_is_not_there(write_scenario: Write) -> None:
    """Spin ends with an error, and the container with it: a crash loop, no ImagePullBackOff."""
    app = APP.replace("ghcr.io/example/visits:v1", "docker.io/library/redis:7")
    run = started(write_scenario, app).until(60)
    (pod,) = run.pods()
    last = pod.status.container_statuses[0].last_state.terminated
    assert last is not None
    assert (1, "Error") == (last.exit_code, last.reason)
    assert run.restarts() >= 2
    said = "Error: docker.io/library/redis:7 is not a Spin application: it has no Wasm layer"
    assert said == run.log()[0]


def test_any_image_may_have_spin_in_it(write_scenario: Write) -> None:
    """A mirror's image is said to be Spin by its role; its numbers are those of Spin."""
    mirror = EXECUTOR.replace("ghcr.io/spinframework/spin:v3.6.3", "mirror.local/tools:1")
    spec = "- {name: 'mirror.local/tools:1', layers: [{size: 50M}], program: {role: spin}}\n"
    run = SpinRun(write_scenario, APP, spec=spec, platform=mirror, pools=PLAIN_NODE).until(30)
    assert "hi" == run.body("/variable", "greeting")


def test_it_can_be_stopped(write_scenario: Write) -> None:
    """A deleted pod goes, and its successor answers."""
    run = started(write_scenario).until(30)
    (first,) = run.pods()
    run.kill(first)
    run.until(70)
    (second,) = run.pods()
    assert first.uid != second.uid
    assert int(run.body("/visits", pod=second)) < 40
