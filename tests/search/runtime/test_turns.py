"""The order of a sweep over pretrained nets, with stand-ins for five of them."""

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

from sweep.search.portfolios.by_cost import RECIPES
from sweep.search.pruners import new_pruner
from sweep.search.runtime import turns
from sweep.search.runtime.draws import Draws, Plan
from sweep.search.runtime.ledger import Ledger
from sweep.search.runtime.turns import Turns
from sweep.search.spaces import NEWEST_IMBALANCE, imbalance, suggest_of
from sweep.search.spaces.space import Space
from sweep.trainable.config import UNHANDLED
from tests.trials import Silent

NETS = [f"timm/net{number}" for number in range(5)]
WORTH = dict(zip(NETS, (0.5, 0.8, 0.6, 0.9, 0.7), strict=True))  # what a head on each, and the net itself, comes to
ARCHS = ("logistic_head", "mlp_head", *NETS, "small_resnet")


def add(study, arch, backbone=None, value=None):
    params = {"arch": arch} | ({"backbone": backbone} if backbone else {})
    distributions = {"arch": CategoricalDistribution(ARCHS), "backbone": CategoricalDistribution(NETS)}
    state = TrialState.RUNNING if value is None else TrialState.COMPLETE
    known = {name: distributions[name] for name in params}
    study.add_trial(create_trial(state=state, value=value, params=params, distributions=known))


def run(trials, direction="maximize", archs=ARCHS, sign=1, study=None):
    """Returns the architectures of so many trials, each of which ends before the next is drawn."""
    study = study or optuna.create_study(direction=direction)
    for net in NETS:
        add(study, "logistic_head", net, sign * WORTH[net])
    drawn = []
    for _ in range(trials):
        turn = Turns(archs, {}).next(study)
        drawn.append(turn and turn[0])
        if turn is None:
            break
        arch = turn[0]
        net = NETS[0] if "head" in arch else arch
        add(study, arch, net if "head" in arch else None, sign * WORTH.get(net, 0.4))
    return drawn


def test_heads_come_first_then_fine_tuning_and_nets_from_scratch_then_the_sampler_is_free():
    drawn = run(100)

    heads = turns.HEADS_FIRST - len(NETS)
    assert {arch for arch in drawn[:heads]} == {"logistic_head", "mlp_head"}
    rest = drawn[heads:-1]
    assert sum(arch in NETS for arch in rest) == turns.TUNED_FIRST
    assert rest.count("small_resnet") == turns.SCRATCH_FIRST
    assert drawn[-1] is None


@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_the_half_of_the_nets_whose_heads_are_best_is_tuned_then_its_better_half_then_the_best(direction, sign):
    tuned = [arch for arch in run(100, direction, sign=sign) if arch in NETS]

    assert set(tuned[:3]) == {NETS[3], NETS[1], NETS[4]}
    assert sorted(tuned[3:7]) == [NETS[1], NETS[1], NETS[3], NETS[3]]
    assert set(tuned[7:]) == {NETS[3]}


@pytest.mark.parametrize(("direction", "sign"), [("maximize", 1), ("minimize", -1)])
def test_where_the_first_nets_that_are_tuned_do_not_come_up_to_the_best_head_no_more_have_a_turn(direction, sign):
    study = optuna.create_study(direction=direction)
    add(study, "logistic_head", NETS[3], sign * 0.95)

    drawn = run(100, direction, sign=sign, study=study)

    assert sum(arch in NETS for arch in drawn) == turns.TUNED_TRIED
    assert drawn.count("small_resnet") == turns.SCRATCH_FIRST
    assert drawn[-1] is None


def draw_all(folder, is_killed, addition=None):
    """Returns the configs of the trials that are drawn; a driver that is killed at once after its draw, or its tell."""
    space = Space(suggest_of("tiny", 2, NETS[:2]), {}, 12, addition)
    plan = Plan(22, 7, "accuracy", "tpe", {}, turns=Turns(space.families, RECIPES["tiny", 1]))
    ledger = new_ledger(folder)
    for number in range(plan.trials):
        assert Draws(ledger, space, plan, Silent()).draw() == number
        ledger = new_ledger(folder) if is_killed else ledger
        ledger.tell(number, TrialState.COMPLETE, number % 7 / 10)
        ledger = new_ledger(folder) if is_killed else ledger
    return [trial.user_attrs["config"] for trial in ledger.trials]


def new_ledger(folder):
    folder.mkdir(exist_ok=True)
    return Ledger(folder, "a" * 32, "accuracy", new_pruner("halving"))


def test_a_driver_that_is_killed_between_any_two_records_draws_the_same_configs(tmp_path):
    whole = draw_all(tmp_path / "whole", is_killed=False)

    drawn = {config["arch"] for config in whole}
    assert drawn - set(NETS) == {"logistic_head", "mlp_head", "small_resnet", "cnn"}
    assert drawn & set(NETS)
    assert draw_all(tmp_path / "killed", is_killed=True) == whole


def test_recipes_handle_unequal_classes_by_nothing_and_the_other_trials_by_what_is_drawn(tmp_path):
    configs = draw_all(tmp_path / "whole", is_killed=False, addition=imbalance(NEWEST_IMBALANCE))

    is_handled = [bool(UNHANDLED.keys() & config.keys()) for config in configs]
    first = {config["arch"]: number for number, config in reversed(list(enumerate(configs)))}
    recipes = {first["mlp_head"], first["small_resnet"], first["cnn"]}
    assert not any(is_handled[number] for number in recipes)
    assert sum(is_handled) > len(configs) / 2


def test_heads_that_still_run_do_not_keep_nets_from_being_tuned():
    study = optuna.create_study(direction="maximize")
    for _ in range(turns.HEADS_FIRST):
        add(study, "mlp_head", NETS[2])

    assert Turns(ARCHS, {}).next(study) == (NETS[0], {})


def test_the_first_trial_of_each_branch_has_its_recipe():
    recipes = {"mlp_head": {"hidden": 256}, turns.TUNED: {"tuned_epochs": 6}}
    study = optuna.create_study(direction="maximize")
    add(study, "logistic_head", NETS[1], 0.5)

    first = Turns(ARCHS, recipes).next(study)
    add(study, "mlp_head", NETS[1], 0.5)
    second = Turns(ARCHS, recipes).next(study)
    for _ in range(turns.HEADS_FIRST):
        add(study, "mlp_head", NETS[1], 0.5)
    tuned = Turns(ARCHS, recipes).next(study)
    add(study, NETS[1], value=0.6)

    assert first == ("mlp_head", {"hidden": 256})
    assert second == ("logistic_head", {})
    assert tuned == (NETS[1], {"tuned_epochs": 6})
    assert Turns(("mlp_head", NETS[1]), recipes).next(study) == (NETS[1], {})


def test_where_only_heads_are_searched_the_sampler_is_free_after_their_turns():
    drawn = run(100, archs=("logistic_head", "mlp_head"))

    assert len(drawn) == turns.HEADS_FIRST - len(NETS) + 1
    assert drawn[-1] is None
