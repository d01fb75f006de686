"""Objects in the user's own files, which a command names as FILE.py:OBJECT.

Such a file is the user's code. It runs only if a command names it: the folder of a sweep keeps the name, but never
makes the file run. The driver sends the sources to its workers, which may be on nodes that do not have the file.
"""

import hashlib
import os
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.abc import InspectLoader
from importlib.util import decode_source
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from sweep.storage import old_names
from sweep.storage.errors import UserError


class NotNamedError(UserError):
    """A reference leads to a file that no command named, so the file may not run."""


@dataclass
class _File:
    """A file of the user's that this process may run.

    Attributes:
      source: the bytes of the file.
      module: the module that the file has become; None until it has run.
    """

    source: bytes
    module: ModuleType | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.source).hexdigest()


_files: dict[str, _File] = {}  # by absolute path


def is_reference(value: Any) -> bool:
    """Returns whether a value has the form FILE.py:OBJECT, which names an object in a file of the user's."""
    return isinstance(value, str) and re.search(r"\.py:\w+$", value) is not None


def name(reference: str, flag: str) -> str:
    """Runs the file of the FILE.py:OBJECT that a flag of a command names, and keeps its objects for this process.

    The file may import others that lie beside it.

    Args:
      reference: the value of the flag.
      flag: the name of the flag, for messages.

    Returns:
      The reference with the absolute path of the file, which is valid in any working directory.

    Raises:
      UserError: there is no such file or object, or the file fails when it runs.
    """
    file, _, name = reference.rpartition(":")
    argument = f"{flag}{reference}" if flag.endswith("=") else f"{flag} {reference}".strip()
    if not file or not Path(file).is_file():
        raise UserError(f"{argument}: must be FILE.py:OBJECT with an existing file")
    if Path(file).suffix != ".py":
        raise UserError(f"{argument}: {file} is no Python file")
    path = os.path.realpath(file)
    try:
        remember({path: Path(path).read_bytes()})
        get(f"{path}:{name}")
    except (OSError, UserError) as error:
        raise UserError(f"{argument}: {error}") from error
    return f"{path}:{name}"


def get(reference: str) -> Any:
    """Returns the object of a reference that `name` returned, in this or another process.

    If the file was moved since, it is found by the name of the file alone; `check` compares its content.

    Raises:
      UserError: no command named the file, it fails when it runs here, or it has no such object.
    """
    path, file = _require(reference)
    if file.module is None:
        file.module = _run(path, file.source)
    if not hasattr(file.module, _object(reference)):
        raise UserError(f"{path} has no `{_object(reference)}`")
    return getattr(file.module, _object(reference))


def has_run(reference: str) -> bool:
    """Returns whether the file of this reference has run in this process, so that its objects exist."""
    entry = _find(reference)
    return entry is not None and entry[1].module is not None


def digest(reference: str) -> str:
    """Returns the sha256 of the bytes that the file of a reference had when a command named it."""
    return _require(reference)[1].digest


def check(digests: Mapping[str, str]) -> None:
    """Checks that the files that commands named have the content that they had when a sweep began.

    A file that only moved since is accepted.

    Args:
      digests: the digest of each file, by the reference that the sweep recorded for it.

    Raises:
      UserError: a file has another content.
    """
    for reference, digest in digests.items():
        path = reference.rpartition(":")[0]
        match = next((file for file in _files.values() if file.digest == digest), None)
        if match is not None:
            _files[path] = match
        elif entry := _find(reference):
            raise UserError(
                f"{entry[0]}: is not the file that the sweep began with: its sha256 was {digest}, and is "
                f"{entry[1].digest}; put the old content back, or start another sweep"
            )


def kept_name(reference: Any, digests: Mapping[str, str]) -> Any:
    """Returns the reference that a sweep recorded for an object, whose file may have moved since.

    Args:
      reference: a reference, or any other value, which is returned unchanged.
      digests: the digest of each file, by the reference that the sweep recorded for it.
    """
    if not is_reference(reference):
        return reference
    matches = (
        other for other in digests if digests[other] == digest(reference) and _object(other) == _object(reference)
    )
    return next(matches, reference)


def sources() -> dict[str, bytes]:
    """Returns the bytes of each file that a command named, by its absolute path."""
    return {path: file.source for path, file in _files.items()}


def remember(sources: dict[str, bytes]) -> None:
    """Permits this process to run files that `sources` returned in another; a file runs when `get` needs its object."""
    for path, source in sources.items():
        if path not in _files or _files[path].source != source:
            _files[path] = _File(source)


def _object(reference: str) -> str:
    return reference.rpartition(":")[2]


def _find(reference: str) -> tuple[str, _File] | None:
    path = reference.rpartition(":")[0]
    if path in _files:
        return path, _files[path]
    elsewhere = [item for item in _files.items() if os.path.basename(item[0]) == os.path.basename(path)]
    return elsewhere[0] if len(elsewhere) == 1 else None


def _require(reference: str) -> tuple[str, _File]:
    if entry := _find(reference):
        return entry
    raise NotNamedError(
        f"{reference} is an object of a file of yours, which runs only where the command names it; "
        f"add --code {reference}, or its place by now"
    )


class _Loader(InspectLoader):
    """Runs a source from memory, so that no `__pycache__` beside the file is written or read."""

    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source = path, source

    def get_source(self, fullname: str) -> str:
        return decode_source(self.source)

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.source, self.path)


def _run(path: str, source: bytes) -> ModuleType:
    # No import statement can spell this name. It has to be in `sys.modules` because dataclasses look their module up.
    module = ModuleType(f"file {path}")
    module.__file__, module.__loader__ = path, _Loader(path, source)
    sys.modules[module.__name__] = module
    old_names.understand()
    folder = os.path.dirname(path)
    if folder not in sys.path:
        sys.path.append(folder)  # at the end, so that a file of the user's cannot replace a library's module
    try:
        module.__loader__.exec_module(module)
    except Exception as error:  # the user has to mend whatever their code raises
        message = f"{type(error).__name__}: {error}{name_taken(error, path)}"
        raise UserError(f"{place(error, path)} does not run: {message}") from error
    return module


def place(error: Exception, path: str) -> str:
    """Returns the line of the file at `path` that led to an error, as FILE:LINE; FILE if no line of it did."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if isinstance(error, SyntaxError) and error.filename == path:  # such an error has no frame in the file
        lines = [error.lineno]
    return f"{path}:{lines[-1]}" if lines else path


def name_taken(error: Exception, path: str) -> str:
    """Returns what to do if an import in the file at `path` found another module than the file beside it.

    That happens when the name is taken already by a module of Python, of a library or of this project. The text is
    empty if this is not the cause of the error.
    """
    module_name = error.name if isinstance(error, ImportError) else getattr(getattr(error, "obj", None), "__name__", "")
    name, folder = str(module_name).removeprefix("sweep.").partition(".")[0], Path(path).parent.resolve()
    place = getattr(sys.modules.get(name), "__file__", None) or "Python itself"
    siblings = [file for file in (folder / f"{name}.py", folder / name) if name and file.exists()]
    if not siblings or name not in sys.modules or Path(place).is_relative_to(folder):
        return ""
    return f"; the name `{name}` is taken, by {place}, so {siblings[0]} is not imported: rename that"
