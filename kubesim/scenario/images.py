"""From the scenario's images to what a registry has. Wasm modules are read and checked here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from kubesim.calibration import Preset
from kubesim.calibration.preset import ProgramNumbers
from kubesim.cluster.engine import shared_engine
from kubesim.errors import InputError, Problem
from kubesim.manifests import Document
from kubesim.scenario.format import CallSpec, ImageSpec, ProgramSpec, ScenarioSpec, WasmSpec
from kubesim.scenario.format.images import DiskSpec
from kubesim.scenario.layouts import layout_image
from kubesim.sim.distribution import Constant, Distribution
from kubesim.wasm.errors import WasmError
from kubesim.wire.image import (
    Consumption,
    DiskUse,
    Health,
    Image,
    Layer,
    LinuxProgram,
    Role,
    ServiceCall,
    SpinGrants,
    WasmKind,
    WasmProgram,
    sha256_digest,
)
from kubesim.wire.redis import REDIS_PORT

WASM_LAYER_MEDIA_TYPE = "application/vnd.wasm.content.layer.v1+wasm"


class ImageLoader:
    """Makes a scenario's images.

    Args:
        document: The scenario's document, for the places of problems.
        folder: What paths in it are relative to.
        preset: Where left-out numbers come from.
    """

    def __init__(self, document: Document, *, folder: Path, preset: Preset) -> None:
        self._document = document
        self._folder = folder
        self._preset = preset

    def load(self, spec: ScenarioSpec) -> tuple[Image, ...]:
        """All images of a scenario.

        Raises:
            InputError: With every module that is missing or is not one.
        """
        images: list[Image] = []
        problems: list[Problem] = []
        for index, image in enumerate(spec.images):
            try:
                images.append(self._image(image, index))
            except InputError as error:
                problems.extend(error.problems)
        if problems:
            raise InputError(problems)
        return tuple(images)

    def default(self, name: str) -> Image:
        """An image that the scenario does not have: the preset's default program in one layer."""
        model = known_model(name)
        if model is not None:
            return self._known(name, model)
        numbers = self._preset.programs["default"]
        layer = Layer(digest=_made_up_digest(name, 0), size_bytes=numbers.image.value)
        program = replace(_program(ProgramSpec(), numbers), guessed=True)
        return Image(name=name, digest=_made_up_digest(name, 1), layers=(layer,), program=program)

    def _known(self, name: str, model: str) -> Image:
        """An image of which it is known what is in it."""
        numbers = self._preset.programs[model]
        layer = Layer(digest=_made_up_digest(name, 0), size_bytes=numbers.image.value)
        program = _program(_as_known(name, ProgramSpec()), numbers)
        return _finished(name, (layer,), program)

    def _image(self, spec: ImageSpec, index: int) -> Image:
        if spec.oci is not None:
            linux = self._linux(spec.program, index) if spec.program else None
            path = ("spec", "images", index)
            return layout_image(
                spec, linux, folder=self._folder, document=self._document, path=path
            )
        layers = tuple(
            Layer(
                digest=layer.digest or _made_up_digest(f"{spec.name}/{layer.size}", number),
                size_bytes=layer.size.value(),
            )
            for number, layer in enumerate(spec.layers)
        )
        if spec.wasm is not None:
            wasm = self._wasm(spec.wasm, ("spec", "images", index, "wasm", "module"))
            module = Layer(
                digest=wasm.digest,
                size_bytes=len(wasm.module),
                media_type=WASM_LAYER_MEDIA_TYPE,
            )
            return _finished(spec.name, (*layers, module), wasm)
        program = _as_known(spec.name, spec.program or ProgramSpec())
        return _finished(spec.name, layers, self._linux(program, index))

    def _linux(self, program: ProgramSpec, index: int) -> LinuxProgram:
        numbers = self._preset.programs.get(program.model)
        if numbers is None:
            known = ", ".join(self._preset.programs)
            raise InputError(
                self._document.problem(
                    f'preset "{self._preset.name}" has no program "{program.model}"',
                    ("spec", "images", index, "program", "model"),
                    suggestion=f"it has: {known}",
                )
            )
        return _program(program, numbers)

    def _wasm(self, spec: WasmSpec, path: tuple[str | int, ...]) -> WasmProgram:
        file = self._folder / spec.module
        try:
            module = file.read_bytes()
        except OSError as error:
            why = error.strerror or str(error)
            raise InputError(
                self._document.problem(f'module "{spec.module}": {why}', path)
            ) from None
        try:
            shared_engine().load(module)
        except WasmError as error:
            raise InputError(
                self._document.problem(f'module "{spec.module}": {error}', path)
            ) from None
        return WasmProgram(
            module=module,
            digest=sha256_digest(module),
            kind=WasmKind(spec.kind),
            port=spec.port or 0,
            grants=SpinGrants(
                key_value_stores=spec.spin.key_value_stores,
                sqlite_databases=spec.spin.sqlite_databases,
                variables=tuple(spec.spin.variables.items()),
                allowed_outbound_hosts=spec.spin.allowed_outbound_hosts,
            ),
        )


