"""The configs that run before the sampler is asked, and which families its first draws are of."""

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

REFERENCE = "reference "  # of a family: what the baseline is named before it
OTHER_CONFIG = "with what --fix or --space sets, it would be another config"
FIRST_DRAWS = 20  # in which each family is tried, whatever the sampler thinks of it so far
FAMILY_SHARE = 4  # of them, at least, while there are no more than five families


def first_queue(
    space: Space,
    number: int,
    portfolio: str | None,
    enqueued: list[Values],
    name: str | None,
    like: Sequence[QueueEntry] = (),
) -> tuple[Queue, list[str]]:
    """Returns the queue of a new sweep, and a sentence for each run of the portfolio that the space does not hold.

    What was best in earlier sweeps comes first, then the portfolio, then the user's own configs, then the references: a
    config of each family, or where pretrained nets are searched a linear head on each of them.

    Args:
      name, number: of the published space that `space` is made of; the name is None for a space of the user's, which
        has no references.
      enqueued: parameters of the space, as `Space.parameters` gives them.
    """
    published, notes = _published_runs(space, number, portfolio, name) if portfolio else ([], [])
    entries = [*like, *published]
    entries += [QueueEntry(params, "") for params in enqueued]
    for of, params in _references(space, number, name).items():
        params = space.published(params)
        with suppress(ConfigError):  # what --fix leaves of the space has none of this family's parameters
            if of in asdict(space.chosen(params)).values() and not space.missing(params):
                entries.append(QueueEntry(params, f"{REFERENCE}{of}"))
    return dict(enumerate(entries)), notes


def _references(space: Space, number: int, name: str | None) -> dict[str, Values]:
    """Returns the reference configs of a published space, by family or pretrained net."""
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
    """Returns the runs of a portfolio: as whole configs in a space over pretrained nets, which has other parameters."""
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
    """Empty where no value that `--fix` sets is another one in the published run."""
    config = UNHANDLED | published.chosen(params).to_dict()
    is_same = all(config.get(name) == value for name, value in space.fixed.items())
    return "" if is_same else OTHER_CONFIG


def _why_left_out(space: Space, published: Space, params: Values) -> str:
    """Empty where the space holds the published run as it is, but for the epochs that `--max-epochs` takes off."""
    try:
        lacking = space.missing(space.published(params))
        if lacking:
            return f"this space asks for {', '.join(lacking)} as well"
        same = space.chosen(space.published(params)) == published.chosen(published.capped(params))
    except ConfigError as error:
        return str(error)
    return "" if same else OTHER_CONFIG


def family_of_draw(number: int, queue: Queue, families: tuple[str, ...]) -> str | None:
    """Returns the architecture that a drawn trial must have, or None where the sampler may choose.

    Of the first draws each family gets a share, its reference config among them: a family of which the first draws had
    unlucky rates would hardly be drawn again. Only the queue counts, so a restart draws the same.

    Args:
      number: of the trial, which is not in the queue.
    """
    if len(families) < 2:
        return None
    there = {entry.baseline for entry in queue.values()}
    share = min(FAMILY_SHARE, FIRST_DRAWS // len(families))
    due = [name for turn in range(share) for name in families if turn > 0 or f"{REFERENCE}{name}" not in there]
    drawn_before = number - sum(queued < number for queued in queue)
    return due[drawn_before] if drawn_before < len(due) else None


def extend(queue: Queue, enqueued: list[Values], trials: int) -> None:
    """Adds the user's configs that the queue does not hold yet, behind it and behind the trials there are."""
    held = [entry.params for entry in queue.values()]
    new = [QueueEntry(params, "") for params in enqueued if params not in held]
    queue.update(enumerate(new, start=max([trials, *(number + 1 for number in queue)])))


def repeated(held: Queue, trials: "list[TrialRecord]", seeds: int, sweep_seed: int) -> tuple[Queue, int]:
    """Adds the configs of these trials under so many other seeds, behind what is held.

    All of them come under one seed before the next seed does, so that an interruption leaves whole comparisons. The
    k-th seed is the same for each of them, whenever it is added.

    Returns:
      the queue, and the number of trials up to the last one asked for: fewer than it has where more were asked before.

    Raises:
      ConfigError: a trial's config is none of this version.
    """
    queue, last = dict(held), -1
    there = {TrialConfig.from_dict(entry.config): number for number, entry in held.items() if entry.config}
    for nth in range(1, seeds + 1):
        for trial in trials:
            config = replace(TrialConfig.from_dict(trial.config), seed=other_seed(sweep_seed, nth))
            if config not in there:
                there[config] = len(queue)
                queue[len(queue)] = QueueEntry({}, "", config.to_dict(), trial.number, trial.value, nth)
            last = max(last, there[config])
    return queue, last + 1


def other_seed(sweep_seed: int, nth: int) -> int:
    """The n-th, from 1, of the seeds under which a sweep's configs are trained again; its trials have others."""
    return int(np.random.SeedSequence([sweep_seed, nth], spawn_key=(1,)).generate_state(1)[0] >> 1)


def shown_name(entry: QueueEntry) -> str:
    """What the screen calls a queued trial: a published run's name, what it is like, what it trains again; or empty."""
    if entry.trial is not None:
        return f"trial {entry.trial} again, seed {entry.nth_seed}"
    return f"like {entry.like}" if entry.like else entry.baseline
