"""OCI images of Wasm as they really are: built, looked into, pushed and pulled.

A module, a component or a Spin application becomes an OCI image layout in one of the three forms
that clusters run; a layout is read back, checked digest by digest, and says what is inside. The
scenario takes such a layout where it would otherwise make an image up, so that what is simulated
is the very artifact that a cluster would pull.

``media`` has the words, ``manifest`` and ``layout`` the values and the folder, ``binary`` and
``capabilities`` look into Wasm, the ``spin*`` modules read a ``spin.toml`` and lock it, ``building``
and ``inspection`` are the verbs, ``reference``, ``transport`` and ``distribution`` talk to
registries.

Mirrors: opencontainers/image-spec, opencontainers/distribution-spec, oras.
Departs: only what Wasm needs; a Linux image is carried and never unpacked.
"""
