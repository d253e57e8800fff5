"""Writing API objects as YAML or as plain data.

Only what was set is written, in the order in which people write it: apiVersion, kind, metadata,
spec, status, and within them the order of the declarations. So what came in goes out again, and a
``null`` (the same as absent) is left out.

Departs: kubectl sorts the fields of an object by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml
from typing_extensions import override

from kubesim.api.metav1 import KubeObject
from kubesim.api.model import KubeModel
from kubesim.manifests.reading import resolve

__all__ = ["dump", "to_data"]


def to_data(obj: KubeModel) -> dict[str, Any]:
    """The object as plain data with wire names: what JSON and YAML would carry."""
    data = obj.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    if isinstance(obj, KubeObject):
        return {"apiVersion": obj.api_version, "kind": obj.kind, **data}
    return data


def dump(objects: KubeModel | Iterable[KubeModel]) -> str:
    """The YAML text of an object, or of several with ``---`` between them."""
    if isinstance(objects, KubeModel):
        objects = (objects,)
    return "---\n".join(
        yaml.dump(
            to_data(obj),
            Dumper=_Dumper,
            sort_keys=False,
            default_flow_style=False,
            allow_unicode=True,
            width=_WIDTH,
        )
        for obj in objects
    )


_WIDTH = 2**30  # long texts stay on one line


class _Dumper(yaml.CSafeDumper):
    """Quotes what Kubernetes would take for a boolean; writes long texts as blocks."""

    @override
    def ignore_aliases(self, data: Any) -> bool:
        """Equal parts are written out each time: manifests have no anchors."""
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=_style_of(text)
    ),
)


def _style_of(text: str) -> str | None:
    if "\n" in text:
        return "|"
    return "'" if text in _BOOLEANS or type(resolve(text)) is not str else None


_BOOLEANS = frozenset("yYnN")
