"""What the simulator knows of a run: the journal's readers.

An ``Observer`` follows a live run; a ``Run`` is what is left when it has ended: tables with a
versioned schema. Components never read any of it.
"""

from kubesim.telemetry.observer import Observer
from kubesim.telemetry.run import SCHEMA_VERSION, ExpectationResult, Run
from kubesim.telemetry.table import Table

__all__ = ["SCHEMA_VERSION", "ExpectationResult", "Observer", "Run", "Table"]
