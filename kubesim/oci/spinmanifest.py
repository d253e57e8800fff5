"""``spin.toml``, manifest version 2: every field of it.

Mirrors: Spin crates/manifest/src/schema/{v2,common}.rs; the http and redis trigger's configuration.
Departs: manifest version 1 is not read. Triggers other than http and redis are carried as they are.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic import model_validator as model_rule

_KEBAB_WORD = r"(?:[a-z][a-z0-9]*|[A-Z][A-Z0-9]*)"
_KEBAB = re.compile(rf"{_KEBAB_WORD}(?:-{_KEBAB_WORD})*")
_SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z][a-z0-9]*)*")
_TEMPLATE = re.compile(r"\{\{[^}]*\}\}")
_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*|\*)://[^/\s]+/?", re.IGNORECASE)
DIGEST = r"^sha256:[0-9a-f]{64}$"


def _kebab(value: str) -> str:
    if not _KEBAB.fullmatch(value):
        raise ValueError(
            "an id is in kebab-case: words of letters and digits with hyphens between"
        )
    return value


def _snake(value: str) -> str:
    if not _SNAKE.fullmatch(value):
        raise ValueError("a variable is in lower_snake_case")
    return value


def _label(value: str) -> str:
    if not _KEBAB.fullmatch(value) and not _SNAKE.fullmatch(value):
        raise ValueError("expected kebab-case or snake_case")
    return value


def _host(value: str) -> str:
    if value == "insecure:allow-all":
        raise ValueError('insecure:allow-all is no longer allowed; use "*://*:*"')
    is_template = _TEMPLATE.fullmatch(value) is not None
    if not is_template and not _HOST.fullmatch(_TEMPLATE.sub("any", value)):
        raise ValueError("expected scheme://host[:port], such as https://example.com")
    return value


KebabId = Annotated[str, AfterValidator(_kebab)]
SnakeId = Annotated[str, AfterValidator(_snake)]
Label = Annotated[str, AfterValidator(_label)]
OutboundHost = Annotated[str, AfterValidator(_host)]


class SpinModel(BaseModel):
    """The base: frozen, and no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SpinVariable(SpinModel):
    """An application's variable: it has a default, or must be given when it runs."""

    description: str | None = None
    required: bool = False
    default: str | None = None
    secret: bool = False

    @model_rule(mode="after")
    def _one_of_two(self) -> SpinVariable:
        if self.required == (self.default is not None):
            raise ValueError("give either default or required = true")
        return self


class RemoteSource(SpinModel):
    """A module that is downloaded."""

    url: str
    digest: str = Field(pattern=DIGEST)


class RegistrySource(SpinModel):
    """A module from a package registry."""

    package: str
    version: str
    registry: str | None = None


def _source_kind(value: Any) -> str:
    if isinstance(value, str):
        return "path"
    return "RemoteSource" if isinstance(value, dict) and "url" in value else "RegistrySource"


Source = Annotated[
    Annotated[str, Tag("path")]
    | Annotated[RemoteSource, Tag("RemoteSource")]
    | Annotated[RegistrySource, Tag("RegistrySource")],
    Discriminator(_source_kind),
]


class Placement(SpinModel):
    """A folder and where the guest sees it."""

    source: str
    destination: str


def _text_or(table: str) -> Discriminator:
    """Chooses between a text and a table of that name."""
    return Discriminator(lambda value: "text" if isinstance(value, str) else table)


Mount = Annotated[
    Annotated[str, Tag("text")] | Annotated[Placement, Tag("Placement")], _text_or("Placement")
]


class BuildConfig(SpinModel):
    """How ``spin build`` makes the module; carried, never run."""

    command: str | list[str]
    workdir: str | None = None
    watch: list[str] = []


class LocalDependency(SpinModel):
    """A component in a file."""

    path: str
    export: str | None = None
    environment: dict[str, str] = {}


class PackageDependency(SpinModel):
    """A component from a package registry."""

    version: str
    registry: str | None = None
    package: str | None = None
    export: str | None = None
    environment: dict[str, str] = {}


class HttpDependency(SpinModel):
    """A component that is downloaded."""

    url: str
    digest: str
    export: str | None = None
    environment: dict[str, str] = {}


class AppDependency(SpinModel):
    """Another component of the application."""

    component: str
    export: str | None = None
    environment: dict[str, str] = {}


def _dependency_kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    keys = value if isinstance(value, dict) else {}
    for key, kind in (("path", "Local"), ("url", "Http"), ("component", "App")):
        if key in keys:
            return f"{kind}Dependency"
    return "PackageDependency"


