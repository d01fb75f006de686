"""Imports by the names that the packages had before they lay below `sweep`, such as `trainable.config`.

A file of the user's may have been written for the old names. A sweep that began with such a file continues only with
exactly that file, so these imports still have to work.
"""

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

from sweep.storage.programs import IS_INSTALLED

PACKAGES = ("storage", "datasets", "trainable", "analysis", "search")


def understand() -> None:
    """Makes an import by an old name give the module of the new name, instead of a second module of the same file.

    This does nothing where the project is installed: there the old names never existed, and `datasets` may be somebody
    else's package.
    """
    if not IS_INSTALLED and FINDER not in sys.meta_path:
        sys.meta_path.insert(0, FINDER)


class _Finder(MetaPathFinder, Loader):
    def __init__(self) -> None:
        self.specs: dict[str, Any] = {}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in PACKAGES:
            return None
        return spec_from_loader(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(f"sweep.{spec.name}")
        self.specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Restores the module's own `__spec__`, which the import by the old name has replaced."""
        assert module.__spec__ is not None
        module.__spec__ = self.specs.pop(module.__spec__.name)


FINDER = _Finder()
