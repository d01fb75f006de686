"""Stores the form of the submission in a sweep's folder, as `submission.json`; old sweeps have `submission.csv`."""

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweep.datasets.submission import FORMS, Form, Submission
from sweep.storage import paths
from sweep.storage.files import DamagedError, check_regular
from sweep.storage.programs import spelled
from sweep.storage.schema import parsed, to_json


@dataclass(frozen=True)
class _File:
    """The content of `submission.json`."""

    form: dict[str, Any]
    header: list[str]
    ids: list[str]
    rows: list[int]
    id_column: int = 0
    kept: dict[int, list[str]] = field(default_factory=dict)
    separator: str = ","
    other: dict[str, Any] | None = None


def to_bytes(submission: Submission) -> bytes:
    """Returns the submission as JSON, which `of_bytes` reads."""
    content = _File(
        form=_form_to_json(submission.form),
        header=list(submission.header),
        ids=list(submission.ids),
        rows=list(submission.rows),
        id_column=submission.id_column,
        kept={number: list(cells) for number, cells in submission.kept.items()},
        separator=submission.separator,
        other=None if submission.other is None else _form_to_json(submission.other),
    )
    return (json.dumps(to_json(content)) + "\n").encode()


def of_bytes(data: bytes) -> Submission:
    """Returns the submission that `to_bytes` wrote.

    Raises:
      ValueError: the bytes are something else.
    """
    content: _File = parsed(_File, json.loads(data))
    submission = Submission(
        header=tuple(content.header),
        ids=tuple(content.ids),
        rows=tuple(content.rows),
        form=_form_from_json(content.form),
        other=None if content.other is None else _form_from_json(content.other),
        id_column=content.id_column,
        kept={number: tuple(cells) for number, cells in content.kept.items()},
        separator=content.separator,
    )
    counts = {len(cells) for cells in (submission.ids, submission.rows, *submission.kept.values())}
    width = len(submission.filled) + len(submission.kept) + 1
    columns = {submission.id_column, *submission.kept, *submission.filled}
    if len(counts) != 1 or columns != set(range(width)) or len(content.header) not in (0, width):
        raise ValueError("must have as many cells in each of its columns")
    if len(content.separator) != 1:
        raise ValueError("separator must be one character")
    return submission


def _form_to_json(form: Form) -> dict[str, Any]:
    """Returns a form as JSON holds it, with its name."""
    return {"name": form.name, **to_json(form)}


def _form_from_json(content: dict[str, Any]) -> Form:
    """Returns the form that `_named` wrote."""
    kinds = {kind.name: kind for kind in FORMS}
    name = content.get("name")
    if name not in kinds:
        raise ValueError(f"form must be one of {', '.join(kinds)}, got {json.dumps(name)[:40]}")
    form: Form = parsed(kinds[name], {key: value for key, value in content.items() if key != "name"}, "form")
    return form


def of_old_table(table: bytes) -> Submission:
    """Returns the submission in a `submission.csv`: a header, and each id with the row of its image in the test split.

    Raises:
      ValueError: it is not such a table.
      csv.Error: it is not CSV.
    """
    header, *rows = [*csv.reader(io.StringIO(table.decode(), newline=""), strict=True)] or [[]]
    if len(header) != 2 or any(len(row) != 2 for row in rows):
        raise ValueError("must have two fields a row")
    return Submission((header[0], header[1]), tuple(row[0] for row in rows), tuple(int(row[1]) for row in rows))


def is_kept(folder: Path) -> bool:
    """Returns whether the folder of a sweep holds a form of submission."""
    return any((folder / name).exists() for name in (paths.SUBMISSION, paths.OLD_SUBMISSION))


def read_kept(folder: Path, test_ids: tuple[str, ...]) -> Submission:
    """Returns how the predictions of a sweep are handed in; `id,label` if its folder holds no other form.

    Args:
      folder: the folder of the sweep.
      test_ids: the ids of the test images.

    Raises:
      DamagedError: the file is damaged.
    """
    for name, read in ((paths.SUBMISSION, of_bytes), (paths.OLD_SUBMISSION, of_old_table)):
        path = folder / name
        if path.exists():
            check_regular(path)
            try:
                return read(path.read_bytes())
            except (ValueError, csv.Error) as error:
                way_out = f"`{spelled('check')} --repair` moves it away; the next start that trains keeps it anew"
                raise DamagedError(path, str(error), way_out) from None
    return Submission.plain(test_ids)
