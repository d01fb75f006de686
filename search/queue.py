"""The configs that run before the sampler is asked: the published runs, the user's own, and all of a repeat's."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from search.default_space import baselines, default
from search.space import Space
from trainable.config import ConfigError, TrialConfig

if TYPE_CHECKING:
    from analysis.record import TrialRecord

# By trial number. Of a search: `params`, and as `baseline` the name of a published run or "". Of a repeat or a refit
# also `config`, the whole of it, `trial` and `value` in the search that it is of, and `nth_seed`, from 1.
Queue = dict[int, dict[str, Any]]


def first_queue(space: Space, with_baselines: bool, enqueued: list[dict[str, Any]]) -> tuple[Queue, list[str]]:
    """The queue of a new sweep, and a sentence for each published run that the space does not hold.

    Raises:
      ConfigError: one of the user's configs is outside the space.
    """
    entries, notes = [], []
    for name, params in baselines().items() if with_baselines else ():
        if why := _why_left_out(space, params):
            notes.append(f"The published run {name} is left out: {why}.")
        else:
            entries.append({"params": space.capped(params), "baseline": name})
    for params in enqueued:
        space.missing(params)
        entries.append({"params": params, "baseline": ""})
    return dict(enumerate(entries)), notes


def _why_left_out(space: Space, params: dict[str, Any]) -> str:
    """Empty where the space holds the published run as it is, but for the epochs that `--max-epochs` takes off."""
    published = Space(default, {}, space.max_epochs)
    try:
        lacking = space.missing(space.capped(params))
        if lacking:
            return f"this space asks for {', '.join(lacking)} as well"
        same = space.chosen(space.capped(params)) == published.chosen(published.capped(params))
    except ConfigError as error:
        return str(error)
    return "" if same else "with what --fix or --space sets, it would be another config"


def extend(queue: Queue, space: Space, enqueued: list[dict[str, Any]], trials: int) -> None:
    """Adds the user's configs that the queue does not hold yet, behind it and behind the trials there are.

    Raises:
      ConfigError: one of them is outside the space.
    """
    held = [entry["params"] for entry in queue.values()]
    number = max([trials, *(n + 1 for n in queue)])
    for params in enqueued:
        if params not in held:
            space.missing(params)
            queue[number] = {"params": params, "baseline": ""}
            number += 1


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
    there = {TrialConfig.from_dict(entry["config"]): number for number, entry in held.items()}
    for nth in range(1, seeds + 1):
        for trial in trials:
            config = replace(TrialConfig.from_dict(trial.config), seed=other_seed(sweep_seed, nth))
            if config not in there:
                there[config] = len(queue)
                about = {"trial": trial.number, "value": trial.value, "nth_seed": nth}
                queue[len(queue)] = {"params": {}, "baseline": "", "config": config.to_dict()} | about
            last = max(last, there[config])
    return queue, last + 1


def other_seed(sweep_seed: int, nth: int) -> int:
    """The n-th, from 1, of the seeds under which a sweep's configs are trained again; its trials have others."""
    return int(np.random.SeedSequence([sweep_seed, nth], spawn_key=(1,)).generate_state(1)[0] >> 1)


def shown_name(entry: dict[str, Any]) -> str:
    """What the screen calls a queued trial: a published run's name, or which trial it trains again; else empty."""
    return f"trial {entry['trial']} again, seed {entry['nth_seed']}" if "trial" in entry else entry["baseline"]
