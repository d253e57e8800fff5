"""Studies: sweeps, plans and DataFrames over many runs."""
