"""The classifiers of timm by name, from scratch or with pretrained weights: `timm/NAME` or `timm/NAME.TAG`.

The tag names one of several sets of weights; without a tag, timm's default set is used. timm is imported only when one
of its nets is built or checked, because the import takes seconds and most workers never need it.
"""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sweep.storage.errors import ConfigError
from sweep.trainable.models import loading
from sweep.trainable.models.family import Config, Net, Preprocessing
from sweep.trainable.models.known import known

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "timm/"
# Keywords of timm.create_model, and the fields of TrialConfig that they are set from.
KEYWORDS = {"drop_rate": "dropout", "drop_path_rate": "drop_path", "img_size": "input_size"}


def build(config: Config, classes: int, input_size: tuple[int, int]) -> Net:
    """Builds the net, with pretrained weights if the config asks for them."""
    record = weights_config(config.arch)
    options: dict[str, Any] = {"num_classes": classes, "drop_rate": config.dropout, "drop_path_rate": config.drop_path}
    if record["fixed_input_size"]:
        options["img_size"] = input_size
    if config.pretrained:
        from sweep.trainable.weights import state_dict

        net = _with_weights(config, options, record, state_dict(config.arch))
    else:
        net = _create(config, options)
    return loading.cut_to_stages(config, net, classes, input_size)


def _create(config: Config, options: dict[str, Any]) -> Net:
    """Builds a net with timm.

    Raises:
      ConfigError: one of the config's fields is about something that the net does not have.
    """
    import timm

    try:
        return timm.create_model(config.arch.removeprefix(PREFIX), **options)
    except TypeError as error:
        for keyword, field in KEYWORDS.items():
            if f"'{keyword}'" in str(error):
                message = f"`{field}` must be left out for arch={config.arch}, which has no place for it"
                raise ConfigError(message) from error
        raise


def _with_weights(config: Config, options: dict[str, Any], record: dict[str, Any], state: dict[str, "Tensor"]) -> Net:
    """Builds the net with weights, which timm itself adapts to its input size.

    Raises:
      ConfigError: the weights belong to another net.
    """
    names = _names(record["classifier"])
    rows = [len(state[f"{name}.weight"]) for name in names if f"{name}.weight" in state]
    # If the weights are for as many classes as the net, timm keeps their last layer as well.
    overlay = {"state_dict": state, "num_classes": rows[0] if rows else 0}
    with loading.recorded() as results:
        net = loading.load_or_explain(
            config.arch, lambda: _create(config, options | {"pretrained": True, "pretrained_cfg_overlay": overlay})
        )
    net.pretrained_cfg = {}  # it would hold the weights a second time
    # Weights without a last layer may also lack the norm before it.
    parts = names if rows else [*names, *(name.rpartition(".")[0] or name for name in names), "fc_norm", "norm"]
    loading.check(config.arch, results, parts)
    return net


def weights_config(arch: str) -> dict[str, Any]:
    """Returns a copy of timm's record of a net's weights."""
    from timm.models import PretrainedCfg, get_pretrained_cfg

    return vars(get_pretrained_cfg(arch.removeprefix(PREFIX)) or PretrainedCfg()).copy()


def preprocessing(config: Config) -> Preprocessing:
    """Returns how the net takes pixels, as timm records it for the weights."""

    def find() -> dict[str, Any]:
        record = weights_config(config.arch)
        return {
            "mean": record["mean"],
            "std": record["std"],
            "interpolation": "bilinear" if record["interpolation"] == "bilinear" else "bicubic",
            "size": min(record["input_size"][1:]),
            "crop": min(1.0, record["crop_pct"]),  # a value above 1 means that images had a border
            "fixed": record["fixed_input_size"],
        }

    return loading.preprocessing_of(config, find)


def check(config: Config, others: Sequence[str]) -> None:
    """Checks that timm has the net and its weights; the result is stored on this machine.

    Raises:
      ConfigError: timm has no such classifier, or no such weights for it.
    """
    known({"is": config.arch}, lambda: _check(config.arch))


def _check(arch: str) -> None:
    """Raises a ConfigError if timm has no such classifier, or no such weights for it."""
    import timm
    from timm.models import get_arch_pretrained_cfgs, get_deprecated_models, split_model_name_tag

    name, tag = split_model_name_tag(arch.removeprefix(PREFIX))
    names = timm.list_models()
    if name not in names:
        new_name = get_deprecated_models().get(name)
        matches = [new_name] if new_name else difflib.get_close_matches(name, names, n=3)
        hint = (
            f"did you mean {', '.join(PREFIX + each for each in matches)}?"
            if matches
            else "timm.list_models() lists them"
        )
        raise ConfigError(f"unknown `arch`, got {arch}: no classifier of timm {timm.__version__}; {hint}")
    tags = list(get_arch_pretrained_cfgs(name))
    if tag and f"{name}.{tag}" not in tags:
        hint = f"{PREFIX}{name} has {', '.join(PREFIX + each for each in tags)}" if tags else f"{PREFIX}{name} has none"
        raise ConfigError(f"unknown `arch`, got {arch}: timm {timm.__version__} has no such weights; {hint}")


def _names(classifier: "str | Sequence[str] | None") -> list[str]:
    """Returns the names of a net's last layers as a list; a distilled net has two."""
    return [classifier] if isinstance(classifier, str) else list(classifier or ())


FAMILY = loading.catalogue("timm", PREFIX, build, preprocessing, check)
