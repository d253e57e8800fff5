"""A scenario's scheduler: its configuration and the plugins that come with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kubesim.cluster.plugins import SchedulerSetup, set_up
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.errors import InputError
from kubesim.manifests import Document, read_paths, validate
from kubesim.scenario.format import ScenarioSpec


def scheduler_setup(spec: ScenarioSpec, document: Document, folder: Path) -> SchedulerSetup:
    """The scheduler's configuration with its plugins.

    Args:
        spec: The scenario.
        document: Its document, for the places of problems.
        folder: Where its paths begin.

    Raises:
        InputError: If a file is missing or does not make sense.
    """
    where = ("spec", "scheduler")
    config = KubeSchedulerConfiguration()
    if spec.scheduler.config is not None:
        file = folder / spec.scheduler.config
        if not file.is_file():
            raise InputError(document.problem(f'no file "{file}"', (*where, "config")))
        documents = read_paths([file])
        if len(documents) != 1:
            message = f"expected one KubeSchedulerConfiguration, found {len(documents)} documents"
            raise InputError(document.problem(message, (*where, "config")))
        config = validate(documents[0], KubeSchedulerConfiguration)
    try:
        setup = set_up(config, spec.scheduler.plugins, folder=folder)
        setup.check()
    except InputError as error:
        first = error.problems[0]
        if first.line:
            raise  # it is in a plugin, and says where
        message = f"{first.file}: {first.message}" if first.file else first.message
        raise InputError(document.problem(message, where, suggestion=first.suggestion)) from None
    return setup


def scheduler_files(spec: ScenarioSpec, folder: Path) -> Iterator[Path]:
    """The files that decide what the scheduler does."""
    if spec.scheduler.config is not None:
        yield folder / spec.scheduler.config
    for target in spec.scheduler.plugins.values():
        file = folder / target.rpartition(":")[0] if ".py:" in target else folder / target
        if file.is_file():
            yield file
