"""Whether one config really beats another, over seeds and images; and what is said of it."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sweep.analysis.estimates import repeated
from sweep.analysis.estimates.intervals import WeightedImages
from sweep.analysis.estimates.repeated import Difference, Repeated, RepeatedConfig, difference, sentences
from sweep.search.runtime.queue import repeated as with_other_seeds
from sweep.storage.files import DamagedError
from sweep.storage.sweep_file import Parent, SweepFile
from sweep.trainable.metrics import named
from tests.sweeps import MLP, SweepBuilder, noise

IMAGES = 300


def everything(images):
    return WeightedImages([np.arange(images)])


def simulated(rng, first, second, seeds=5, images=IMAGES):
    """Two configs with these accuracies that find the same images hard, each seed somewhat better or worse."""
    hard = rng.normal(0, 1.0, images)
    runs = []
    for accuracy in (first, second):
        level = np.quantile(hard, accuracy)
        of_seeds = rng.normal(0, 0.03, (seeds, 1)) + rng.normal(0, 0.5, (seeds, images))
        runs.append(hard + of_seeds < level)
    return runs


def test_the_difference_is_the_mean_over_seeds_and_images():
    first = np.array([[1, 1, 1, 0], [1, 0, 1, 1]])
    second = np.array([[1, 0, 0, 0], [1, 1, 0, 1]])

    found = difference(first, second, everything(4))

    assert found.mean == pytest.approx((2 / 4 + 0 / 4) / 2)
    assert found.low < found.mean < found.high
    assert found.seeds == 2
    assert difference(first, second, everything(4)) == found


def test_its_variance_is_what_seeds_and_images_add_less_what_both_count():
    apart = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]])
    by_seeds = np.var([0.5, 0.0, 0.5], ddof=1) / 3
    by_images = (4 * np.mean(np.square([2 / 3, 0, 1 / 3, 1 / 3])) + 2) / 6 / 5 - (4 / 3 / 6) ** 2 / 5
    rest = apart - apart.mean(axis=1, keepdims=True) - apart.mean(axis=0) + 1 / 3
    by_both = (rest**2).sum() / (2 * 3) / 12

    variance, degrees = repeated._variance(apart, everything(4))

    assert variance == pytest.approx(max(by_seeds + by_images - by_both, by_seeds, by_images))
    assert degrees == pytest.approx(min(variance**2 / (by_seeds**2 / 2 + by_images**2 / 5), 3 + 4))


def test_it_is_the_other_way_round_for_the_other():
    first, second = simulated(np.random.default_rng(0), 0.6, 0.5)

    there, back = difference(first, second, everything(IMAGES)), difference(second, first, everything(IMAGES))

    assert (back.mean, back.low) == pytest.approx((-there.mean, -there.high), abs=0.005)


def test_a_balanced_score_is_the_mean_of_its_classes():
    first = np.array([[1, 1, 1, 1], [1, 1, 1, 1]])
    second = np.array([[0, 1, 1, 1], [0, 1, 1, 1]])

    assert difference(first, second, everything(4)).mean == pytest.approx(1 / 4)
    assert difference(first, second, WeightedImages([np.array([0]), np.array([1, 2, 3])])).mean == pytest.approx(1 / 2)


@pytest.mark.parametrize("images", [1, 2, 5, 20, 60])
def test_where_all_seeds_and_images_agree_other_images_may_not(images):
    ones = np.ones((3, images))

    same, better = difference(ones, ones, everything(images)), difference(ones, 0 * ones, everything(images))

    assert -1 <= same.low < -0.04 < 0.04 < same.high <= 1
    assert -1 <= better.low < 0.93 < better.high == 1


@pytest.mark.parametrize(("seeds", "images"), [(2, 5), (2, 60), (3, 20), (5, 1), (5, IMAGES)])
def test_of_equal_configs_the_interval_covers_no_difference_at_all_19_times_in_20(seeds, images):
    rng = np.random.default_rng(1)
    found = [difference(*simulated(rng, 0.6, 0.6, seeds, images), everything(images)) for _ in range(150)]

    assert all(-1 <= one.low < one.high <= 1 for one in found)
    assert np.mean([one.low <= 0 <= one.high for one in found]) >= 0.93


def test_the_interval_is_not_much_wider_than_what_it_covers():
    rng = np.random.default_rng(1)
    found = [difference(*simulated(rng, 0.6, 0.6, images=1173), everything(1173)) for _ in range(150)]

    half_width = np.mean([one.high - one.low for one in found]) / 2
    assert half_width == pytest.approx(1.96 * np.std([one.mean for one in found]), rel=0.35)


def test_clearly_different_configs_are_told_apart():
    rng = np.random.default_rng(2)
    found = [difference(*simulated(rng, 0.65, 0.5), everything(IMAGES)) for _ in range(20)]

    assert all(one.low > 0 for one in found)


def test_other_seeds_widen_the_interval_as_other_images_do():
    rng = np.random.default_rng(3)
    same = np.repeat(rng.random((1, IMAGES)) < 0.6, 5, axis=0).astype(float)
    none = np.zeros_like(same)
    uneven = same.copy()
    uneven[:2] = 0  # two seeds of the five learn nothing

    def width(runs):
        found = difference(runs, none, everything(IMAGES))
        return found.high - found.low

    assert width(uneven) > 3 * width(same)


def test_the_interval_takes_less_than_a_second_for_ten_thousand_images():
    first, second = simulated(np.random.default_rng(4), 0.6, 0.6, images=10_000)
    began = time.process_time()
    difference(first, second, everything(10_000))

    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("lead", "metric", "words"),
    [
        (
            Difference(0.0121, 0.002, 0.021, 5),
            "accuracy",
            "Over 5 seeds the first config (trial 17) is 1.2 points (95 % interval 0.2 to 2.1) ahead of the second "
            "(trial 4): the order is real.",
        ),
        (
            Difference(0.004, -0.00001, 0.008, 5),
            "accuracy",
            "is 0.4 points (95 % interval 0.0 to 0.8) ahead of the second (trial 4): the interval includes 0, so they "
            "cannot be told apart.",
        ),
        (
            Difference(-0.011, -0.02, -0.004, 5),
            "balanced_accuracy",
            "is 1.1 points (95 % interval 0.4 to 2.0) behind the second (trial 4): the search has them in the wrong "
            "order.",
        ),
        (
            Difference(0.0312, 0.01, 0.05, 3),
            "log_loss",
            "Over 3 seeds the first config (trial 17) is 0.0312 (95 % interval 0.0100 to 0.0500) ahead of the second",
        ),
        (None, "accuracy", "Whether the first config beats the second takes two seeds of both."),
    ],
)
def test_the_sentence_says_plainly_whether_the_order_is_real(lead, metric, words):
    rows = (RepeatedConfig(17, 0.68, (0.67, 0.66), 5), RepeatedConfig(4, 0.67, (0.65,), 5, lead))

    assert words in repeated._sentence(rows, named(metric))


def test_every_config_has_its_line_with_mean_spread_and_what_the_search_said():
    rows = (
        RepeatedConfig(17, 0.6812, (0.67, 0.66, 0.68), 3),
        RepeatedConfig(4, 0.67, (0.65, 0.66), 3, Difference(0.01, -0.01, 0.03, 2)),
        RepeatedConfig(9, 0.66, (), 3),
    )

    lines = sentences(Repeated(named("accuracy"), rows, "S."))

    assert lines[:4] == [
        "trial 17: validation accuracy 0.6700 +- 0.0100 over 3 seeds, 0.6812 in the search",
        "trial 4: validation accuracy 0.6550 +- 0.0071 over 2 of 3 seeds, 0.6700 in the search, "
        "1.0 points (95 % interval -1.0 to 3.0) behind the first",
        "trial 9: none of its 3 runs is COMPLETE yet, 0.6600 in the search",
        "S.",
    ]
    assert "best epoch" in lines[4]


def repeat_of(search, rights, seeds, metric="accuracy"):
    """A repeat of the best trials of a search; `rights` has a row a seed, of images right, or a state without them."""
    data, trials = noise(), [trial for trial in search.record.ranked if trial.state == "COMPLETE"]
    again = SweepBuilder(search.folder / "repeat", data, metric=metric)
    file = SweepFile.read(again.folder)
    file.queue, _ = with_other_seeds({}, trials, seeds, 7)
    file.kind, file.parent = "repeat", Parent(SweepFile.read(search.folder).id)
    file.write(again.folder)
    for right in (right for row in rights for right in row):
        state = "COMPLETE" if isinstance(right, int) else right
        again.add(MLP, [right] if isinstance(right, int) else [9], state)
    return again


@pytest.fixture
def search(tmp_path):
    sweep = SweepBuilder(tmp_path / "sweep", noise())
    sweep.add(MLP, [12])
    sweep.add(replace(MLP, lr=0.02), [15])
    sweep.add(MLP, [27], "PRUNED", reason="not among the best at its rung")
    return sweep


def test_a_sweep_that_was_not_repeated_has_none(search):
    assert repeated.read(search.record) is None
    (search.folder / "repeat").mkdir()
    assert repeated.read(search.record) is None


def test_configs_come_in_the_order_of_the_search_each_with_the_values_of_its_seeds(search):
    repeat_of(search, [[12, 15], [15, 18], [9, 12]], seeds=3)

    found = repeated.read(search.record)

    first, second = found.rows
    assert (first.trial, first.searched, second.trial, second.searched) == (1, 0.5, 0, 0.4)
    assert first.values == pytest.approx((0.4, 0.5, 0.3))
    assert second.values == pytest.approx((0.5, 0.6, 0.4))
    assert (first.mean, first.std) == pytest.approx((0.4, 0.1))
    assert second.lead.mean == pytest.approx(-0.1)
    assert "the first config (trial 1) is 10.0 points" in found.sentence
    assert "behind the second (trial 0)" in found.sentence


def test_only_seeds_that_both_have_are_compared(search):
    repeat_of(search, [[12, 15], ["FAIL", 30], [15, 15], [18, "RUNNING"]], seeds=4)

    first, second = repeated.read(search.record).rows

    assert (first.seeds, second.seeds, first.asked) == (3, 3, 4)
    assert second.lead.seeds == 2
    assert second.lead.mean == pytest.approx((-3 / 30 + 0) / 2)


def test_a_loss_is_better_where_it_is_smaller(tmp_path):
    data = noise()
    search = SweepBuilder(tmp_path / "sweep", data, metric="log_loss")
    search.add(MLP, [12])
    search.add(replace(MLP, lr=0.02), [15])
    again = repeat_of(search, [[20, 10], [20, 10]], seeds=2, metric="log_loss")

    first, second = repeated.read(search.record).rows

    assert (first.trial, second.trial) == (1, 0)
    values = [trial.value for trial in again.record.trials]
    assert second.lead.mean == pytest.approx(values[1] - values[0])


def test_the_repeat_of_another_search_is_none_of_this_one(search):
    again = repeat_of(search, [[12, 15]], seeds=1)
    file = SweepFile.read(again.folder)
    file.parent = Parent("another")
    file.write(again.folder)

    assert repeated.read(search.record) is None


def test_a_damaged_queue_names_its_file(search):
    again = repeat_of(search, [[12, 15]], seeds=1)
    path: Path = again.folder / "sweep.json"
    content = json.loads(path.read_text())
    del content["queue"]["1"]["nth_seed"]
    path.write_text(json.dumps(content))

    with pytest.raises(DamagedError, match=r"repeat/sweep.json: queue.1 must have trial, value and nth_seed"):
        repeated.read(search.record)
