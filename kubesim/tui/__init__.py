"""The TUI: a cluster to watch and to step through."""
