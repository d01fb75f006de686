"""Shows where the best values lie in their ranges; if one lies at an edge, a wider range may hold something better."""

import math
from dataclasses import dataclass
from enum import StrEnum

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from sweep.analysis.record import Record
from sweep.analysis.report.charts import Axis, Chart, Figure, Series, named_rows, rows_height_px
from sweep.analysis.report.contents import LEADERS, value_text
from sweep.analysis.trial_record import shown_name
from sweep.storage.states import State

EDGE = 0.05  # the share of a range, at each end, in which the best trial's value is at the edge
OUTER = 0.1  # the share of a range, at each end, in which the values of most of the best trials are near the edge


class Advice(StrEnum):
    """The kinds of advice about a range, in the words that people read."""

    NOTHING = "inside"
    WIDEN_DOWNWARDS = "widen it downwards"
    WIDEN_UPWARDS = "widen it upwards"
    MORE_EPOCHS = "raise --max-epochs"
    AS_LOW_AS_CAN_BE = "may be as low as it can be"
    MORE_PIXELS = "the images have no more pixels; --image-size keeps more of them, in another sweep"


@dataclass(frozen=True)
class Range:
    """The value of a numeric parameter in the best config, in the range that was searched.

    Attributes:
      name: the parameter.
      low, high, best: the ends of the range and the value of the best trial, as they are shown.
      place: where the best value lies, from 0 at the low end to 1 at the high end, along the scale of the range.
      leaders: the places of the best COMPLETE trials that were searched in the same range, the best trial's first.
      side: `low` or `high` if the best value is at that edge, or most of the leaders are near it; otherwise empty.
      advice: what to do about the range.
    """

    name: str
    low: str
    high: str
    best: str
    place: float
    leaders: tuple[float, ...]
    side: str
    advice: Advice

    @property
    def words(self) -> str:
        """The advice with the reason for it."""
        if self.advice == Advice.NOTHING:
            return self.advice
        is_best = min(self.place, 1 - self.place) <= EDGE
        reason = "at its edge" if is_best else f"most of the best {len(self.leaders)} are near its edge"
        return (
            f"{reason}; {self.low} {self.advice}"
            if self.advice == Advice.AS_LOW_AS_CAN_BE
            else f"{reason}: {self.advice}"
        )


def ranges(record: Record) -> list[Range]:
    """Returns a row for each number that the search chose for the best COMPLETE trial; empty without such a trial."""
    best = record.best
    if best is None:
        return []
    frozen_trials = record.study.get_trials(deepcopy=False)
    leaders = [trial for trial in record.ranked if trial.state == State.COMPLETE][:LEADERS]
    rows = []
    for parameter, drawn_from in frozen_trials[best.number].distributions.items():
        name = shown_name(parameter)
        distribution = best.ranges[name]
        if not isinstance(distribution, IntDistribution | FloatDistribution) or distribution.single():
            continue
        peers = [trial for trial in leaders if frozen_trials[trial.number].distributions.get(parameter) == drawn_from]
        places = tuple(place_in(trial.ranges[name], trial.params[name]) for trial in peers)
        side = _side(places)
        rows.append(
            Range(
                name=name,
                low=value_text(distribution.low),
                high=value_text(distribution.high),
                best=value_text(best.params[name]),
                place=places[0],
                leaders=places,
                side=side,
                advice=_advice(name, distribution, side, record.settings.max_epochs, max(record.file.image_size)),
            )
        )
    return rows


def place_in(distribution: BaseDistribution, value: float) -> float:
    """Returns where a value lies in a range, from 0 at the low end to 1 at the high end, along its scale."""
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high = distribution.low, distribution.high
    if distribution.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low)


def _side(places: tuple[float, ...]) -> str:
    """Returns at which edge, `low` or `high`, the best values lie; empty if at neither.

    Args:
      places: the places of the best trials, the best trial's first.
    """
    if places[0] <= EDGE or places[0] >= 1 - EDGE:
        return "low" if places[0] <= EDGE else "high"
    near_low, near_high = sum(p <= OUTER for p in places), sum(p >= 1 - OUTER for p in places)
    if max(near_low, near_high) * 2 > len(places) > 2:
        return "low" if near_low > near_high else "high"
    return ""


def _advice(
    name: str, distribution: IntDistribution | FloatDistribution, side: str, max_epochs: int, image_px: int = 0
) -> Advice:
    """Returns what to do about a range.

    Args:
      name: the parameter.
      distribution: its range.
      side: the edge at which the best values lie; empty if at neither.
      max_epochs: the largest number of epochs that the sweep allows.
      image_px: the side of the images as they are kept, in px.
    """
    if not side:
        return Advice.NOTHING
    if name == "epochs" and side == "high" and distribution.high >= max_epochs:
        return Advice.MORE_EPOCHS
    if name.endswith("input_size") and side == "high" and distribution.low < image_px <= distribution.high:
        return Advice.MORE_PIXELS
    lowest = (0, 1) if isinstance(distribution, IntDistribution) else (0,)
    if side == "low" and distribution.low in lowest:
        return Advice.AS_LOW_AS_CAN_BE
    return Advice.WIDEN_DOWNWARDS if side == "low" else Advice.WIDEN_UPWARDS


def ranges_figure(rows: list[Range]) -> Figure | None:
    """Returns the figure of the best values in their ranges; None if there are none."""
    if not rows:
        return None
    bottom = 0.6 - len(rows)
    others = [(place, -row, rows[row]) for row in range(len(rows)) for place in rows[row].leaders[1:]]
    series = (
        Series("guide", [100 * EDGE] * 2, [bottom, 0.6]),
        Series("guide", [100 - 100 * EDGE] * 2, [bottom, 0.6]),
        Series("among the best", [100 * p for p, _, _ in others], [y for _, y, _ in others], "the next best"),
        Series(
            "best",
            [100 * row.place for row in rows],
            [-place for place in range(len(rows))],
            "the best",
            [f"{row.name}={row.best}\nrange {row.low} to {row.high}" for row in rows],
        ),
    )
    caption = (
        f"Where the best trial and the next best of the {LEADERS} on top lie in the range of each number, along the "
        f"scale it was searched on. Beyond a dashed line, within {100 * EDGE:.0f} % of an end, is the edge."
    )
    chart = Chart(
        Axis("place in the range (%)", span=(-4, 104)),
        named_rows([row.name for row in rows]),
        tuple(s for s in series if len(s.x)),
        height_px=rows_height_px(len(rows)) + 30,
    )
    return Figure("ranges", caption, (chart,))


def ranges_sentence(rows: list[Range]) -> str:
    """Returns, in words, which ranges should be wider."""
    if not rows:
        return "The search chose no number for the best trial."
    if names := to_widen(rows):
        return f"A wider range may hold something better of {names}."
    return "No range asks to be widened."


def to_widen(rows: list[Range]) -> str:
    """Returns the names of the parameters for which a wider range may help, each with the end in question."""
    wider = (Advice.WIDEN_DOWNWARDS, Advice.WIDEN_UPWARDS, Advice.MORE_EPOCHS)
    return ", ".join(f"{row.name} ({row.side} end)" for row in rows if row.advice in wider)
