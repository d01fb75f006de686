"""Is the best value at the edge of its range? Then a wider range may hold something better."""

import math
from dataclasses import dataclass
from enum import StrEnum

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from sweep.analysis.record import Record
from sweep.analysis.report.charts import Axis, Chart, Figure, Series, named_rows, rows_height_px
from sweep.analysis.report.contents import LEADERS, value_text
from sweep.analysis.trial_record import shown_name
from sweep.storage.states import State

EDGE = 0.05  # of a range, at either end: a best value there is at the edge
OUTER = 0.1  # the same, for most of the best trials


class Advice(StrEnum):
    """What to do about a range, in words."""

    NOTHING = "inside"
    WIDEN_DOWNWARDS = "widen it downwards"
    WIDEN_UPWARDS = "widen it upwards"
    MORE_EPOCHS = "raise --max-epochs"
    AS_LOW_AS_CAN_BE = "may be as low as it can be"
    MORE_PIXELS = "the images have no more pixels; --image-size keeps more of them, in another sweep"


@dataclass(frozen=True)
class Range:
    """A number of the best config in the range that it was searched in.

    Attributes:
      low, high, best: as they are shown.
      place: of the best, from 0 at the low end to 1 at the high one, along the range's own scale.
      leaders: the places of the best COMPLETE trials that have the parameter, the best one's first.
      side: low or high, where the best is at that edge, or most of the leaders are near it; else empty.
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
        """The advice, and what it is given for."""
        if self.advice == Advice.NOTHING:
            return self.advice
        is_best = min(self.place, 1 - self.place) <= EDGE
        why = "at its edge" if is_best else f"most of the best {len(self.leaders)} are near its edge"
        return f"{why}; {self.low} {self.advice}" if self.advice == Advice.AS_LOW_AS_CAN_BE else f"{why}: {self.advice}"


def ranges(record: Record) -> list[Range]:
    """A row a number that the search chose for the best COMPLETE trial; nothing where there is none."""
    best = record.best
    if best is None:
        return []
    frozen = record.study.get_trials(deepcopy=False)
    leaders = [trial for trial in record.ranked if trial.state == State.COMPLETE][:LEADERS]
    rows = []
    for parameter, drawn_from in frozen[best.number].distributions.items():
        name = shown_name(parameter)
        distribution = best.ranges[name]
        if not isinstance(distribution, IntDistribution | FloatDistribution) or distribution.single():
            continue
        same = [trial for trial in leaders if frozen[trial.number].distributions.get(parameter) == drawn_from]
        places = tuple(place_in(trial.ranges[name], trial.params[name]) for trial in same)
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
    """From 0 at the low end of the range to 1 at its high end, along its own scale."""
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high = distribution.low, distribution.high
    if distribution.log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low)


def _side(places: tuple[float, ...]) -> str:
    """Args:
    places: of the leaders, the best one's first.
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
    """Args:
    image_px: the side at which the images are kept.
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
    says = (
        f"Where the best trial and the next best of the {LEADERS} on top lie in the range of each number, along the "
        f"scale it was searched on. Beyond a dashed line, within {100 * EDGE:.0f} % of an end, is the edge."
    )
    chart = Chart(
        Axis("place in the range (%)", span=(-4, 104)),
        named_rows([row.name for row in rows]),
        tuple(s for s in series if len(s.x)),
        height_px=rows_height_px(len(rows)) + 30,
    )
    return Figure("ranges", says, (chart,))


def ranges_sentence(rows: list[Range]) -> str:
    if not rows:
        return "The search chose no number for the best trial."
    if names := to_widen(rows):
        return f"A wider range may hold something better of {names}."
    return "No range asks to be widened."


def to_widen(rows: list[Range]) -> str:
    """Names those that a wider range may help, each with the end in question."""
    wider = (Advice.WIDEN_DOWNWARDS, Advice.WIDEN_UPWARDS, Advice.MORE_EPOCHS)
    return ", ".join(f"{row.name} ({row.side} end)" for row in rows if row.advice in wider)