Dependency = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[LocalDependency, Tag("LocalDependency")]
    | Annotated[PackageDependency, Tag("PackageDependency")]
    | Annotated[HttpDependency, Tag("HttpDependency")]
    | Annotated[AppDependency, Tag("AppDependency")],
    Discriminator(_dependency_kind),
]


class TargetRegistry(SpinModel):
    """An environment definition in a registry."""

    registry: str
    id: str


class TargetFile(SpinModel):
    """An environment definition in a file."""

    path: str


Target = str | TargetRegistry | TargetFile


class Profile(SpinModel):
    """What is other in a profile that is not the default."""

    source: Source


class Component(SpinModel):
    """One component: a module and what it may reach."""

    source: Source
    description: str = ""
    variables: dict[SnakeId, str] = {}
    environment: dict[str, str] = {}
    files: list[Mount] = []
    exclude_files: list[str] = []
    allowed_http_hosts: list[str] = []
    allowed_outbound_hosts: list[OutboundHost] = []
    key_value_stores: list[Label] = []
    sqlite_databases: list[Label] = []
    ai_models: list[KebabId] = []
    targets: list[Target] = []
    build: BuildConfig | None = None
    tool: dict[str, dict[str, Any]] = {}
    dependencies_inherit_configuration: bool = False
    dependencies: dict[str, Dependency] = {}
    profile: dict[str, Profile] = {}


ComponentRef = Annotated[
    Annotated[str, Tag("text")] | Annotated[Component, Tag("Component")], _text_or("Component")
]


class TriggerBase(SpinModel):
    """What every trigger has."""

    id: str = ""
    component: ComponentRef | None = None
    components: dict[str, ComponentRef | list[ComponentRef]] = {}


class PrivateRoute(SpinModel):
    """Only other components of the application reach it."""

    private: Literal[True]


class Executor(SpinModel):
    """How a component is called; the last two go with ``wagi``."""

    type: Literal["http", "wagi", "spin"]
    entrypoint: str | None = None
    argv: str | None = None

    @model_rule(mode="after")
    def _wagi_only(self) -> Executor:
        if self.type != "wagi" and (self.entrypoint or self.argv):
            raise ValueError("entrypoint and argv go with type wagi")
        return self


class StaticResponse(SpinModel):
    """An answer without a component."""

    status_code: int | None = Field(default=None, ge=100, le=599)
    headers: dict[str, str] = {}
    body: str | None = None


Route = Annotated[
    Annotated[str, Tag("text")] | Annotated[PrivateRoute, Tag("PrivateRoute")],
    _text_or("PrivateRoute"),
]


class HttpTrigger(TriggerBase):
    """Requests to a route."""

    route: Route
    executor: Executor | None = None
    static_response: StaticResponse | None = None

    @model_rule(mode="after")
    def _someone_answers(self) -> HttpTrigger:
        if (self.component is None) == (self.static_response is None):
            raise ValueError("give either component or static_response")
        return self


class RedisTrigger(TriggerBase):
    """Messages in a channel."""

    channel: str
    address: str | None = None


class OtherTrigger(TriggerBase):
    """A trigger of a plugin: its configuration is its own business."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


Trigger = HttpTrigger | RedisTrigger | OtherTrigger


class Triggers(SpinModel):
    """Triggers by their type."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, list[OtherTrigger]]

    http: list[HttpTrigger] = []
    redis: list[RedisTrigger] = []

    def by_type(self) -> dict[str, list[Trigger]]:
        """All triggers, ``http`` and ``redis`` first."""
        found: dict[str, list[Trigger]] = {"http": [*self.http], "redis": [*self.redis]}
        found.update({name: [*each] for name, each in self.__pydantic_extra__.items()})
        return {name: triggers for name, triggers in found.items() if triggers}


class Application(SpinModel):
    """What the application is called."""

    name: str = Field(min_length=1)
    version: str = ""
    description: str = ""
    authors: list[str] = []
    targets: list[Target] = []
    trigger: dict[str, dict[str, Any]] = {}
    tool: dict[str, dict[str, Any]] = {}


class SpinManifest(SpinModel):
    """The document."""

    spin_manifest_version: Literal[2]
    application: Application
    variables: dict[SnakeId, SpinVariable] = {}
    trigger: Triggers
    component: dict[KebabId, Component] = {}


TABLES: dict[str, type[SpinModel]] = {
    model.__name__: model
    for model in (
        RemoteSource, RegistrySource, Placement, LocalDependency, PackageDependency,
        HttpDependency, AppDependency, Component, PrivateRoute, TargetRegistry, TargetFile,
    )
}  # fmt: skip
"""The models that stand in a union, by the word that pydantic puts into the place of an error."""
