"""The HTTP trigger of a Spin application: one socket, and a component for each route.

A request takes the best route; a private route is taken by other components alone. A component reaches
another one of its application without any network (service chaining): ``http://<id>.spin.internal``, or
its own application as a client would, ``http://self.alt`` or a URL without host.

Mirrors: Spin crates/trigger-http/src/{server,outbound_http}.rs; crates/app/src/lib.rs
    (retain_components); crates/factor-outbound-networking
    (validate_service_chaining_for_components); containerd-shim-spin/src/engine.rs.
Departs: a chain to a component that is not there is an error for the caller, which Spin traps.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from kubesim.node.shim.outbound import Outbound
from kubesim.node.shim.serving import Asked, Host, WasmHttpHandler
from kubesim.sim import SimProcess
from kubesim.wasm.routes import WELL_KNOWN, Matched, Router, based_route
from kubesim.wire.http import (
    NO_SUCH_HOST,
    ConnectionRefused,
    HttpRequest,
    HttpResponse,
    Outlook,
    Served,
)
from kubesim.wire.image import SpinApp, SpinTrigger

RETAIN_VARIABLE = "SPIN_COMPONENTS_TO_RETAIN"
CHAINED_SUFFIX = ".spin.internal"
CHAINED_CLIENT = "0.0.0.0:0"
SELF = "self"
DUPLICATES = "The following component routes are duplicates and will never be used:"

_NOT_FOUND = HttpResponse(status=404)


class RetainError(Exception):
    """The components that were selected cannot run alone; the message is Spin's."""


def retained(app: SpinApp, selection: str | None) -> SpinApp:
    """The application with nothing but the selected components; ``None`` selects all.

    Raises:
        RetainError: One is not there, or calls one that is not selected.
    """
    if selection is None:
        return app
    names = [name for name in selection.split(",") if name]
    try:
        return _retained(app, names)
    except RetainError as error:
        raise RetainError(
            f"failed to resolve application with only [{names}] components retained by configured "
            f"environment variable {RETAIN_VARIABLE}: {error}"
        ) from None


def _retained(app: SpinApp, names: list[str]) -> SpinApp:
    known = {component.id for component in app.components}
    for name in names:
        if name not in known:
            raise RetainError(f'Specified component "{name}" not found in application')
    triggered = {trigger.component for trigger in app.triggers} | set(app.commands)
    for component in app.components:
        if component.id in names and component.id in triggered:
            _check_chains(component.id, component.grants.allowed_outbound_hosts, names)
    return replace(
        app,
        components=tuple(c for c in app.components if c.id in names and c.id in triggered),
        triggers=tuple(trigger for trigger in app.triggers if trigger.component in names),
        commands=tuple(name for name in app.commands if name in names),
    )


def _check_chains(component: str, hosts: Iterable[str], retained_names: list[str]) -> None:
    for host in hosts:
        target = _chained(host.partition("://")[2].rstrip("/"))
        if target is None or "{{" in host or target in retained_names:
            continue
        if target == "*":
            raise RetainError(
                f"Selected component '{component}' cannot use wildcard service chaining: "
                'allowed_outbound_hosts = ["http://*.spin.internal"]'
            )
        raise RetainError(
            f"Selected component '{component}' cannot use service chaining to unselected "
            f'component: allowed_outbound_hosts = ["http://{target}.spin.internal"]'
        )


def _chained(authority: str) -> str | None:
    """The component that an authority names; ``None`` when it names another host."""
    host = authority.partition(":")[0]
    return host.removesuffix(CHAINED_SUFFIX) if host.endswith(CHAINED_SUFFIX) else None


def duplicate_routes(app: SpinApp) -> Iterator[str]:
    """What Spin writes into the log about routes that there are twice: the last one counts."""
    found: dict[str, list[SpinTrigger]] = {}
    for trigger in app.triggers:
        if trigger.route is not None:
            found.setdefault(based_route(trigger.route), []).append(trigger)
    twice = [(route, triggers) for route, triggers in found.items() if len(triggers) > 1]
    if twice:
        yield DUPLICATES
    for route, triggers in twice:
        effective = triggers[-1].component or triggers[-1].id
        for trigger in triggers[:-1]:
            yield f"  {trigger.component or trigger.id}: {route or '/'} (duplicate of {effective})"


