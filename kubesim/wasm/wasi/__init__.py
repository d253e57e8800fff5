"""WASI preview 1, hosted by kubesim itself: every clock virtual, every byte accounted for.

One file an area (``args``, ``clock``, ``random``, ``fd``, ``path``, ``poll``, ``proc``, ``sock``),
each a handful of functions with the names and the parameters of the standard. They take the
``Guest``, which is the state of one run, and whole unsigned numbers, and return an ``Errno``;
``table`` lists them with their signatures. No function here can reach the real machine: there is
no file, no clock and no socket to reach.

Mirrors: wasi_snapshot_preview1.witx, wasmtime's crates/wasi/src/p1.rs (the answers to a command's
    questions).
Departs: the built-in host of wasmtime is not used, as it reads the real clock and starts threads.
"""
