"""The main frame: a table of objects, and in its place the page of one of them."""

from __future__ import annotations

from textual.containers import Vertical
from textual.markup import escape

from kubesim.api.corev1 import Namespace, Pod
from kubesim.tui.pages import Page
from kubesim.tui.scene import Ref, Scene
from kubesim.tui.sheet import matching
from kubesim.tui.views import PODS, View
from kubesim.tui.widgets.lines import ScrollingLines
from kubesim.tui.widgets.table import SheetTable

FRAME = 5  # borders, padding and the scroll bar
NUMBERED_NAMESPACES = 9


class Browser(Vertical):
    """What is looked at.

    Args:
        scene: The run.
    """

    def __init__(self, scene: Scene) -> None:
        self.table = SheetTable(id="table")
        self.reader = ScrollingLines(id="page")
        super().__init__(self.table, self.reader, id="main")
        self.view: View = PODS
        self.namespace = ""
        self.filter = ""
        self.page: Page | None = None
        self._scene = scene

    @property
    def subject(self) -> Ref | None:
        """The object that a key is about: the page's, or the one under the cursor."""
        ref = self.page.ref if self.page is not None else self.table.selected
        return ref if ref is not None and ref.kind else None

    @property
    def node_of_subject(self) -> str:
        """The node that the object is, or is on."""
        ref = self.subject
        if ref is None:
            return ""
        if ref.kind == "Node":
            return ref.name
        obj = self._scene.find(ref)
        return obj.spec.node_name or "" if isinstance(obj, Pod) else ""

    def show(self, view: View, *, namespace: str | None = None) -> None:
        """Look at another view, in another namespace if one is given."""
        self.view = view
        self.filter = ""
        if namespace is not None:
            self.namespace = namespace
        self.close()

    def open(self, page: Page) -> None:
        """Look at a page."""
        self.page = page
        self.table.display = False
        self.reader.display = True
        self.reader.focus()
        self.draw(fresh=True)

    def close(self) -> None:
        """Look at the table again."""
        self.page = None
        self.reader.display = False
        self.table.display = True
        self.table.focus()
        self.draw()

    def leave(self) -> None:
        """One step back: from the page, from the filter, to the pods."""
        if self.page is not None:
            self.close()
        elif self.filter:
            self.filter = ""
            self.draw()
        elif self.view is not PODS:
            self.show(PODS)

    def choose_namespace(self, number: int) -> None:
        """Look at the namespace of that number; 0 is all of them."""
        names = self._namespace_names()
        if number <= len(names):
            self.namespace = names[number - 1] if number else ""
            self.draw()

    def draw(self, *, fresh: bool = False) -> None:
        """Make what is looked at anew."""
        if self.page is None:
            self._draw_table()
        else:
            self._draw_page(self.page, fresh=fresh)

    def _draw_page(self, page: Page, *, fresh: bool) -> None:
        lines = page.build(self._scene, page.ref, max(self.size.width - FRAME, 20))
        self.reader.show(lines, follow=page.follow, fresh=fresh)
        self.border_title = escape(page.title)
        self.border_subtitle = "esc back"

    def _draw_table(self) -> None:
        view, namespace = self.view, self.namespace if self.view.namespaced else ""
        sheet = view.build(self._scene, namespace)
        shown = matching(sheet, self.filter)
        self.table.show(shown)
        where = f"({namespace or 'all'})" if view.namespaced else ""
        count = f"{len(shown.rows)}/{len(sheet.rows)}" if self.filter else str(len(shown.rows))
        wanted = f" </{self.filter}>" if self.filter else ""
        self.border_title = escape(f"{sheet.title}{where}[{count}]{wanted}")
        self.border_subtitle = self._namespace_hints() if view.namespaced else ""

    def _namespace_names(self) -> list[str]:
        return [item.name for item in self._scene.objects(Namespace)][:NUMBERED_NAMESPACES]

    def _namespace_hints(self) -> str:
        names = self._namespace_names()
        hints = "  ".join(f"{number} {name}" for number, name in enumerate(names, 1))
        return escape(f"0 all  {hints}")
