"""Predict the label of each image with the models of a sweep.

    python -m analysis.predict SWEEP                        # the test images of its data, with what is best
    python -m analysis.predict SWEEP --with ensemble --tta  # or with best, or refit
    python -m analysis.predict SWEEP --images FOLDER        # or an archive, a table beside its images, an image
    python -m analysis.predict SWEEP --data PATH            # where the sweep's data was moved to

Writes a row an image, in the form of the sample submission where the data has one, else and for other images
`id,label`, and prints where. What is best is what the corrected estimate of the report says.
"""

from pathlib import Path

import click

from sweep.storage.command_line import SweepFolder, exit_codes, program, runs_own_code


@click.command(help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("sweep", type=SweepFolder())
@runs_own_code
@click.option(
    "--with", "kind", type=click.Choice(["best", "ensemble", "refit"]), help="Default: what is best by the estimate."
)
@click.option("--tta", is_flag=True, help="Averaged over the flips and transposes trained with; needs --with.")
@click.option(
    "--images", type=click.Path(path_type=Path), help="Folder, archive, table, image; default: the test split."
)
@click.option("--id-column", type=str, default=None, help="Of a table given as --images: names the images.")
@click.option("--data", type=click.Path(path_type=Path), help="Where the sweep's data lies now; default: where it was.")
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; default: in the sweep's folder.")
@click.option("--probabilities", is_flag=True, help="id, label and a column a class, p(CLASS), instead.")
@click.option("--submission", type=str, default=None, help="A sample of the file to hand in; from now on the sweep's.")
@click.option("--positive-class", type=str, default=None, help="Of two: the one whose probability is handed in.")
def main(
    sweep: Path,
    kind: str | None,
    tta: bool,
    images: Path | None,
    id_column: str | None,
    data: Path | None,
    out: Path | None,
    probabilities: bool,
    submission: str | None,
    positive_class: str | None,
) -> None:
    with exit_codes(sweep):
        from sweep.analysis.outputs.predict import predict

        more = id_column, submission, positive_class
        lines = predict(sweep, kind, tta, images, data, out, probabilities, *more)
    print("\n".join(lines))


if __name__ == "__main__":
    program(main)
