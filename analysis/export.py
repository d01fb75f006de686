"""Write the best model of a sweep as one ONNX file, with a model card beside it.

    python -m analysis.export SWEEP                         # SWEEP/model.onnx and SWEEP/model-card.md
    python -m analysis.export SWEEP --out exports/a.onnx    # and exports/a-card.md
    python -m analysis.export SWEEP --data PATH             # where the sweep's data was moved to

The input is `images`, uint8 (N, 3, H, W), with RGB pixels as they are in an image file, because the model normalises
them itself; onnxruntime refuses other types and sizes. The outputs are `logits`, float32 (N, classes), and
`probabilities`, their softmax, after division by the temperature where the model has one. The metadata has `classes`, a
JSON list in the order of the logits, `image_size`, `layout` and where the model comes from. The file appears only if
onnxruntime computes the same logits from it as torch, to 1e-4, on all validation images.
"""

from pathlib import Path

import click

from sweep.storage.command_line import SweepFolder, exit_codes, program, runs_own_code


@click.command(help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("sweep", type=SweepFolder())
@runs_own_code
@click.option(
    "--out", type=click.Path(path_type=Path), help="The file to write; by default model.onnx in the sweep's folder."
)
@click.option(
    "--data", type=click.Path(path_type=Path), help="Where the sweep's data lies now; by default where it was."
)
def main(sweep: Path, out: Path | None, data: Path | None) -> None:
    """Exports the best model and prints the paths of the files."""
    with exit_codes(sweep):
        from sweep.analysis.outputs.export import export

        lines = export(sweep, out or sweep / "model.onnx", data)
    print("\n".join(lines))


if __name__ == "__main__":
    program(main)
