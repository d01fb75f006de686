"""Works out how much memory a net takes, without weights and without images, so that the measurement itself is cheap.

The net is built on torch's meta device. Then each weight becomes a tensor whose entries all share one number in memory,
and a batch of no images passes through. Shapes, the tensors that autograd keeps, and the errors of layers that do not
fit are as in a real pass.
"""

import math
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn

from sweep.storage import user_code
from sweep.storage.errors import UserError
from sweep.trainable.batch import SMALLEST_MICRO_BATCH, predict_batch
from sweep.trainable.config import SHAPE_FIELDS, ConfigError, TrialConfig
from sweep.trainable.features.computing import BATCH
from sweep.trainable.features.matrix import MEMORY_BYTES as MATRIX_BYTES
from sweep.trainable.features.store import CHUNK_ROWS
from sweep.trainable.models import family_of, is_of_catalogue
from sweep.trainable.models.head import HeadNet, fill
from sweep.trainable.models.known import known
from sweep.trainable.models.net import build, seen_size
from sweep.trainable.work import counted, front_seconds

VERSION = 2  # of the calculation: raise it whenever the same net gets another size
FLOAT_BYTES = 4
PROCESS_BYTES = 256 * 2**20  # of a worker with torch but without a net; workers share the libraries' memory
CUDA_BYTES = 600 * 2**20  # on a GPU, for each process that uses it
CUDA_PROCESS_BYTES = 2**30  # in the memory of a worker that uses a GPU, besides the libraries
AUGMENTED = 6  # copies of a batch, in float32, while it is augmented
PASSED_COPIES = 3  # of a frozen net's largest output: one each for a convolution, its norm and its activation
CHUNK_COPIES = 3  # of a chunk of features, in float32: in batches, joined, and while it is written
BACKWARD = 1.25  # memory of a whole step, relative to what the forward pass keeps
# Shape fields that change how a net learns but not its size, or only the small last layer of a head. Building a net
# takes a second, so it is not built anew for each of their values.
WITHOUT_SIZE = frozenset(
    {"penalty", "flip", "feature_mixup", "dropout", "drop_path", "layer_decay", "head_start", "frozen_stages"}
    | {"center_crop", "stages", "pooling"}
)


@dataclass(frozen=True)
class Size:
    """The memory and time that a net takes in float32.

    Attributes:
      weights: bytes.
      of_image: bytes that the forward pass keeps for the backward pass, for one image.
      largest: the part of these bytes that belongs to the largest layer.
      training_seconds: about how long a step takes on one thread of a CPU, per image.
      largest_output: the largest number of numbers that a layer writes for one image.
      features: how many numbers are stored for an image, for heads; 0 if the net is not a head.
      fronts: how much of `training_seconds` the first stage takes, the first two stages, and so on; the last entry is
        everything but the classifier. Empty if the net has no stages that can be frozen.
      seen: the height and width at which the net sees images; None if that is the size at which they are stored.
    """

    weights: int
    of_image: int
    largest: int
    training_seconds: float = 0.0
    largest_output: int = 0
    features: int = 0
    fronts: tuple[float, ...] = ()
    seen: tuple[int, int] | None = None


def size_of(config: TrialConfig, classes: int, image_size: tuple[int, int]) -> Size:
    """Returns the size of a config's net for images of this height and width.

    Raises:
      ConfigError: the net does not fit these images, or there is no such architecture.
    """
    defaults = family_of(config.arch).shape
    shape: dict[str, Any] = {
        name: defaults.get(name) if name in WITHOUT_SIZE else getattr(config, name) for name in SHAPE_FIELDS
    }
    if config.drop_path is not None:  # the value does not matter, but a net without branches must be refused
        shape["drop_path"] = 0.0
    return _size_of_net(TrialConfig(arch=config.arch, epochs=1, **shape).from_scratch(), classes, image_size)


@lru_cache(maxsize=10_000)
def _size_of_net(config: TrialConfig, classes: int, image_size: tuple[int, int]) -> Size:
    """Returns the size of a net; that of a library's net is stored on this machine, since building it takes seconds."""
    if not config.backbone and not is_of_catalogue(config.arch):
        return _measure(config, classes, image_size)
    about = {"size": VERSION, "config": config.to_dict(), "classes": classes, "image_size": image_size}
    size = known(about, lambda: asdict(_measure(config, classes, image_size)))
    return Size(**{**size, "seen": tuple(size["seen"]), "fronts": tuple(size["fronts"])})


