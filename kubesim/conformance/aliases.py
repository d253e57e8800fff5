"""Names that do not depend on chance: ``web-rs2-p3`` for ``web-7d9f4c6b8-x2x9k``.

An object whose name was generated is called by its owner and by the order in which it was seen; an
object that bears the name of one that is gone says which of them it is: ``db-0#2``.
"""

from __future__ import annotations

import re
from collections import Counter

from kubesim.api.metav1 import KubeObject, OwnerReference

NAMESPACE = "recorded-case"


_GENERATED = re.compile(r"(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}")


class Aliases:
    """The aliases of one case, given out in the order of asking."""

    def __init__(self) -> None:
        self._of_uid: dict[str, str] = {}
        self._of_name: dict[str, str] = {}
        self._counted: Counter[tuple[str, ...]] = Counter()

    def of(self, obj: KubeObject) -> str:
        """The object's alias; a new one if it was not seen before."""
        known = self._of_uid.get(obj.uid)
        if known is not None:
            return known
        alias = self._made(obj)
        self._of_uid[obj.uid] = alias
        return alias

    def uid_of(self, alias: str) -> str | None:
        """The UID of the newest object of that alias."""
        found = None
        for uid, known in self._of_uid.items():
            if known == alias:
                found = uid
        return found

    def name(self, name: str) -> str:
        """The alias for a name that was generated; the name itself otherwise."""
        known = self._of_name.get(name)
        if known is not None:
            return known
        refused = _GENERATED.fullmatch(name)
        owner = refused[1] if refused else ""
        # The name of a pod that was refused; nobody has seen it.
        return f"{self._of_name.get(owner, owner)}-xxxxx" if self._has(owner) else name

    def _has(self, name: str) -> bool:
        return name in self._of_name or any(kind[2:] == (name,) for kind in self._counted)

    def text(self, text: str) -> str:
        """A message with aliases for names, and ``NS`` for the namespace."""
        for before, after in (("", "/"), ("namespace ", ""), ('"', '"')):
            text = text.replace(f"{before}{NAMESPACE}{after}", f"{before}NS{after}")
        return re.sub(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", lambda m: self.name(m.group()), text)

    def _made(self, obj: KubeObject) -> str:
        owner = next((o for o in obj.metadata.owner_references if o.controller), None)
        generated = self._generated(obj, owner)
        if generated is not None:
            self._of_name[obj.name] = generated
            return generated
        return self._numbered(obj.kind, obj.name)

    def _generated(self, obj: KubeObject, owner: OwnerReference | None) -> str | None:
        if owner is None:
            return None
        mark = {
            ("ReplicaSet", "Deployment"): "rs",
            ("ControllerRevision", "StatefulSet"): "rev",
            ("ControllerRevision", "DaemonSet"): "rev",
        }.get((obj.kind, owner.kind))
        if obj.kind == "Pod" and obj.metadata.generate_name:
            mark = "p"
        if mark is None:
            return None
        whose = self._of_uid.get(owner.uid, self.name(owner.name))
        self._counted[whose, mark] += 1
        return f"{whose}-{mark}{self._counted[whose, mark]}"

    def _numbered(self, kind: str, name: str) -> str:
        self._counted["", kind, name] += 1
        count = self._counted["", kind, name]
        return name if count == 1 else f"{name}#{count}"
