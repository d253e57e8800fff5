"""Loading a scenario: everything read, everything checked, ready to run.

Loading finds every problem it can before it gives up: in the scenario, in its manifests, in its
modules. What a run accepts without simulating it is collected here too, so that the report can say
so.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kubesim.api.appsv1 import DaemonSet, Deployment, ReplicaSet, StatefulSet
from kubesim.api.batchv1 import CronJob, Job
from kubesim.api.corev1 import Pod, PodSpec
from kubesim.api.karpenterv1 import NodePool
from kubesim.api.kedahttpv1alpha1 import HTTPScaledObject
from kubesim.api.kedahttpv1beta1 import InterceptorRoute
from kubesim.api.kedav1alpha1 import ScaledJob, ScaledObject
from kubesim.api.metav1 import KubeObject
from kubesim.api.model import unsimulated_fields
from kubesim.api.nfdv1alpha1 import NodeFeatureRule
from kubesim.api.scheme import SCHEME
from kubesim.api.spinv1alpha1 import SpinApp, SpinAppExecutor
from kubesim.calibration import Preset, load_preset
from kubesim.cluster import ClusterConfig
from kubesim.cluster.plugins import SchedulerSetup
from kubesim.controlplane.spin.installers import installs_shims
from kubesim.controlplane.spin.names import INSTALLER_IMAGES
from kubesim.errors import InputError, Problem
from kubesim.manifests import (
    Document,
    Manifest,
    check,
    closest,
    load_documents,
    read_paths,
    validate,
)
from kubesim.scenario.autoscaling import (
    cluster_autoscaler_options,
    http_add_on_config,
    keda_config,
)
from kubesim.scenario.callgraph import cycle_problems
from kubesim.scenario.changing import SCALABLE, step_images
from kubesim.scenario.controllermanager import asks_for_usage, autoscaler_config, manager_config
from kubesim.scenario.executors import ordered
from kubesim.scenario.expectations import compile_expectations
from kubesim.scenario.format import API_VERSION, ScenarioDocument, ScenarioSpec, Step
from kubesim.scenario.images import ImageLoader, known_model
from kubesim.scenario.keda import keda_problems
from kubesim.scenario.lenient import Strictness, read
from kubesim.scenario.networks import cut_problems, registry_configs, topology_config
from kubesim.scenario.nodefiles import unsimulated_settings, with_files
from kubesim.scenario.nodes import karpenter_config, nodes_of, pools_of, step_problems
from kubesim.scenario.queues import queue_configs, queue_problems, queue_step_problems
from kubesim.scenario.scheduling import scheduler_files, scheduler_setup
from kubesim.scenario.spinapps import may_use_redis, shims_in_vain, stores_outside, unscaled
from kubesim.scenario.traffic import TrafficLoader
from kubesim.scenario.transcript import typed_problems
from kubesim.scenario.verticalautoscaler import contended, vertical_pod_autoscaler_config
from kubesim.share import share_path
from kubesim.wire.image import Image, WasmProgram
from kubesim.world.traffic import TrafficConfig

SCENARIO_FILE = "scenario.yaml"
DEFAULT_MANIFESTS = "manifests"
CONNECTABLE = frozenset({"*", "http", "https", "tcp"})
TEMPLATED = (Deployment, ReplicaSet, StatefulSet, DaemonSet, Job)


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedScenario:
    """A scenario, loaded and checked.

    Attributes:
        name: Its name.
        spec: What the document says.
        path: The file it was read from.
        document: The document, for the places of problems.
        manifests: What is applied when the run begins, in order.
        steps: Manifests of the timeline's apply steps, by their number.
        images: What the registries have.
        traffic: The users.
        preset: All numbers.
        unsimulated: What is accepted and not simulated.
        scheduler: The scheduler's configuration and plugins.
        digest: Stands for everything that was read.
    """

    name: str
    spec: ScenarioSpec
    path: Path
    document: Document = field(repr=False)
    manifests: tuple[Manifest, ...] = field(repr=False)
    steps: dict[int, tuple[Manifest, ...]] = field(repr=False)
    images: tuple[Image, ...] = field(repr=False)
    traffic: tuple[TrafficConfig, ...] = field(repr=False)
    preset: Preset = field(repr=False)
    unsimulated: tuple[str, ...] = field(repr=False)
    scheduler: SchedulerSetup = field(repr=False)
    digest: str

    def cluster_config(self, *, seed: int, horizon_ns: int) -> ClusterConfig:
        """What the cluster is made of."""
        spec = self.spec
        pools = pools_of(spec, self.document, self.preset)
        return ClusterConfig(
            name=self.name,
            digest=self.digest,
            seed=seed,
            start_time_ns=spec.start_time,
            horizon_ns=horizon_ns,
            preset=self.preset,
            nodes=nodes_of(pools),
            pools=pools,
            karpenter=karpenter_config(spec, self.preset) if self.has_karpenter else None,
            controller_manager=manager_config(spec.kube_controller_manager),
            horizontal_pod_autoscaler=autoscaler_config(spec.kube_controller_manager),
            metrics_server=any(asks_for_usage(manifest.obj) for manifest in self.applied),
            cluster_autoscaler=cluster_autoscaler_options(spec),
            vertical_pod_autoscaler=vertical_pod_autoscaler_config(
                spec, [manifest.obj for manifest in self.applied]
            ),
            cloud_capacity=spec.cloud.capacity,
            spot_interruption_ns=spec.cloud.spot_interruption,
            images=self.images,
            traffic=tuple(
                replace(source, end_ns=min(source.end_ns, horizon_ns)) for source in self.traffic
            ),
            queues=queue_configs(spec),
            scheduler=self.scheduler,
            network=topology_config(spec, self.document),
            registries=registry_configs(spec),
            spinkube=self.has_spinkube,
            keda=keda_config(spec) if self.has_keda else None,
            http_add_on=http_add_on_config(spec) if self.has_http_add_on else None,
            node_feature_discovery=any(
                isinstance(manifest.obj, NodeFeatureRule) for manifest in self.applied
            ),
            redis_stores=any(may_use_redis(manifest.obj) for manifest in self.applied),
            shim_installers=any(installs_shims(manifest.obj) for manifest in self.applied),
        )

    @property
    def applied(self) -> tuple[Manifest, ...]:
        """Everything that is ever applied, in order."""
        return (*self.manifests, *(m for step in self.steps.values() for m in step))

    @property
    def has_karpenter(self) -> bool:
        """Whether Karpenter runs: some manifest is a pool of its."""
        return any(isinstance(manifest.obj, NodePool) for manifest in self.applied)

    @property
    def has_keda(self) -> bool:
        """Whether KEDA is installed: it was asked for, or some manifest needs it."""
        asked = self.spec.keda is not None or self.has_http_add_on
        return asked or any(isinstance(m.obj, ScaledObject | ScaledJob) for m in self.applied)

    @property
    def has_http_add_on(self) -> bool:
        """Whether KEDA's HTTP add-on is installed: it was asked for, or some manifest needs it."""
        return self.spec.http_add_on is not None or any(
            isinstance(m.obj, HTTPScaledObject | InterceptorRoute) for m in self.applied
        )

    @property
    def has_spinkube(self) -> bool:
        """Whether SpinKube is installed: it was asked for, or some manifest needs it."""
        return self.spec.spinkube is not None or any(
            isinstance(manifest.obj, SpinApp | SpinAppExecutor) for manifest in self.applied
        )


