"""Priorities of node groups, as the ConfigMap ``cluster-autoscaler-priority-expander`` has them.

Its key ``priorities`` holds YAML: a priority, and regular expressions that a group's name is searched
for.

Mirrors: kubernetes/autoscaler cluster-autoscaler/expander/priority/priority.go.
Departs: expressions are Python's, which know all of RE2's usual syntax and more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import yaml

from kubesim.api.corev1 import ConfigMap
from kubesim.controlplane.client import Client, Recorder

PRIORITY_CONFIG_MAP = "cluster-autoscaler-priority-expander"
CONFIG_MAP_KEY = "priorities"
LOWEST = -1

Priorities = Mapping[int, Sequence[re.Pattern[str]]]
Warn = Callable[[str, str], None]
"""Told of a reason and a message."""


class PriorityConfig:
    """The ConfigMap, and what is said about it.

    Args:
        client: The connection to the API server.
        recorder: For events.
        namespace: Where the ConfigMap is.
        wanted: Whether anybody asks for it.
    """

    def __init__(
        self, client: Client, recorder: Recorder, namespace: str, *, wanted: bool
    ) -> None:
        self._recorder = recorder
        self._key = f"{namespace}/{PRIORITY_CONFIG_MAP}"
        self._config_maps = client.informer(ConfigMap) if wanted else None

    def read(self) -> Priorities | None:
        """What the ConfigMap says: nothing if that is not sensible, ``None`` if there is none."""
        config = self._config_map()
        if config is None:
            return None
        try:
            return read_priorities(config)
        except ValueError as error:
            self.warn("PriorityConfigMapInvalid", str(error))
            return {}

    def warn(self, reason: str, message: str) -> None:
        """Record an event about the ConfigMap."""
        config = self._config_map()
        if config is not None:
            self._recorder.warning(config, reason, message)

    def _config_map(self) -> ConfigMap | None:
        return None if self._config_maps is None else self._config_maps.get(self._key)


def read_priorities(config: ConfigMap) -> Priorities:
    """What a ConfigMap says.

    Args:
        config: The ConfigMap.

    Raises:
        ValueError: With the message of an event, if it says nothing sensible.
    """
    text = config.data.get(CONFIG_MAP_KEY)
    if text is None:
        raise ValueError(
            f"Wrong configmap for priority expander, doesn't contain {CONFIG_MAP_KEY} key. "
            "Ignoring update."
        )
    try:
        return _parsed(text)
    except ValueError as error:
        raise ValueError(
            f"Wrong configuration for priority expander: {error}. Ignoring update."
        ) from error


def _parsed(text: str) -> Priorities:
    if not text:
        raise ValueError(
            f"priority configuration in {PRIORITY_CONFIG_MAP} configmap is empty; please provide "
            "valid configuration"
        )
    broken = "Can't parse YAML with priorities in the configmap"
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{broken}: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{broken}: it is not a mapping")
    found: dict[int, list[re.Pattern[str]]] = {}
    for priority, rules in config.items():
        if not isinstance(priority, int) or not isinstance(rules, list):
            raise ValueError(f"{broken}: {priority!r} is not a number with a list")
        for rule in rules:
            try:
                found.setdefault(priority, []).append(re.compile(str(rule)))
            except re.error as error:
                raise ValueError(
                    f"Can't compile regexp rule for priority {priority} and rule {rule}: {error}"
                ) from error
    return found


def preferred(groups: Sequence[str], priorities: Priorities, warn: Warn) -> list[str]:
    """The groups of the highest priority; all of them if none has any.

    Args:
        groups: Their names.
        priorities: What the ConfigMap says.
        warn: Told of groups about which it says nothing.
    """
    if not priorities:
        return list(groups)  # what there is, is not sensible; that was said
    best: list[str] = []
    highest = LOWEST
    for group in groups:
        own = [p for p, rules in priorities.items() if any(r.search(group) for r in rules)]
        if not own:
            warn(
                "PriorityConfigMapNotMatchedGroup",
                f"Priority expander: node group {group} not found in priority expander "
                "configuration. The group won't be used.",
            )
            continue
        if max(own) > highest:
            highest, best = max(own), []
        if max(own) == highest:
            best.append(group)
    if not best:
        warn(
            "PriorityConfigMapNoGroupMatched",
            "Priority expander: no priorities info found for any of the expansion options. No "
            "options filtered.",
        )
        return list(groups)
    return best
