"""Import Gradio without writing its editor stubs, which takes a third of the import.

Gradio parses the source of every component at each import to write `.pyi` files beside it, for editors. A server needs
none. `create_or_modify_pyi` is private: where a later version no longer has it, nothing is changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

MODULE = "gradio.component_meta"


class _WithoutStubs(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        if hasattr(module, "create_or_modify_pyi"):
            module.create_or_modify_pyi = lambda *_: None  # type: ignore[attr-defined]


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != MODULE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = _WithoutStubs(spec.loader)
        return spec


def import_gradio_quickly() -> None:
    """Call before the first import of gradio."""
    if MODULE not in sys.modules:
        sys.meta_path.insert(0, _Finder())