def load_scenario(
    name: str | Path, *, preset: str | None = None, strictness: Strictness | None = None
) -> LoadedScenario:
    """Load a scenario; see ``Scenario.load``."""
    return _Loader(find_scenario(name), preset, strictness).load()


def scenario_names() -> tuple[str, ...]:
    """The scenarios that are shipped, sorted."""
    folders = share_path("scenarios").glob(f"*/{SCENARIO_FILE}")
    return tuple(sorted(path.parent.name for path in folders))


def find_scenario(name: str | Path) -> Path:
    """The scenario's file, from a name or a path.

    Raises:
        InputError: If there is none.
    """
    path = Path(name)
    shipped = share_path("scenarios") / str(name) / SCENARIO_FILE
    if not path.exists() and shipped.is_file():
        return shipped
    if path.is_dir():
        path /= SCENARIO_FILE
    if path.is_file():
        return path
    known = scenario_names()
    near = closest(str(name), list(known))
    hint = f'did you mean "{near}"?' if near else f"there are: {', '.join(known)}"
    raise InputError(Problem(message=f'no scenario "{name}"', suggestion=hint))


class _Loader:
    """Reads one scenario; collects problems as long as it makes sense to go on."""

    def __init__(self, path: Path, preset: str | None, strictness: Strictness | None) -> None:
        self._path = path
        self._strictness = strictness
        self._notes: list[str] = []
        self._folder = path.parent
        self._preset = preset
        self._problems: list[Problem] = []

    def load(self) -> LoadedScenario:
        document, rest = self._documents()
        body = validate(document, ScenarioDocument)
        spec = body.spec
        if self._strictness is not None:
            spec = spec.model_copy(update={"strictness": self._strictness})
        preset = self._try(lambda: self._load_preset(spec, document))
        spec, configured, notes = with_files(spec, document, self._folder)
        self._notes += [*notes, *unsimulated_settings(spec)]
        pools = self._try(lambda: pools_of(spec, document)) or ()
        users = TrafficLoader(document, folder=self._folder)
        nodes = [node.name for node in nodes_of(pools)]
        traffic = self._try(lambda: users.load(spec, nodes)) or ()
        self._try(lambda: topology_config(spec, document))
        self._problems += queue_problems(spec, document)
        scheduler = self._try(lambda: scheduler_setup(spec, document, self._folder))
        self._try(lambda: compile_expectations(spec, document))
        manifests = self._try(lambda: self._manifests(spec, document, rest)) or ()
        steps = self._try(lambda: self._steps(spec, document, manifests)) or {}
        applied = [*manifests, *(m for step in steps.values() for m in step)]
        self._problems += check(applied)
        self._problems += keda_problems(applied)
        self._problems += cycle_problems(spec, document, [m.obj for m in applied])
        images: tuple[Image, ...] = ()
        if preset is not None:
            loader = ImageLoader(document, folder=self._folder, preset=preset)
            images = self._try(lambda: loader.load(spec)) or ()
            images = (*images, *self._defaults(spec, document, applied, images, loader))
        if self._problems or preset is None:
            raise InputError(self._problems)
        return LoadedScenario(
            name=body.metadata.name,
            spec=spec,
            path=self._path,
            document=document,
            manifests=manifests,
            steps=steps,
            images=images,
            traffic=traffic,
            preset=preset,
            unsimulated=(*self._notes, *self._unsimulated(spec, applied, images)),
            scheduler=scheduler,
            digest=_digest(
                document,
                applied,
                images,
                (*scheduler_files(spec, self._folder), *configured, *users.files(spec)),
            ),
        )

    def _try(self, work: Any) -> Any:
        try:
            return work()
        except InputError as error:
            self._problems += error.problems
            return None

    def _documents(self) -> tuple[Document, list[Document]]:
        """The scenario's document, and the manifests in the same file."""
        documents = read_paths([self._path])
        of_scenario = [d for d in documents if _is_scenario(d)]
        if len(of_scenario) != 1:
            problem = Problem(
                message=f"expected one document of kind Scenario, found {len(of_scenario)}",
                file=str(self._path),
                suggestion=f"it begins with apiVersion: {API_VERSION} and kind: Scenario",
            )
            raise InputError(problem)
        return of_scenario[0], [d for d in documents if d is not of_scenario[0]]

    def _load_preset(self, spec: ScenarioSpec, document: Document) -> Preset:
        try:
            return load_preset(self._preset or spec.preset)
        except InputError as error:
            first = error.problems[0]
            if self._preset is not None or first.file is not None:
                raise
            raise InputError(
                document.problem(first.message, ("spec", "preset"), suggestion=first.suggestion)
            ) from None

    def _manifests(
        self, spec: ScenarioSpec, document: Document, rest: list[Document]
    ) -> tuple[Manifest, ...]:
        paths = spec.manifests
        if paths is None:
            beside = self._folder / DEFAULT_MANIFESTS
            paths = (DEFAULT_MANIFESTS,) if beside.is_dir() and not rest else ()
        documents = list(rest)
        for index, path in enumerate(paths):
            documents += self._read(path, document, ("spec", "manifests", index))
        return self._decoded(documents, spec)

    def _decoded(
        self, documents: list[Document], spec: ScenarioSpec, before: tuple[Manifest, ...] = ()
    ) -> tuple[Manifest, ...]:
        """The objects of documents, taken as strictly as the scenario says."""
        reading = read(documents, spec.strictness)
        self._notes += reading.notes
        self._problems += reading.problems
        found = ordered(load_documents(reading.documents), spec.strictness, before=before)
        self._notes += found.notes
        self._problems += found.problems
        return found.manifests

    def _steps(
        self, spec: ScenarioSpec, document: Document, before: tuple[Manifest, ...]
    ) -> dict[int, tuple[Manifest, ...]]:
        steps: dict[int, tuple[Manifest, ...]] = {}
        for index, step in enumerate(spec.timeline):
            where = ("spec", "timeline", index)
            if step.apply is not None:
                documents = self._read(step.apply, document, (*where, "apply"))
                known = (*before, *(m for step in steps.values() for m in step))
                steps[index] = self._decoded(documents, spec, known)
            self._problems += step_problems(spec, step, document, where)
            self._problems += cut_problems(spec, step, document, where)
            self._problems += queue_step_problems(spec, step, document, where)
            self._problems += typed_problems(step, document, where)
            self._check_step(step, document, where)
        return steps

    def _check_step(self, step: Step, document: Document, where: tuple[str | int, ...]) -> None:
        for verb, target in (("delete", step.delete), ("scale", step.scale)):
            if target is not None and SCHEME.find_name(target.kind) is None:
                problem = document.problem(f'unknown kind "{target.kind}"', (*where, verb, "kind"))
                self._problems.append(problem)
        if step.scale is not None and step.scale.kind not in SCALABLE:
            problem = document.problem(
                f"{step.scale.kind} cannot be scaled",
                (*where, "scale", "kind"),
                suggestion=f"{', '.join(SCALABLE)} can",
            )
            self._problems.append(problem)

    def _read(self, path: str, document: Document, where: tuple[str | int, ...]) -> list[Document]:
        file = self._folder / path
        if not file.exists():
            raise InputError(document.problem(f'no file or folder "{path}"', where))
        return read_paths([file])

    def _defaults(
        self,
        spec: ScenarioSpec,
        document: Document,
        applied: list[Manifest],
        images: tuple[Image, ...],
        loader: ImageLoader,
    ) -> list[Image]:
        """Images that manifests use and the scenario does not have."""
        known = {image.name for image in images} | {image.name for image in spec.images}
        made: dict[str, Image] = {}
        used = [(m.document, used) for m in applied for used in _images_used(m.obj)]
        for place, (name, path) in [*used, *((document, used) for used in step_images(spec))]:
            if name in known or name in made:
                continue
            if spec.strictness == "strict" and known_model(name) is None:
                message = f'image "{name}" has no model in the scenario'
                self._problems.append(place.problem(message, path))
            made[name] = loader.default(name)
        if any(installs_shims(manifest.obj) for manifest in applied):
            for name in INSTALLER_IMAGES:
                if name not in known and name not in made:
                    made[name] = loader.default(name)
        return list(made.values())

    def _unsimulated(
        self, spec: ScenarioSpec, applied: list[Manifest], images: tuple[Image, ...]
    ) -> Iterable[str]:
        """What is accepted and not simulated, once each, in order of appearance."""
        kinds = Counter(m.obj.kind for m in applied if not type(m.obj).simulated)
        for kind, count in kinds.items():
            yield f"kind {kind} is stored and not acted on ({count} {_objects(count)})"
        seen: Counter[tuple[str, str]] = Counter()
        for manifest in applied:
            if type(manifest.obj).simulated:
                for path in unsimulated_fields(manifest.obj):
                    seen[manifest.obj.kind, path] += 1
        for (kind, path), count in seen.items():
            yield f"{kind} {path} has no effect ({count} {_objects(count)})"
        yield from unscaled(manifest.obj for manifest in applied)
        yield from stores_outside(manifest.obj for manifest in applied)
        yield from shims_in_vain(manifest.obj for manifest in applied)
        yield from contended(manifest.obj for manifest in applied)
        modelled = {image.name for image in spec.images}
        spin = {m.obj.spec.image for m in applied if isinstance(m.obj, SpinApp)}
        for image in images:
            if image.name in modelled:
                if isinstance(image.program, WasmProgram):
                    yield from _of_module(image.name, image.program)
                continue
            if known_model(image.name) is not None:
                continue
            instead = "the preset's default program runs in it"
            if image.name in spin:
                instead = "a Wasm shim finds no module in it"
            yield f'image "{image.name}" has no model: {instead}'