class SpinServer:
    """Answers the requests of one application.

    Args:
        host: Its container.
        app: The application.
        handlers: Who answers, by the trigger's id.
        outbound: The way out of the pod.
    """

    waiting = 0

    def __init__(self, host: Host, *, app: SpinApp, outbound: Outbound | None) -> None:
        self._host = host
        self._app = app
        self._outbound = outbound
        self._handlers: Mapping[str, WasmHttpHandler] = {}
        public = [trigger for trigger in app.triggers if trigger.route is not None]
        self._by_route = {based_route(str(trigger.route)): trigger for trigger in public}
        self._by_component = {trigger.component: trigger for trigger in app.triggers}
        self._router = Router(str(trigger.route) for trigger in public)

    def open(self, handlers: Mapping[str, WasmHttpHandler]) -> None:
        """Let these answer, by the trigger's id."""
        self._handlers = handlers

    def serve(self, request: HttpRequest) -> SimProcess[Served | ConnectionRefused]:
        """Answer a request from outside."""
        found = self._fixed(request) or self._match(request.path)
        if isinstance(found, HttpResponse):
            return (yield from self._at_once(found))
        trigger, matched = found
        return (yield from self._ask(trigger, Asked(request=request, route=matched.route)))

    def outlook(self, request: HttpRequest) -> Outlook | None:
        """What no component answers is always answered alike."""
        found = self._fixed(request) or self._match(request.path)
        if isinstance(found, HttpResponse) or found[0].response is not None:
            return Outlook()
        return self._handlers[found[0].id].outlook(request)

    def call(
        self, request: HttpRequest, scheme: str
    ) -> SimProcess[HttpResponse | ConnectionRefused]:
        """What a component of the application asks of others: here, or out of the pod."""
        target = _chained(request.host)
        if target is None and request.host != SELF:
            if self._outbound is None:
                return ConnectionRefused(NO_SUCH_HOST)
            return (yield from self._outbound(request, scheme))
        if target is None:
            answering = self.serve(replace(request, host="localhost"))
        elif target in self._by_component:
            asked = Asked(request=request, client=CHAINED_CLIENT, chained=True)
            answering = self._ask(self._by_component[target], asked)
        else:
            return ConnectionRefused(NO_SUCH_HOST)
        # A process of its own: however long the chain gets, the stack does not.
        answer: Served | ConnectionRefused = yield self._host.services.sim.process(answering)
        return answer.response if isinstance(answer, Served) else answer

    def _ask(self, trigger: SpinTrigger, asked: Asked) -> SimProcess[Served | ConnectionRefused]:
        if trigger.response is not None:
            return (yield from self._at_once(trigger.response))
        return (yield from self._handlers[trigger.id].serve_asked(asked))

    def _at_once(self, response: HttpResponse) -> SimProcess[Served]:
        waited_ns = yield from self._host.cgroup.compute(self._host.pool.overhead())
        return Served(response=response, queue_ns=waited_ns)

    def _match(self, path: str) -> tuple[SpinTrigger, Matched] | HttpResponse:
        matched = self._router.match(path)
        if matched is None:
            return _NOT_FOUND
        return self._by_route[matched.based], matched

    def _fixed(self, request: HttpRequest) -> HttpResponse | None:
        """What Spin itself answers."""
        if not request.path.startswith(WELL_KNOWN):
            return None
        name = request.path.removeprefix(WELL_KNOWN)
        if name == "health":
            return HttpResponse(body=b"OK")
        if name != "info":
            return _NOT_FOUND
        info = {"name": self._app.name}
        if self._app.version:
            info["version"] = self._app.version
        body = json.dumps(info, indent=2).encode()
        return HttpResponse(headers=(("content-type", "application/json"),), body=body)
