"""Manifests: YAML in, API objects out, and back; and what is wrong with them, and where.

``load("pods.yaml")`` gives the objects of a file; ``dump(obj)`` writes them. A document of another
format (a scenario) is read with ``read_paths`` and checked with ``validate(document, model)``; its
errors look the same. Everything that can be wrong with input ends in one ``InputError``, which
carries all problems, each with file, line, column and, where there is one, a suggestion.
"""

from kubesim.manifests.checking import check
from kubesim.manifests.decoding import (
    Decoder,
    Manifest,
    decode,
    load,
    load_documents,
    load_text,
    validate,
)
from kubesim.manifests.problems import closest
from kubesim.manifests.reading import Document, Source, read_paths, read_text
from kubesim.manifests.writing import dump, to_data

__all__ = [
    "Decoder",
    "Document",
    "Manifest",
    "Source",
    "check",
    "closest",
    "decode",
    "dump",
    "load",
    "load_documents",
    "load_text",
    "read_paths",
    "read_text",
    "to_data",
    "validate",
]
