"""Numbers with a source: the schema of ``models/`` and its loader.

No number about the outside world is written in code. It stands in ``models/``, with where it is
from, when it was measured, how it spreads and how far it can be trusted; a number without a source
is refused. A *preset* is one coherent set of such numbers; a scenario names its preset and a run
prints it.
"""

from kubesim.calibration.machines import MachineType, load_machines
from kubesim.calibration.preset import Preset, load_preset, preset_names

__all__ = ["MachineType", "Preset", "load_machines", "load_preset", "preset_names"]
