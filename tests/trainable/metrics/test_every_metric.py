"""What every metric promises; each variant passes, and whoever adds one finds here what it must keep."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sweep.analysis.estimates.choice import choose
from sweep.analysis.report.contents import standard_error
from sweep.analysis.report.page import write_report
from sweep.analysis.report.status import summary
from sweep.storage import user_code
from sweep.storage.errors import UserError
from sweep.trainable.metrics import LAST, NAMES, SHOWN, measure, metrics, named
from sweep.trainable.metrics.contract import softmax
from sweep.trainable.metrics.history import OWN_FIELD, EpochMetrics
from sweep.trainable.metrics.predictions import confusion, falling_order
from tests.sweeps import CNN, MLP, SweepBuilder, noise

pytestmark = pytest.mark.figures
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
OWN = [user_code.name(f"{EXAMPLES}/metric.py:{name}", "") for name in ("macro_f1", "BRIER")]
OF_CLASS = ("precision:1", "recall:1")
IMAGES, CLASSES = 60, 6
CLASS_NAMES = tuple(map(str, range(CLASSES)))
LABELS = np.arange(IMAGES) % CLASSES


def logits(right, sure=2.0, seed=0):
    """The first `right` images as they should be, the others taken for the next class."""
    answers = np.where(np.arange(IMAGES) < right, LABELS, (LABELS + 1) % CLASSES)
    spread = np.random.default_rng(seed).normal(0, 0.1, (IMAGES, CLASSES))
    return (spread + sure * np.eye(CLASSES)[answers]).astype(np.float32)


@pytest.mark.parametrize("name", [*NAMES, *OF_CLASS, *OWN], ids=lambda name: Path(name).name)
class TestEveryMetric:
    @pytest.fixture(autouse=True)
    def metric(self, name):
        user_code.name(name, "") if name in OWN else None
        return named(name).for_classes(CLASS_NAMES)

    def test_a_better_answer_has_a_better_value(self, metric):
        values = [metric.value(LABELS, logits(right)) for right in (20, 40, 60)]

        assert metric.is_better(values[1], values[0])
        assert metric.is_better(values[2], values[1])
        assert metric.best_epoch(values) == 3

    def test_the_order_of_the_images_does_not_matter(self, metric):
        order = np.random.default_rng(1).permutation(IMAGES)

        assert metric.value(LABELS[order], logits(40)[order]) == pytest.approx(metric.value(LABELS, logits(40)))

    def test_images_of_one_class_have_a_value_or_are_refused_by_name(self, metric):
        of_one = np.flatnonzero(LABELS == 1)
        if metric.undefined(LABELS[of_one], CLASS_NAMES):
            with pytest.raises(
                UserError, match=rf"--metric {re.escape(metric.name)}: on the 10 validation images .*; "
            ):
                metric.check(LABELS[of_one], CLASS_NAMES)
        else:
            metric.check(LABELS[of_one], CLASS_NAMES)
            assert np.isfinite(metric.value(LABELS[of_one], logits(40)[of_one]))

    def test_what_is_kept_of_an_epoch_tells_its_value(self, metric):
        answers = logits(40)
        kept = np.eye(CLASSES)[answers.argmax(axis=1)] if metric.keeps == "classes" else softmax(answers)

        assert metric.value(LABELS, np.log(np.maximum(kept, 1e-9))) == pytest.approx(metric.value(LABELS, answers))

    def test_at_most_one_part_says_how_draws_of_images_are_scored(self, metric):
        assert sum(part is not None for part in (metric.images, metric.counts, metric.ranks)) <= 1

    def test_counts_tell_the_value(self, metric):
        if metric.counts is None:
            pytest.skip("it is not computed from counts")
        answers = [logits(right) for right in (20, 40)]

        values = metric.counts(np.stack([confusion(LABELS, each.argmax(axis=1), CLASSES) for each in answers]))

        assert values == pytest.approx([metric.value(LABELS, each) for each in answers])

    def test_an_image_that_counts_twice_by_its_weight_is_as_one_that_is_there_twice(self, metric):
        if metric.ranks is None:
            pytest.skip("it is not computed from ranks")
        weights = np.random.default_rng(2).integers(0, 3, (IMAGES, 4))
        probabilities = softmax(np.round(logits(40), 1))[:, 1]  # with ties
        order, ends = falling_order(probabilities)

        values = metric.ranks.of_order(weights[order], (LABELS == 1)[order], ends)

        for column, value in zip(weights.T, values, strict=True):
            images = np.repeat(np.arange(IMAGES), column)
            order, ends = falling_order(probabilities[images])
            once = np.ones((len(images), 1))
            assert metric.ranks.of_order(once, (LABELS[images] == 1)[order], ends)[0] == pytest.approx(value)

    def test_a_mean_is_the_mean_of_the_scores_of_its_images(self, metric):
        if metric.images is None:
            pytest.skip("it is no mean over the images")
        images, answers = metric.images, logits(40)
        of_each = [
            images.of_logits(LABELS, answers),
            images.of_probabilities(LABELS, softmax(answers).T),
            *([images.of_classes(LABELS, answers.argmax(axis=1)[None])[0]] if images.of_classes else []),
        ]

        means = [np.mean([scores[stratum].mean() for stratum in images.strata(LABELS)]) for scores in of_each]

        assert means == pytest.approx([metric.sign * metric.value(LABELS, answers)] * len(means), abs=1e-6)

    def test_every_image_is_in_one_stratum(self, metric):
        if metric.images is None:
            pytest.skip("it is no mean over the images")
        assert sorted(np.concatenate(metric.images.strata(LABELS))) == list(range(IMAGES))

    def test_a_guess_has_the_loss_that_it_says(self, metric):
        if metric.images is None or metric.images.guess_loss is None:
            pytest.skip("its images are right or wrong")
        scores = metric.images.of_logits(LABELS, np.zeros((IMAGES, CLASSES), np.float32))
        assert -scores == pytest.approx(metric.images.guess_loss(CLASSES))

    def test_an_epoch_is_measured_by_it(self, metric):
        fields = measure(LABELS, logits(40), metric)

        epoch = EpochMetrics(epoch=1, train_loss=1.0, lr=0.1, seconds=0.0, micro_batch=8, **fields)

        assert metric.of_epochs([epoch]) == [metric.value(LABELS, logits(40))]
        assert EpochMetrics(**epoch.to_dict()) == epoch

    def test_the_best_so_far_is_never_worse_than_before_and_of_equals_the_first_is_the_best(self, metric):
        values = [0.5, 0.2, 0.9, 0.2, 0.9]

        best = metric.best_so_far(values)

        assert best == [best_of(values[: epoch + 1]) for best_of in [metric_best(metric)] for epoch in range(5)]
        assert metric.best_epoch(values) == (3 if metric.greater_is_better else 2)

    def test_it_is_shown_with_its_own_words(self, metric):
        scale = metric.scale

        assert metric.words
        assert metric.one.endswith(metric.short)
        assert scale.value(None) == "-"
        assert scale.value(0.25).endswith(scale.unit)
        assert scale.difference(0.25).startswith("+")
        assert scale.difference(-1e-12) == scale.difference(0.0)  # no minus before nothing
        assert scale.change(-0.25) == f"-{scale.amount(0.25)}"

    def test_a_sweep_is_ranked_chosen_among_and_reported_by_it(self, metric, name, tmp_path):
        sweep = SweepBuilder(tmp_path / "sweep", noise(CLASSES), metric=name)
        for config, right in ((MLP, [9, 15]), (CNN, [12, 24]), (MLP, [12, 18])):
            sweep.add(config, right)
        record = sweep.record

        choice = choose(record)
        report = write_report(record).read_text()

        assert record.best.number == 1
        # The images are so much alike here that rounding decides which of their probabilities are equal.
        assert record.best.value == pytest.approx(choice.best.raw, abs=0.02 if metric.ranks else 1e-6)
        assert choice.best.low <= choice.best.corrected <= choice.best.high
        assert choice.best.high - choice.best.low > 0
        assert 0 < standard_error(record, record.best) < 1
        assert f"has {metric.one} of {metric.scale.rounded(choice.best.raw)}" in choice.sentence
        assert f"best: {metric.words}" in summary(record)
        assert metric.words in report
        assert metric.scale.value(record.best.value).replace(" %", "\u00a0%") in report


def metric_best(metric):
    return max if metric.greater_is_better else min


def test_a_metric_has_the_name_of_its_file_and_no_two_have_a_field_of_an_epoch_that_is_one_metrics_own():
    fields = [metric.field for metric in metrics().values() if metric.field != OWN_FIELD]

    assert {name: metric.name for name, metric in metrics().items()} == {name: name for name in metrics()}
    assert len(set(fields)) == len(fields)


def test_of_a_refit_no_value_is_shown_and_the_last_epoch_is_the_best():
    last = named(LAST)

    assert not last.is_measured
    assert last.best_epoch([1, 2, 3]) == 3
    assert LAST not in NAMES


def test_a_name_that_no_metric_has_is_refused_with_those_that_there_are():
    names = ", ".join((*SHOWN, LAST))

    with pytest.raises(UserError, match=rf"one of {names} or FILE\.py:OBJECT, got los"):
        named("los")


def test_metrics_are_there_without_torch():
    words = "import sys, trainable.metrics; sys.exit('torch' in sys.modules or 'ray' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", words], cwd=EXAMPLES.parent, check=False).returncode == 0
