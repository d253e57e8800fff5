"""The scheduler without its process: given a cluster, where does this pod go?

The engine holds what a decision needs (the cache, the profiles, who waits for which node) and
decides at the instant it is asked. The process in ``scheduler`` feeds it from informers; a
one-shot decision feeds it from files.

Mirrors: pkg/scheduler/scheduler.go (New), pkg/scheduler/profile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kubesim.api.corev1 import Pod
from kubesim.controlplane.scheduler.cache import Cache
from kubesim.controlplane.scheduler.columns import Columns
from kubesim.controlplane.scheduler.config import (
    KubeSchedulerConfiguration,
    KubeSchedulerProfile,
    scheduler_name,
)
from kubesim.controlplane.scheduler.fastpath import FastPath
from kubesim.controlplane.scheduler.framework.interface import Binder, FilterRunner
from kubesim.controlplane.scheduler.framework.listers import Lister
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo, PodInfos
from kubesim.controlplane.scheduler.framework.runtime import Framework
from kubesim.controlplane.scheduler.framework.waiting import WaitingPods
from kubesim.controlplane.scheduler.luck import Luck, Streams
from kubesim.controlplane.scheduler.nominator import PodNominator
from kubesim.controlplane.scheduler.preempting import Preempting
from kubesim.controlplane.scheduler.registry import (
    DEFAULT_REGISTRY,
    PluginFactory,
    build_plugins,
)
from kubesim.controlplane.scheduler.schedule_one import Attempt, SchedulingAlgorithm
from kubesim.controlplane.scheduler.versions import LATEST, Version, as_of, version_of
from kubesim.errors import InputError


class Engine:
    """Decides.

    Args:
        config: The scheduler's configuration.
        lister: Where plugins look up everything that is neither a node nor a pod.
        clock: Nanoseconds since the epoch.
        binder: The way to the API server; ``None`` when nothing is ever bound.
        registry: The plugins that profiles can name.
        fast: Whether attempts may take the fast path; the decisions are the same.
        rng: Named random streams; ``None`` takes chance out, and so does one worker (but for
            preemption, and for draws between equals before 1.35).
        version: Which kube-scheduler this is, such as ``1.36``.

    Raises:
        InputError: If the configuration does not make sense.
    """

    def __init__(  # noqa: PLR0913  # the scheduler's surroundings
        self,
        *,
        config: KubeSchedulerConfiguration,
        lister: Lister,
        clock: Callable[[], int],
        binder: Binder | None = None,
        registry: Mapping[str, PluginFactory] = DEFAULT_REGISTRY,
        fast: bool = True,
        rng: Streams | None = None,
        version: str = LATEST,
    ) -> None:
        self.version = version_of(version)
        self.luck = Luck(rng, parallelism=config.parallelism, random_ties=self.version.random_ties)
        self.config = config
        self.lister = lister
        self.clock = clock
        self.binder = binder
        self.pod_infos = PodInfos()
        self.cache = Cache(self.pod_infos)
        self.nominator = PodNominator()
        self.preempting = Preempting()
        self.waiting_pods = WaitingPods()
        self.frameworks: dict[str, Framework] = {}
        for profile in config.profiles:
            if profile.name in self.frameworks:
                raise InputError(f'duplicate profile with scheduler name "{profile.name}"')
            self.frameworks[profile.name] = self._framework(profile, registry)
        columns = Columns(self.cache, self.nominator)
        self.algorithm = SchedulingAlgorithm(
            self.cache,
            percentage_of_nodes_to_score=config.percentage_of_nodes_to_score,
            luck=self.luck,
            fast_paths={
                name: FastPath(
                    framework,
                    cache=self.cache,
                    columns=columns,
                    nominator=self.nominator,
                    luck=self.luck,
                )
                for name, framework in self.frameworks.items()
            }
            if fast
            else None,
        )

    def framework_for(self, pod: Pod) -> Framework | None:
        """The profile that a pod asks for, if it is one of ours."""
        return self.frameworks.get(scheduler_name(pod))

    def schedule(self, info: PodInfo) -> Attempt:
        """Decide where a pod should run, now; nothing is promised yet."""
        self.luck.renew()
        framework = self.framework_for(info.pod)
        assert framework is not None, info.pod.spec.scheduler_name
        return self.algorithm.schedule(framework, info)

    def _framework(
        self, profile: KubeSchedulerProfile, registry: Mapping[str, PluginFactory]
    ) -> Framework:
        handle = ProfileHandle(self)
        profile = as_of(self.version, profile)
        framework = Framework(
            profile_name=profile.name,
            plugins=build_plugins(profile, handle, registry),
            nominator=self.nominator,
            percentage_of_nodes_to_score=profile.percentage_of_nodes_to_score,
        )
        handle.runner = framework
        return framework


class ProfileHandle:
    """What the plugins of one profile may see."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.runner: FilterRunner | None = None

    @property
    def snapshot(self) -> Cache:
        """The nodes."""
        return self._engine.cache

    @property
    def lister(self) -> Lister:
        """All other objects."""
        return self._engine.lister

    @property
    def nominator(self) -> PodNominator:
        """Who waits for which node."""
        return self._engine.nominator

    @property
    def preempting(self) -> Preempting:
        """For whom room is being made."""
        return self._engine.preempting

    @property
    def framework(self) -> FilterRunner:
        """The framework that runs the plugin; there is none until all plugins were made."""
        assert self.runner is not None
        return self.runner

    @property
    def binder(self) -> Binder | None:
        """The way to the API server."""
        return self._engine.binder

    @property
    def waiting_pods(self) -> WaitingPods:
        """The pods that Permit plugins hold back."""
        return self._engine.waiting_pods

    @property
    def luck(self) -> Luck:
        """What is left to chance."""
        return self._engine.luck

    @property
    def version(self) -> Version:
        """Which kube-scheduler this is."""
        return self._engine.version

    @property
    def now_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return self._engine.clock()