def _measure(config: TrialConfig, classes: int, image_size: tuple[int, int]) -> Size:
    """Builds the net without weights, passes a batch through it, and returns its size.

    Raises:
      ConfigError: the net does not fit images of this size.
    """
    net = _meta_net(config, classes, image_size)
    weights = FLOAT_BYTES * sum(parameter.numel() for parameter in net.parameters())
    # With a batch of no images, a net that flattens images into tokens would lose the number of tokens.
    methods = (_meta_batch, _real_batch) if family_of(config.arch).prefix else (_empty_batch, _meta_batch)
    for method in methods:
        try:
            with counted(net) as work:
                sizes = _kept_bytes(*method(net, image_size), classes)
            break
        except Exception as error:  # some nets cannot take an empty batch, others not the meta device
            failure = error
            net = _meta_net(config, classes, image_size)
    else:
        px = family_of(config.arch).preprocessing(config).size
        hint = (
            f"--fix input_size={px}, the size of its weights, or" if px else "resize them with --image-size, or --fix"
        )
        raise ConfigError(
            "arch={} does not fit images of {}x{} px ({}); {} another arch".format(
                config.arch, *seen_size(net, image_size), failure or type(failure).__name__, hint
            )
        ) from failure
    features = sum(each.numbers for each in net.modules() if isinstance(each, HeadNet))
    input_size = seen_size(net, image_size)
    fronts = _fronts(net, input_size) if is_of_catalogue(config.arch) else ()
    return Size(
        weights, sum(sizes), max(sizes, default=0), work.training_seconds, work.largest, features, fronts, input_size
    )


def _fronts(net: nn.Module, input_size: tuple[int, int]) -> tuple[float, ...]:
    """Returns `Size.fronts` of a net, which is empty if its stages cannot be found."""
    *_, inner = net.children()
    device = next(inner.parameters()).device
    with suppress(Exception):  # a net whose stages cannot be found counts as if all of it trained
        return front_seconds(inner, torch.zeros(1, 3, *input_size, device=device))
    return ()


def _empty_batch(net: nn.Module, image_size: tuple[int, int]) -> tuple[nn.Module, Tensor]:
    """Returns the net and a batch of no images on the CPU."""
    return _with_one_number(net), torch.zeros(0, 3, *image_size)


def _meta_batch(net: nn.Module, image_size: tuple[int, int]) -> tuple[nn.Module, Tensor]:
    """Returns the net and a batch on the meta device, where the first computation imports torch's compiler (2 s)."""
    return net.to("meta"), torch.zeros(2, 3, *image_size, device="meta")


def _real_batch(net: nn.Module, image_size: tuple[int, int]) -> tuple[nn.Module, Tensor]:
    """Returns the net and a batch on the CPU for a real computation, with one number for all weights."""
    return _with_one_number(net), torch.zeros(2, 3, *image_size)


def worker_bytes(config: TrialConfig, size: Size, image_size: tuple[int, int], on_gpu: bool = False) -> int:
    """Returns about how much memory a worker needs for the trial, without the images themselves.

    It holds the weights, their gradients, what the optimiser keeps, and the weights of the best epoch. Added to these
    is the largest of three: a training step, the predictions after an epoch, and a checkpoint, for which everything is
    copied. A head needs its frozen net, and then the larger of two: computing a chunk of features, and the matrix of
    features.
    """
    if size.features and not on_gpu:
        computing = _pass_bytes(size, image_size, "cpu") + CHUNK_COPIES * FLOAT_BYTES * CHUNK_ROWS * size.features
        return PROCESS_BYTES + 2 * size.weights + max(computing, MATRIX_BYTES)
    copy_bytes = size.weights * (2 + _numbers_per_weight(config))
    if on_gpu:
        return CUDA_PROCESS_BYTES + 2 * copy_bytes
    pixels = 3 * FLOAT_BYTES * math.prod(image_size)
    step = config.batch_size * (BACKWARD * size.of_image + AUGMENTED * pixels)
    predictions = predict_batch(size.seen or image_size) * (2 * size.largest + pixels)
    return PROCESS_BYTES + copy_bytes + size.weights + int(max(step, predictions, copy_bytes))


