"""What a world says of configs follows from the table: the recorded ones, or others like them."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from benchmarks.replay import trees, worlds
from benchmarks.replay.clock import search
from benchmarks.replay.contract import Limit
from benchmarks.replay.policies import Task, policy_kind
from benchmarks.replay.worlds import forest, nearest, world_kind
from sweep.trainable.config import TrialConfig
from tests.benchmarks.replay.tables import SPACE, synthetic_table

TABLE = synthetic_table(rows=80, images=400, diverged=4)
MADE = {}


@pytest.fixture(params=worlds.NAMES)
def kind(request):
    return world_kind(request.param)


def made(kind):
    if kind.shown not in MADE:
        MADE[kind.shown] = kind.new(TABLE)
    return MADE[kind.shown]


class TestEveryWorld:
    def test_the_same_replay_has_the_same_trainings(self, kind):
        one, other = (made(kind)(5, 1) for _ in range(2))

        for number in range(20):
            first, second = one.training(number, None), other.training(number, None)
            assert first.config == second.config
            assert np.array_equal(first.seen, second.seen)
            assert np.array_equal(first.scored, second.scored)
            assert np.array_equal(first.seconds, second.seconds)

    def test_values_are_shares_and_seconds_are_positive(self, kind):
        world = made(kind)(0, 0)

        for training in [world.training(number, None) for number in range(40)]:
            values = np.concatenate([training.seen, training.scored])
            assert ((values >= 0) & (values <= 1)).all()
            assert (training.seconds > 0).all()
            assert len(training.seen) == len(training.scored) <= training.epochs

    def test_what_nobody_chose_is_worse_than_the_best(self, kind):
        world = made(kind)(0, 0)

        assert 0.1 < world.blind < world.best < 0.8


def test_the_worlds_that_take_configs_take_any_of_the_space():
    config = TrialConfig(arch="mlp", width=2.0, epochs=13, lr=0.01, optimizer="sgd", schedule="cosine")

    for name in ("forest", "nearest"):
        training = made(world_kind(name))(0, 0).training(0, config)
        assert training.config["arch"] == "mlp"
    assert made(world_kind("forest"))(0, 0).training(0, config).epochs == 13


def test_the_nearest_curve_of_a_recorded_config_is_its_own_and_is_had_once():
    curve = next(curve for curve in TABLE.curves if not curve.has_diverged)
    world = made(world_kind("nearest"))(0, 0)
    config = TrialConfig.from_dict(curve.config)

    first, second = world.training(0, config), world.training(1, config)

    assert first.config == curve.config
    assert second.config != curve.config
    assert second.config["arch"] == curve.config["arch"]


def test_all_trees_at_once_predict_what_the_forest_predicts():
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(50, 4)).astype(np.float32)
    targets = np.stack([rows[:, 0] + rows[:, 1], rows[:, 2] ** 2], axis=1)
    forests = trees.Forests(rows, targets)

    for column in (0, 1):
        sklearns = RandomForestRegressor(
            trees.TREES, min_samples_leaf=trees.FEWEST_IN_LEAF, max_features=trees.FEATURES, random_state=0
        ).fit(rows, targets[:, column])
        others = generator.normal(size=(20, 4)).astype(np.float32)
        found = [forests.predict(row)[column] for row in others]
        assert found == pytest.approx(sklearns.predict(others).tolist())


def test_a_forest_knows_which_rates_are_good():
    world = made(world_kind("forest"))(0, 0)
    at = {"arch": "mlp", "width": 2.0, "epochs": 20, "optimizer": "sgd", "schedule": "cosine"}

    means = [
        np.mean([world.training(number, TrialConfig(lr=rate, **at)).scored[-1] for number in range(30)])
        for rate in (0.02, 0.0002)  # the reference and a hundredth of it
    ]

    assert means[0] > means[1] + 0.1


def test_what_forests_know_is_measured_on_what_they_have_not_seen():
    known = world_kind("forest").known(TABLE)

    assert len(known) == 6
    assert all(0 < figure < 0.97 for figure in known.values())
    assert known["variance explained after all"] > 0.3
    assert known["rank correlation of the final values"] > 0.5


def test_a_trial_has_the_same_luck_whoever_asks():
    one, other = made(world_kind("forest"))(0, 0), made(world_kind("forest"))(0, 0)
    config = TrialConfig(arch="mlp", width=2.0, epochs=20)
    other.training(7, config)

    assert np.array_equal(one.training(3, config).seen, other.training(3, config).seen)
    assert not np.array_equal(one.training(3, config).seen, one.training(4, config).seen)


def test_halves_share_the_luck_of_a_config_and_have_noise_of_their_own():
    world = made(world_kind("forest"))(0, 0)
    pairs = np.array([(t.seen[-1], t.scored[-1]) for t in (world.training(number, None) for number in range(200))])

    assert np.corrcoef(pairs.T)[0, 1] > 0.7
    assert np.abs(pairs[:, 0] - pairs[:, 1]).mean() > 0.01


def test_a_course_goes_through_its_points():
    found = forest.course(np.array([0.1, 0.2, 0.3, 0.4, 0.5]), epochs=18)

    assert found[[0, 1, 5, 11, 17]].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert found[8] == pytest.approx(0.35)
    assert forest.course(np.array([0.1, 0.2, 0.3, 0.4, 0.5]), epochs=1).tolist() == [0.5]


def test_a_search_ends_when_every_recorded_curve_is_had():
    world = nearest.new(synthetic_table(rows=12))(0, 0)
    log = search(policy_kind("optuna_hyperband").new(Task(0, SPACE, ("default", 2), SPACE, Limit())), world, 2, Limit())

    assert len({str(training.config) for training in log.trainings}) == len(log.trainings) == 12
