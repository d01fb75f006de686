"""The batched form of an albumentations pipeline: the same distribution, tensors in and out, draws per image.

    change = batched(pipeline)              # None: something in it has no batched form; see `unsupported`
    images = change(take(pixels, index), generator)

Every transform changes the images chosen for it, and uint8 goes from one to the next as it does
in albumentations, so that rounding and clipping are the same too.

Microseconds per 16x16 image at p = 0.5, batches of 200, one thread of an AMD EPYC, torch 2.14.1, best of 40
runs of 20 batches (beside it: per_image, best of 15 batches): two flips 0.6 (9), flips and rotation 2.2 (52),
the seven of the published runs 7.9 (127), all ten 11 (172).
"""

import albumentations as A
import torch
from torch import Tensor

from sweep.datasets.augment import transforms
from sweep.datasets.augment.batch_rows import Change, rows, take


def batched(pipeline: A.Compose, on_all: bool | None = None) -> Change | None:
    """Returns a function of (images, generator) that does to a whole batch what `pipeline` does to one image.

    It takes and returns (N, 3, H, W) uint8 and leaves its input as it is. The generator must be on
    the device of the images; same state in, same images out. It raises ValueError for another dtype,
    and for images that are not square where the pipeline transposes.

    Args:
      on_all: each transform changes the whole batch and the images chosen for it keep the change, instead
        of seeing those alone: more arithmetic, but a GPU is never waited for to learn which they are.
        The draws differ, their distribution does not. Default: everywhere but on a CPU.

    Returns:
      None where `unsupported(pipeline)` names something.
    """
    if unsupported(pipeline):
        return None
    steps = [(transform.p, form) for transform in pipeline if transform.p > 0 and (form := _form(transform))]

    def run(images: Tensor, generator: torch.Generator) -> Tensor:
        if images.dtype != torch.uint8:
            raise ValueError(f"images must be uint8, got {images.dtype}")
        everywhere = images.device.type != "cpu" if on_all is None else on_all
        images = images.clone(memory_format=torch.contiguous_format)
        for p, change in steps:
            chosen = torch.rand(len(images), generator=generator, device=images.device) < p
            if everywhere:
                images = torch.where(chosen[:, None, None, None], change(images, generator), images)
            elif 0 < len(index := chosen.nonzero().squeeze(1)) < len(images):
                rows(images)[index] = rows(change(take(images, index), generator))
            elif len(index):  # all of them, which need not be put back
                images = change(images, generator).contiguous()
        return images

    return run


def unsupported(pipeline: A.Compose) -> list[str]:
    """Returns what in the pipeline has no batched form, as albumentations prints it."""
    whole = [] if pipeline.p == 1 else [f"Compose(p={pipeline.p})"]
    return whole + [str(transform) for transform in pipeline if _form(transform) is None]


def _form(transform: A.BasicTransform) -> Change | None:
    kind = type(transform)
    forms = (known.batched(transform) for known in transforms().values() if kind in (known.kind, *known.also))
    return next(filter(None, forms), None)