def _of_module(image: str, program: WasmProgram) -> Iterable[str]:
    """What a Wasm image asks for and does not get."""
    yield from (f'image "{image}": {note}' for note in program.notes)
    for host in program.hosts:
        scheme, found, _ = host.partition("://")
        if found and "{{" not in scheme and scheme.lower() not in CONNECTABLE:
            yield f'image "{image}" may call {host}, and only HTTP and TCP are simulated'


def _objects(count: int) -> str:
    return "object" if count == 1 else "objects"


def _is_scenario(document: Document) -> bool:
    data = document.data
    return isinstance(data, dict) and data.get("kind") == "Scenario"


def _images_used(obj: KubeObject) -> Iterable[tuple[str, tuple[str | int, ...]]]:
    """Images of an object's containers and where they stand."""
    prefix: tuple[str | int, ...]
    spec: PodSpec
    if isinstance(obj, SpinApp):
        yield obj.spec.image, ("spec", "image")
        return
    if isinstance(obj, SpinAppExecutor):
        config = obj.spec.deployment_config
        if config is not None and config.spin_image:
            yield config.spin_image, ("spec", "deploymentConfig", "spinImage")
        return
    if isinstance(obj, Pod):
        prefix, spec = ("spec",), obj.spec
    elif isinstance(obj, TEMPLATED):
        prefix, spec = ("spec", "template", "spec"), obj.spec.template.spec
    elif isinstance(obj, CronJob):
        prefix = ("spec", "jobTemplate", "spec", "template", "spec")
        spec = obj.spec.job_template.spec.template.spec
    elif isinstance(obj, ScaledJob):
        prefix = ("spec", "jobTargetRef", "template", "spec")
        spec = obj.spec.job_target_ref.template.spec
    else:
        return
    for wire, containers in (
        ("initContainers", spec.init_containers),
        ("containers", spec.containers),
    ):
        for index, container in enumerate(containers):
            if container.image:
                yield container.image, (*prefix, wire, index, "image")


def _digest(
    document: Document, applied: list[Manifest], images: tuple[Image, ...], files: Iterable[Path]
) -> str:
    """SHA-256 over the text of everything that was read."""
    digest = hashlib.sha256(document.source.text.encode())
    sources = dict.fromkeys(m.document.source for m in applied)
    for source in sources:
        digest.update(source.text.encode())
    for image in images:
        digest.update(image.digest.encode())
    for file in files:
        digest.update(file.read_bytes())
    return f"sha256:{digest.hexdigest()}"
