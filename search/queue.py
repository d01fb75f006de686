"""The configs that run before the sampler is asked: the published runs, then the user's own."""

from typing import Any

from search.default_space import baselines, default
from search.space import Space
from trainable.config import ConfigError

Queue = dict[int, dict[str, Any]]  # by trial number: `params`, and as `baseline` the name of a published run or ""


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
