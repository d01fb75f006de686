"""Reads the best configs of earlier sweeps, with which a new sweep begins because of `--like`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from sweep.analysis.record import Record
from sweep.search.spaces.space import Space
from sweep.search.spaces.transfer import Point, transferred
from sweep.storage.bucket import open_place
from sweep.storage.errors import ConfigError, UserError
from sweep.storage.states import State
from sweep.storage.store import store_of
from sweep.storage.sweep_file import QueueEntry, Values
from sweep.storage.text import counted
from sweep.trainable.config import TrialConfig

MOST = 8  # configs from each sweep


@dataclass(frozen=True)
class Earlier:
    """A trial of an earlier sweep.

    Attributes:
      number: its number there.
      config: its fields, which may be invalid in this version, or name a net that is not available here.
      drawn: the parameters from which its config was made, by their names in that sweep's space.
    """

    number: int
    config: Values
    drawn: Values


def best_of(place: str) -> list[Earlier]:
    """Returns the trials of a sweep that ran to their end, the best first.

    Raises:
      ConfigError: there is no sweep, none of its trials ran to its end, or it is damaged.
    """
    try:
        folder = open_place(place)
    except ValueError as error:  # its message does not repeat the address, which may contain a key
        raise ConfigError(f"--like: {error}") from None
    store = store_of(folder)
    try:
        store.fetch(folder, False)
        record = Record(folder)
        params = [trial.params for trial in record.study.get_trials(deepcopy=False)]
        trials = [
            Earlier(trial.number, trial.config, params[trial.number])
            for trial in record.ranked
            if trial.state == State.COMPLETE
        ]
    except (UserError, OSError, ValueError) as error:
        raise ConfigError(f"--like {place}: {error}") from error
    except (AttributeError, LookupError, TypeError, ArithmeticError) as error:
        raise ConfigError(f"--like {place}: a trial of it is not as a driver wrote it ({error!r})") from error
    finally:
        store.close()
    if not trials:
        raise ConfigError(f"--like {place}: none of its trials ran to its end; leave it out")
    return trials


def entries(space: Space, best: Mapping[str, Sequence[Earlier]]) -> tuple[list[QueueEntry], list[str]]:
    """Returns the first queue entries of a new sweep, and a sentence on each earlier sweep.

    Each earlier sweep gives its best configs that differ from each other in this space. The sweeps take turns, each
    with its best config first.

    Args:
      best: the trials of each earlier sweep, the best first, by the sweep's place.

    Raises:
      ConfigError: none of a sweep's configs has a place in this space.
    """
    columns, notes = list[list[QueueEntry]](), list[str]()
    for place, trials in best.items():
        points, first_problem = dict[int, Point](), ""
        for trial in trials:
            try:
                point = transferred(space, TrialConfig.from_dict(trial.config), trial.drawn)
            except ConfigError as error:
                first_problem = first_problem or f"trial {trial.number}: {error}"
                continue
            if point.params not in [other.params for other in points.values()]:
                points[trial.number] = point
            if len(points) == MOST:
                break
        if not points:
            raise ConfigError(f"--like {place}: none of its configs has a place in this space ({first_problem})")
        columns.append(
            [QueueEntry(point.params, like=f"trial {number} of {place}") for number, point in points.items()]
        )
        notes.append(_note(place, list(points.values())))
    queue = list[QueueEntry]()
    for turn in zip_longest(*columns):
        queue += [entry for entry in turn if entry and entry.params not in [other.params for other in queue]]
    return queue, notes


def _note(place: str, points: Sequence[Point]) -> str:
    moved_names, left_out_names = (
        sorted(set().union(*sets)) for sets in zip(*((p.moved, p.left_out) for p in points), strict=True)
    )
    changes = [
        *([f"moved into the ranges here: {', '.join(moved_names)}"] if moved_names else []),
        *([f"not taken over: {', '.join(left_out_names)}"] if left_out_names else []),
    ]
    come = "comes" if len(points) == 1 else "come"
    return f"{counted(len(points), 'config')} of {place} {come} first" + (
        f" ({'; '.join(changes)})." if changes else "."
    )
