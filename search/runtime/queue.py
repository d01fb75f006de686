"""The configs that run before the sampler is asked, and the families of the sampler's first draws."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np

from sweep.search.portfolios import configs
from sweep.search.portfolios.by_cost import linear_heads
from sweep.search.spaces import DEFAULT, own_number, suggest_of, uses_backbones
from sweep.search.spaces.space import Space
from sweep.storage.sweep_file import QueueEntry, Values
from sweep.trainable.config import UNHANDLED, ConfigError, TrialConfig
from sweep.trainable.models import family_of

if TYPE_CHECKING:
    from sweep.analysis.trial_record import TrialRecord

Queue = dict[int, QueueEntry]  # by trial number

REFERENCE = "reference "  # the prefix before the family in the name of its reference config
OTHER_CONFIG = "with what --fix or --space sets, it would be another config"
FIRST_DRAWS = 20  # the draws in which each family gets its share, whatever the sampler has learned so far
FAMILY_SHARE = 4  # the share of each family; with more than five families it is smaller


def first_queue(
    space: Space,
    number: int,
    portfolio: str | None,
    enqueued: list[Values],
    name: str | None,
    like: Sequence[QueueEntry] = (),
) -> tuple[Queue, list[str]]:
    """Returns the queue of a new sweep, and a sentence for each published run that the space does not contain.

    The best configs of earlier sweeps come first, then the portfolio, the user's own configs, and the references: one
    config for each family or, if pretrained nets are searched, a linear head on each of them.

    Args:
      number: the number of the published space from which `space` is made.
      name: its name; None for a space of the user's, which has no references.
      enqueued: the user's configs as parameters of the space, as `Space.parameters` returns them.
      like: the best configs of earlier sweeps.
    """
    published, notes = _published_runs(space, number, portfolio, name) if portfolio else ([], [])
    entries = [*like, *published]
    entries += [QueueEntry(params, "") for params in enqueued]
    for model, params in _references(space, number, name).items():
        params = space.published(params)
        with suppress(ConfigError):  # --fix may leave no part of the space that has this family's parameters
            if model in asdict(space.chosen(params)).values() and not space.missing(params):
                entries.append(QueueEntry(params, f"{REFERENCE}{model}"))
    return dict(enumerate(entries)), notes


def _references(space: Space, number: int, name: str | None) -> dict[str, Values]:
    """Returns the reference configs of a published space, by family or by pretrained net."""
    if name is None:
        return {}
    if not uses_backbones(name, number):
        return configs("references", own_number(name, number))
    fixed = space.fixed.get("backbone")
    nets = [str(fixed)] if fixed else space.choices("backbone")
    return linear_heads(name, own_number(name, number), nets, _side_of)


def _side_of(backbone: str) -> int | None:
    return family_of(backbone).preprocessing(TrialConfig(arch=backbone, pretrained=True)).size


def _published_runs(space: Space, number: int, portfolio: str, name: str | None) -> tuple[list[QueueEntry], list[str]]:
    """Returns the queue entries of a portfolio, and a sentence for each of its runs that is left out.

    In a space over pretrained nets, which has other parameters, the entries hold whole configs.
    """
    entries, notes = [], []
    default = Space(suggest_of(DEFAULT, number), {}, space.max_epochs)
    is_whole = name is not None and uses_backbones(name, number)
    for run, params in configs(portfolio, own_number(DEFAULT, number)).items():
        params = default.parameters(default.capped(params))
        why = _why_fixed_otherwise(space, default, params) if is_whole else _why_left_out(space, default, params)
        if why:
            notes.append(f"The {portfolio} run {run} is left out: {why}.")
        elif is_whole:
            entries.append(QueueEntry({}, f"{portfolio} {run}", default.chosen(params).to_dict()))
        else:
            entries.append(QueueEntry(space.published(params), f"{portfolio} {run}"))
    return entries, notes


def _why_fixed_otherwise(space: Space, published: Space, params: Values) -> str:
    """Returns why a published run is left out: `--fix` sets another value; empty if it does not."""
    config = UNHANDLED | published.chosen(params).to_dict()
    is_same = all(config.get(name) == value for name, value in space.fixed.items())
    return "" if is_same else OTHER_CONFIG


def _why_left_out(space: Space, published: Space, params: Values) -> str:
    """Returns why a published run is left out; empty if the space contains it unchanged.

    Epochs that `--max-epochs` takes off do not count as a change.
    """
    try:
        lacking = space.missing(space.published(params))
        if lacking:
            return f"this space asks for {', '.join(lacking)} as well"
        is_same = space.chosen(space.published(params)) == published.chosen(published.capped(params))
    except ConfigError as error:
        return str(error)
    return "" if is_same else OTHER_CONFIG


def family_of_draw(number: int, queue: Queue, families: tuple[str, ...]) -> str | None:
    """Returns the architecture that a drawn trial must have, or None if the sampler may choose.

    Each family gets a share of the first draws, which includes its reference config; otherwise a family whose first
    draws had unlucky learning rates would hardly be drawn again. The answer depends only on the queue, so a restart
    draws the same.

    Args:
      number: the number of the trial, which is not in the queue.
    """
    if len(families) < 2:
        return None
    baselines = {entry.baseline for entry in queue.values()}
    share = min(FAMILY_SHARE, FIRST_DRAWS // len(families))
    order = [name for turn in range(share) for name in families if turn > 0 or f"{REFERENCE}{name}" not in baselines]
    drawn_before = number - sum(queued_number < number for queued_number in queue)
    return order[drawn_before] if drawn_before < len(order) else None


def extend(queue: Queue, enqueued: list[Values], trials: int) -> None:
    """Adds those of the user's configs that the queue does not hold yet, after the queue and after existing trials.

    Args:
      trials: the number of existing trials.
    """
    queued_params = [entry.params for entry in queue.values()]
    new = [QueueEntry(params, "") for params in enqueued if params not in queued_params]
    queue.update(enumerate(new, start=max([trials, *(number + 1 for number in queue)])))


def repeated(earlier_queue: Queue, trials: "list[TrialRecord]", seeds: int, sweep_seed: int) -> tuple[Queue, int]:
    """Returns a queue to which the configs of these trials are added under so many other seeds.

    All configs come under one seed before the next seed begins, so that an interruption leaves whole comparisons. The
    k-th seed is the same for every config, whenever it is added.

    Returns:
      The queue, and the number of trials up to the last one that was asked for; the queue holds more if more were asked
        for earlier.

    Raises:
      ConfigError: the config of a trial is not valid in this version.
    """
    queue, last = dict(earlier_queue), -1
    numbers = {TrialConfig.from_dict(entry.config): number for number, entry in earlier_queue.items() if entry.config}
    for nth in range(1, seeds + 1):
        for trial in trials:
            config = replace(TrialConfig.from_dict(trial.config), seed=other_seed(sweep_seed, nth))
            if config not in numbers:
                numbers[config] = len(queue)
                queue[len(queue)] = QueueEntry({}, "", config.to_dict(), trial.number, trial.value, nth)
            last = max(last, numbers[config])
    return queue, last + 1


def other_seed(sweep_seed: int, nth: int) -> int:
    """Returns the n-th seed, from 1, under which configs of a sweep are trained again; its trials have other seeds."""
    return int(np.random.SeedSequence([sweep_seed, nth], spawn_key=(1,)).generate_state(1)[0] >> 1)


def shown_name(entry: QueueEntry) -> str:
    """Returns the name of a queued trial on the screen, which may be empty.

    It is the name of a published run, or says which trial this one resembles or repeats.
    """
    if entry.trial is not None:
        return f"trial {entry.trial} again, seed {entry.nth_seed}"
    return f"like {entry.like}" if entry.like else entry.baseline
