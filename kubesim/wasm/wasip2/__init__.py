"""WASI 0.2 for components: one file an interface or two, in the order of the standard's packages.

``guest`` is a run seen from the inside. Time, randomness, output,
files and limits are those of ``wasi``, so that a program compiled either way sees the same world.
"""
