"""Finding a user's plugins: by entry point, by module, by file.

A plugin is named ``module:Class`` or ``path/to/file.py:Class``; a name that a profile uses and
nobody gave is looked for among the entry points of the group ``kubesim.scheduler_plugins``. The class
inherits from ``userplugin.NodePlugin``, or from the classes of ``framework.interface``.

Every mistake in a plugin that can be seen without calling it is an ``InputError``.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any
from zlib import crc32

from kubesim.controlplane.scheduler.config import (
    KubeSchedulerConfiguration,
    KubeSchedulerProfile,
    PluginRef,
    PluginSet,
)
from kubesim.controlplane.scheduler.framework.interface import Handle, Plugin
from kubesim.controlplane.scheduler.registry import DEFAULT_REGISTRY, PluginFactory
from kubesim.controlplane.scheduler.userplugin import NodePlugin, adapted, broken
from kubesim.errors import InputError, Problem

GROUP = "kubesim.scheduler_plugins"


def python_plugin(name: str, target: str, *, folder: Path | None = None) -> PluginFactory:
    """The factory of a plugin in Python.

    Args:
        name: What profiles call it.
        target: ``module:Class`` or ``path/to/file.py:Class``.
        folder: Where paths begin; by default where the process runs.

    Raises:
        InputError: If there is no such class, or it is no plugin.
    """
    where, _, class_name = target.rpartition(":")
    if not where or not class_name:
        message = f'plugin "{name}": expected module:Class or file.py:Class, got "{target}"'
        raise InputError(message)
    module = _from_file(name, where, folder) if where.endswith(".py") else _module(name, where)
    found = getattr(module, class_name, None)
    if found is None:
        classes = ", ".join(_plugin_classes(module)) or "none"
        problem = Problem(
            message=f'plugin "{name}": there is no class {class_name} in {where}',
            file=module.__file__,
            suggestion=f"its plugins are: {classes}",
        )
        raise InputError(problem)
    return factory_of(name, found)


def factory_of(name: str, found: Any) -> PluginFactory:
    """The factory of a class, or of a function that makes a plugin.

    Raises:
        InputError: If it is no plugin class.
    """
    is_class = isinstance(found, type)
    if is_class and not issubclass(found, NodePlugin | Plugin):
        message = f'plugin "{name}": {found.__name__} inherits from neither NodePlugin nor Plugin'
        raise InputError(Problem(message=message, file=inspect.getsourcefile(found)))
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        message = f'plugin "{name}": {found.__name__} does not implement {", ".join(missing)}'
        raise InputError(Problem(message=message, file=inspect.getsourcefile(found)))
    if not is_class and not callable(found):
        raise InputError(f'plugin "{name}": expected a class, got {found!r}')

    def make(args: Mapping[str, Any], handle: Handle) -> Plugin:
        try:
            made = found(args, handle) if _takes_two(found) else found()
        except InputError:
            raise
        except Exception as error:  # whatever a user's code does is the user's to repair
            raise broken(name, error) from error
        if isinstance(made, NodePlugin):
            return adapted(name, made)
        if not isinstance(made, Plugin):
            raise InputError(f'plugin "{name}": expected a plugin, got {made!r}')
        if getattr(made, "name", None) != name:
            made.__class__ = type(type(made).__name__, (type(made),), {"name": name})
        return made

    return make


def registry_for(
    config: KubeSchedulerConfiguration, named: Mapping[str, PluginFactory]
) -> Mapping[str, PluginFactory]:
    """All plugins that a configuration can name: ours, those given, those installed."""
    registry = {**DEFAULT_REGISTRY, **named}
    unknown = [name for name in dict.fromkeys(mentioned(config)) if name not in registry]
    if unknown:
        for entry in entry_points(group=GROUP):
            if entry.name in unknown:
                try:
                    registry[entry.name] = factory_of(entry.name, entry.load())
                except (ImportError, AttributeError) as error:
                    raise InputError(f'plugin "{entry.name}": {error}') from None
    return registry


def switched_on(
    config: KubeSchedulerConfiguration,
    names: Iterable[str],
    *,
    points: Sequence[str] = ("multi_point",),
) -> KubeSchedulerConfiguration:
    """The configuration with plugins that it does not speak of enabled in all its profiles.

    Args:
        config: The configuration.
        names: The plugins.
        points: Where to enable them.
    """
    spoken_of = set(mentioned(config))
    refs = tuple(PluginRef(name=name) for name in names if name not in spoken_of)
    if not refs:
        return config

    def more(profile: KubeSchedulerProfile) -> KubeSchedulerProfile:
        changes = {}
        for point in points:
            plugins: PluginSet = getattr(profile.plugins, point)
            changes[point] = plugins.replace(enabled=(*plugins.enabled, *refs))
        return profile.replace(plugins=profile.plugins.replace(**changes))

    return config.replace(profiles=tuple(more(profile) for profile in config.profiles))


def mentioned(config: KubeSchedulerConfiguration) -> Iterable[str]:
    """The plugins that a configuration speaks of."""
    for profile in config.profiles:
        for point in type(profile.plugins).model_fields:
            plugins: PluginSet = getattr(profile.plugins, point)
            for ref in (*plugins.enabled, *plugins.disabled):
                yield ref.name


def _from_file(name: str, path: str, folder: Path | None) -> ModuleType:
    file = Path(path) if folder is None else folder / path
    if not file.is_file():
        raise InputError(Problem(message=f'plugin "{name}": no such file', file=str(file)))
    module_name = f"kubesim_plugin_{file.stem}_{crc32(str(file.resolve()).encode()):x}"
    known = sys.modules.get(module_name)
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(module_name, file)
    assert spec is not None, file
    assert spec.loader is not None, file
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        del sys.modules[module_name]
        message = f'plugin "{name}": {error.msg}'
        problem = Problem(message=message, file=str(file), line=error.lineno or 0)
        raise InputError(problem) from None
    except Exception as error:
        del sys.modules[module_name]
        raise broken(name, error) from error
    return module


def _module(name: str, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f'plugin "{name}": {error}') from None


def _plugin_classes(module: ModuleType) -> Iterable[str]:
    return (
        name
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, NodePlugin | Plugin)
        and value.__module__ == module.__name__
    )


def _takes_two(found: Any) -> bool:
    """Whether a class wants its arguments and its handle."""
    try:
        return len(inspect.signature(found).parameters) >= 2
    except ValueError:
        return False
