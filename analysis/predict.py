"""Predict the label of each image with the models of a sweep.

    python -m analysis.predict SWEEP                        # the test images of its data, with what is best
    python -m analysis.predict SWEEP --with ensemble --tta  # or with best, or refit
    python -m analysis.predict SWEEP --images FOLDER        # or an archive, a table beside its images, an image
    python -m analysis.predict SWEEP --data PATH            # where the sweep's data was moved to

The command writes one row for each image and prints the path of the file. The test images of data with a sample
submission get the form of that sample; all other images get `id,label`. Without --with, it predicts with whatever is
best by the corrected estimate of the report.
"""

from pathlib import Path

import click

from sweep.storage.command_line import SweepFolder, exit_codes, program, runs_own_code


@click.command(help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("sweep", type=SweepFolder())
@runs_own_code
@click.option(
    "--with",
    "kind",
    type=click.Choice(["best", "ensemble", "refit"]),
    help="What predicts; by default what the corrected estimate says is best.",
)
@click.option(
    "--tta", is_flag=True, help="Averages over the flips and transposes that the model was trained with; needs --with."
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="A folder, an archive, a table or an image to predict; by default the test split.",
)
@click.option("--id-column", type=str, default=None, help="The column that names the images, if --images is a table.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Where the sweep's data lies now; by default where it was."
)
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; by default one in the sweep's folder.")
@click.option("--probabilities", is_flag=True, help="Writes id, label and the probability of each class, p(CLASS).")
@click.option("--submission", type=str, default=None, help="A sample of the file to hand in, which the sweep keeps.")
@click.option(
    "--positive-class", type=str, default=None, help="Which of two classes is the one whose probability is handed in."
)
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
    """Writes the predictions and prints the path of the file."""
    with exit_codes(sweep):
        from sweep.analysis.outputs.predict import predict

        options = id_column, submission, positive_class
        lines = predict(sweep, kind, tta, images, data, out, probabilities, *options)
    print("\n".join(lines))


if __name__ == "__main__":
    program(main)
