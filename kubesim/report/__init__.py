"""Reports: pure functions of a Run."""
