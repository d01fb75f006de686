"""What a command asks for, by its flags."""

import pytest
from click.core import ParameterSource

from sweep.search.run import main
from sweep.search.runtime.request import search_of
from sweep.search.runtime.settings import NEWEST_DEFAULTS
from sweep.storage.sweep_file import SweepFile


def settings_of(folder, *words):
    context = main.make_context("run", ["--data", str(folder), *map(str, words)])
    given = {name for name in context.params if context.get_parameter_source(name) != ParameterSource.DEFAULT}
    return search_of(folder, context.params, given, False).settings


def test_a_budget_of_epochs_alone_says_how_many_trials_there_are(tmp_path):
    settings = settings_of(tmp_path, "--budget-epochs", 400)

    assert (settings.budget_epochs, settings.trials) == (400, 400)  # none takes less than an epoch
    assert settings.trials_wanted(drawn=90, epochs=399) == 400
    assert settings.trials_wanted(drawn=90, epochs=400) == 90


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], (50, None)),
        (["--trials", 30, "--budget-epochs", 400], (30, 400)),
    ],
)
def test_with_a_number_of_trials_both_count(tmp_path, words, expected):
    settings = settings_of(tmp_path, *words)

    assert (settings.trials, settings.budget_epochs) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], (400, 400)),
        (["--budget-epochs", 600], (600, 600)),
        (["--trials", 30], (30, 400)),
    ],
)
def test_a_sweep_goes_on_with_the_budget_that_it_had_unless_the_command_names_another(tmp_path, words, expected):
    begun = settings_of(tmp_path, "--budget-epochs", 400)
    SweepFile(begun, {}, "f" * 64, ["0", "1"], [16, 16], {}, [], "a" * 32, defaults=NEWEST_DEFAULTS).write(tmp_path)

    settings = settings_of(tmp_path, *words)

    assert (settings.trials, settings.budget_epochs) == expected
