"""What somebody at a terminal types in the course of a run, and what the terminal says.

A scenario's timeline may have ``kubectl`` and ``curl`` steps: what they would print is kept and told
with the run's report. Looking changes nothing; a ``curl`` is a real request.
"""

from kubesim.scenario.transcript.commands import Command, parse_command, parse_url, typed_problems
from kubesim.scenario.transcript.transcript import Transcript

__all__ = ["Command", "Transcript", "parse_command", "parse_url", "typed_problems"]
