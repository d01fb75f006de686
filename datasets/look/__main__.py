"""Shows how a data set is read, which images would be left out, and at which size it would be trained on.

\b
    python -m datasets.look data/                  # look.html for the browser, and look.png
    python -m datasets.look data.zip --out my.png  # the picture alone
    python -m datasets.look data/ --json           # the same as JSON on the screen, and no file

Bad images do not stop this command: it shows the data as `--leave-out bad` would use it.
"""  # noqa: D301 (click keeps the lines below a \b as they are)

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sweep.datasets.options import reads_data, taken_options
from sweep.storage.command_line import Exit, check_out, exit_codes, program
from sweep.storage.errors import UserError
from sweep.storage.files import utf8

# the first bytes, by which a file that this command wrote is recognised
BEGINNINGS = {".png": b"\x89PNG\r\n\x1a\n", ".html": b"<!doctype html>"}


@click.command(help=__doc__)
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="look.html",
    show_default=True,
    help="The file to write, .html or .png.",
)
@click.option("--json", "as_json", is_flag=True, help="Prints JSON instead, and writes no file.")
@reads_data
def main(data: Path, out: Path, as_json: bool, **flags: Any) -> None:
    """Runs the command."""
    with exit_codes():
        paths = [] if as_json else list(_output_paths(out, data))
        from sweep.datasets.look.about import about, read

        dataset, problems = read(data, taken_options(flags))
    description = about(dataset, data, problems)
    for path in paths:
        path.write_bytes(_content(path, dataset, description, data.name or str(data)))
    if as_json:
        print(json.dumps(asdict(description) | {"left_out_by_reason": description.reasons()}, indent=1))
    else:
        print("\n".join([*map(str, paths), *description.lines()]))
    if problems:
        print("\n".join(["Without --leave-out bad it is refused:", *description.refused[:20]]), file=sys.stderr)
        sys.exit(Exit.YOURS_TO_MEND)


def _output_paths(out: Path, data: Path) -> Iterator[Path]:
    """Yields the files to write: the page with the picture beside it, or the picture alone.

    Raises:
      UserError: one of them must not be written.
    """
    if out.suffix not in BEGINNINGS:
        raise UserError(f"--out {out}: must end with .html or .png; give another name")
    for path in [out] if out.suffix == ".png" else [out, out.with_suffix(".png")]:
        check_out(path, {data: "a file of the data"})
        if path.is_file() and not path.read_bytes().startswith(BEGINNINGS[path.suffix]):
            raise UserError(f"--out {path}: is there already and no {path.suffix[1:].upper()}; give another name")
        yield path


def _content(path: Path, data: Any, description: Any, title: str) -> bytes:
    """Returns the bytes of the page or the picture, by the suffix of the path."""
    if path.suffix == ".png":
        from sweep.datasets.look.picture import png

        return png(data, title)
    from sweep.datasets.look.page import page

    return utf8(page(data, description))


if __name__ == "__main__":
    program(main)
