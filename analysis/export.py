"""Write the best model of a sweep as one ONNX file, with a model card beside it.

    python -m analysis.export SWEEP                         # SWEEP/model.onnx and SWEEP/model-card.md
    python -m analysis.export SWEEP --out exports/a.onnx    # and exports/a-card.md
    python -m analysis.export SWEEP --data PATH             # where the sweep's data was moved to

In: `images`, uint8 (N, 3, H, W), RGB pixels as they are, for normalising is in the file; onnxruntime refuses other
types and sizes. Out: `logits`, float32 (N, classes), and `probabilities`, their softmax. The metadata has `classes`, a
JSON list in the order of the logits, `image_size`, `layout` and where the model comes from. The file appears only after
onnxruntime got the same logits out of it as torch, to 1e-4, on all validation images.
"""

from pathlib import Path

import click

from sweep.storage.command_line import SweepFolder, exit_codes, program, runs_own_code


@click.command(help=__doc__.split("\n")[0] if __doc__ else None)
@click.argument("sweep", type=SweepFolder())
@runs_own_code
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; default: model.onnx in the folder.")
@click.option("--data", type=click.Path(path_type=Path), help="Where the sweep's data lies now; default: where it was.")
def main(sweep: Path, out: Path | None, data: Path | None) -> None:
    with exit_codes(sweep):
        from sweep.analysis.outputs.export import export

        lines = export(sweep, out or sweep / "model.onnx", data)
    print("\n".join(lines))


if __name__ == "__main__":
    program(main)