_KNOWN = (
    (re.compile(r"(?:/|^)(?:kwasm-)?node-installer(?::|@|$)"), "node-installer"),
    (re.compile(r"(?:/|^)shim-downloader(?::|@|$)"), "shim-downloader"),
    (re.compile(r"^ghcr\.io/(?:spinframework|fermyon)/spin(?::|@|$)"), "spin"),
)


def known_model(name: str) -> str | None:
    """The preset's program that an image of that name has, whatever its tag is."""
    return next((model for pattern, model in _KNOWN if pattern.search(name)), None)


def _as_known(name: str, program: ProgramSpec) -> ProgramSpec:
    """The program with the role that the image's name says, and its role's numbers."""
    given = program.model_fields_set
    role = program.role if "role" in given else known_model(name)
    if role is None or role not in {model for _, model in _KNOWN}:
        return program
    filled = {"role": role, "model": role, "port": 0}
    return program.model_copy(update={k: v for k, v in filled.items() if k not in given})


def _program(spec: ProgramSpec, numbers: ProgramNumbers) -> LinuxProgram:
    return LinuxProgram(
        init=_or(spec.init, numbers.init.distribution),
        service=_or(spec.service, numbers.service.distribution),
        workers=spec.workers or numbers.workers.value,
        memory_bytes=spec.memory.value() if spec.memory else numbers.memory.value,
        port=_port(spec),
        run_time=None if spec.run_time is None else Constant(spec.run_time),
        exit_code=spec.exit_code,
        log=spec.log,
        body=spec.body.encode(),
        queue_length=spec.queue_length,
        refuses_when_full=spec.when_full == "refuse",
        calls=tuple(_call(call) for call in spec.calls),
        start=numbers.start.distribution if numbers.start else None,
        finishes=spec.on_sigterm == "finish",
        health=Health(
            healthy_after_ns=spec.healthy.after,
            unhealthy_from_ns=spec.unhealthy_from,
            unhealthy_for_ns=spec.unhealthy_for,
            hang_from_ns=spec.hang_from,
            hang_for_ns=spec.hang_for,
        ),
        cpu_millis=spec.cpu.milli_value() if spec.cpu else 0,
        request_memory_bytes=spec.memory_per_request.value() if spec.memory_per_request else 0,
        growth_bytes=spec.memory_growth.by.value() if spec.memory_growth else 0,
        growth_every_ns=spec.memory_growth.every if spec.memory_growth else 0,
        role=Role(spec.role),
        consumes=None if spec.consumes is None else Consumption(
            queue=spec.consumes.queue,
            messages=spec.consumes.messages,
            idle_ns=spec.consumes.idle,
        ),
        disk=_disk(spec.disk) if spec.disk else DiskUse(),
    )  # fmt: skip


def _port(spec: ProgramSpec) -> int:
    """Where it listens; a Redis server has a default of its own."""
    if spec.role == "redis" and "port" not in spec.model_fields_set:
        return REDIS_PORT
    return spec.port


def _disk(spec: DiskSpec) -> DiskUse:
    return DiskUse(
        path=spec.path,
        size_bytes=spec.size.value() if spec.size else 0,
        growth_bytes=spec.growth.by.value() if spec.growth else 0,
        growth_every_ns=spec.growth.every if spec.growth else 0,
    )


def _call(spec: CallSpec) -> ServiceCall:
    namespace, _, service = spec.service.rpartition("/")
    return ServiceCall(
        namespace=namespace,
        service=service,
        port=spec.port,
        path=spec.path,
        count=spec.count,
        parallel=spec.parallel,
        timeout_ns=spec.timeout or 0,
    )


def _or(given_ns: int | None, otherwise: Distribution) -> Distribution:
    return otherwise if given_ns is None else Constant(given_ns)


def _finished(name: str, layers: tuple[Layer, ...], program: LinuxProgram | WasmProgram) -> Image:
    together = "".join(layer.digest for layer in layers)
    return Image(
        name=name, digest=sha256_digest(together.encode()), layers=layers, program=program
    )


def _made_up_digest(name: str, number: int) -> str:
    """A digest for a layer without content: equal for equal names only."""
    return f"sha256:{hashlib.sha256(f'kubesim/{name}/{number}'.encode()).hexdigest()}"
