"""What was measured, before anything is made of it.

Names are paths: ``runc/create``, ``cri/RunPodSandbox`` (with CNI), ``cri/RunPodSandbox/host``,
``pull/BYTES/LAYERS`` by the compressed size, ``unpack/BYTES/LAYERS``, ``pull/present``,
``wasm/instantiate``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kubesim.errors import InputError, Problem
from kubesim.share import share_path


@dataclass(kw_only=True)
class Samples:
    """Durations of one machine.

    Attributes:
        provenance: How they came about.
        machine: The machine.
        measured: When, as ``YYYY-MM``.
        ms: Milliseconds, by name, in the order they were taken.
        kib: Memory by process: resident (``rss``) and its share of it (``pss``).
        missing: What could not be measured, and why.
    """

    provenance: str
    machine: str
    measured: str
    ms: dict[str, list[float]] = field(default_factory=dict)
    kib: dict[str, dict[str, int]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """As it is kept in ``models/measured``."""
        return json.dumps({"unit": "ms", **asdict(self)}, indent=1)


def recorded_path(measured: str) -> Path:
    """Where the samples of a measurement lie that is shipped."""
    return share_path("models") / "measured" / f"{measured}.json"


def load_samples(path: Path) -> Samples:
    """Samples from a file.

    Raises:
        InputError: If it cannot be read, or is not such a file.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        ms = {str(name): [float(each) for each in values] for name, values in data["ms"].items()}
        return Samples(
            provenance=str(data["provenance"]),
            machine=str(data["machine"]),
            measured=str(data["measured"]),
            ms=ms,
            kib=data["kib"],
            missing=data.get("missing", {}),
        )
    except OSError as error:
        raise InputError(Problem(message=error.strerror or str(error), file=str(path))) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"these are no samples of kubesim calibrate node: {error}"
        raise InputError(Problem(message=message, file=str(path))) from None