def gpu_bytes(config: TrialConfig, size: Size, image_size: tuple[int, int]) -> int:
    """Returns about how much of a GPU's memory the trial needs at least; a batch may be trained in smaller ones."""
    if size.features:
        return CUDA_BYTES + size.weights + _pass_bytes(size, image_size, "cuda") + MATRIX_BYTES
    pixels = 3 * FLOAT_BYTES * math.prod(image_size)
    step = SMALLEST_MICRO_BATCH * BACKWARD * size.of_image + config.batch_size * AUGMENTED * pixels
    return CUDA_BYTES + size.weights * (3 + _numbers_per_weight(config)) + int(step)


def _pass_bytes(size: Size, image_size: tuple[int, int], device: str) -> int:
    """Returns the bytes for passing a batch through a frozen net: the inputs and outputs of its largest layer."""
    pixels = 3 * math.prod(size.seen or image_size)
    return FLOAT_BYTES * BATCH[device] * (PASSED_COPIES * size.largest_output + 2 * pixels)


def _numbers_per_weight(config: TrialConfig) -> int:
    """Returns how many numbers are kept for each weight, by the optimiser and by the mean of the weights."""
    return (2 if config.optimizer in ("adam", "adamw") else 1) + (config.ema is not None)


def _meta_net(config: TrialConfig, classes: int, image_size: tuple[int, int]) -> nn.Module:
    """Builds the net on the meta device, where its weights take no memory.

    Raises:
      ConfigError: a user's model cannot be built.
    """
    try:
        with _without_first_values(), torch.device("meta"):
            return fill(build(config, classes, image_size)).eval()
    except UserError:
        raise
    except Exception as error:  # a user's model may raise anything; the user has to correct it
        where = user_code.place(error, config.arch.rpartition(":")[0]) or f"arch={config.arch}"
        raise ConfigError(f"{where} does not build a net: {type(error).__name__}: {error}") from error


def _without_first_values() -> AbstractContextManager[Any]:
    """Returns a context in which nets draw no weights: on the meta device that would import torch's compiler (2 s)."""
    names = [name for name in dir(nn.init) if name.endswith("_") and not name.startswith("_")]
    replacements: dict[str, Any] = dict.fromkeys(names, _return_tensor)
    return patch.multiple(nn.init, **replacements)


def _return_tensor(*arguments: Any, **keywords: Any) -> Tensor:
    return arguments[0] if arguments else keywords["tensor"]


def _with_one_number(net: nn.Module) -> nn.Module:
    """Gives each weight and buffer its shape on the CPU, with one number in memory for all its entries."""
    for module in net.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            number = torch.zeros(()).expand(parameter.shape)
            setattr(module, name, nn.Parameter(number, requires_grad=parameter.requires_grad))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, torch.zeros((), dtype=buffer.dtype).expand(buffer.shape))
    return net


def _kept_bytes(net: nn.Module, images: Tensor, classes: int) -> list[int]:
    """Returns the bytes of each tensor that a forward pass keeps for the backward pass, for one image.

    Raises:
      ValueError: the net does not return one logit for each class.
      Exception: a layer that does not fit may raise any other error.
    """
    tensors: list[Tensor] = []  # all exist at once, so that no storage is reused for another tensor

    def keep(tensor: Tensor) -> Tensor:
        tensors.append(tensor)
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = net(images)
    if logits.shape != (len(images), classes):
        raise ValueError(f"its logits must be (N, {classes}), got (N, {', '.join(map(str, logits.shape[1:]))})")
    own_storages = {tensor.untyped_storage()._cdata for tensor in (*net.parameters(), *net.buffers())}
    sizes: dict[int, int] = {}  # by storage, because a layer and the next one may keep the same tensor
    for tensor in tensors:
        storage = tensor.untyped_storage()._cdata
        if storage not in own_storages:
            if len(images):
                sizes[storage] = tensor.untyped_storage().nbytes() // len(images)
            else:  # with no images in the batch, the other sides are those of one image
                numbers = math.prod(side for side in tensor.shape if side)
                sizes[storage] = max(sizes.get(storage, 0), numbers * tensor.element_size())
    return list(sizes.values())
