"""The tables that `make curves` records: which configs are drawn for each, and on what data they are trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import optuna

from sweep.search import spaces
from sweep.search.samplers import new_sampler
from sweep.search.spaces.space import Space
from sweep.storage.sweep_file import DataOptions, Values
from sweep.trainable.config import TrialConfig

SEED = 0  # for the draws, the trainings, and the order of the validation images
MOST_EPOCHS = 40  # the most epochs that a space here draws
SAMPLER = ("random", 1)
TRAININGS = 3  # of each draw that is repeated
LITE0 = "timm/tf_efficientnet_lite0"
FROM_SCRATCH: Values = {"pretrained": False}  # so that weights on the machine make no difference


@dataclass(frozen=True)
class Recording:
    """The description of a table that is recorded.

    Attributes:
      name: the name of the table.
      variable: the environment variable that says where the data set is.
      options: how the data is read.
      space: the name and number of the published space from which configs are drawn.
      draws: the number of configs.
      repeated: the numbers of the draws that are trained `TRAININGS` times; the others are trained once.
      fixed: the values that are taken out of the space, as by --fix.
      backbones: the pretrained nets for which the space is made.
    """

    name: str
    variable: str
    options: DataOptions
    space: tuple[str, int]
    draws: int
    repeated: Sequence[int] = ()
    fixed: Values = field(default_factory=dict)
    backbones: tuple[str, ...] = ()

    @property
    def rows(self) -> list[tuple[int, int]]:
        """The draw and the repeat of each row of the table, in their order."""
        trainings = {draw: TRAININGS for draw in self.repeated}
        return [(draw, repeat) for draw in range(self.draws) for repeat in range(trainings.get(draw, 1))]

    @property
    def searched(self) -> Space:
        """The space from which configs are drawn."""
        return Space(spaces.suggest_of(*self.space, self.backbones), self.fixed, MOST_EPOCHS)

    def config(self, draw: int, repeat: int) -> tuple[Values, TrialConfig]:
        """Returns the drawn parameters and their config; both depend only on the two numbers, not on earlier draws."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # otherwise Optuna logs each new study
        sampler, number = SAMPLER
        study = optuna.create_study(sampler=new_sampler(sampler, SEED, draw, number))
        trial = study.ask()
        config = self.searched.config(trial)
        seed = int(np.random.SeedSequence([SEED, draw, repeat]).generate_state(1)[0] >> 1)
        return trial.params, replace(config, seed=seed)


RECORDINGS = (
    Recording(
        name="tiny",
        variable="SWEEP_TEST_DATA",
        options=DataOptions(limit_train=2000),
        space=("default", 2),
        draws=250,
        repeated=range(0, 240, 8),
        fixed=FROM_SCRATCH,
    ),
    Recording(  # the first configs of `tiny`
        name="tiny-full",
        variable="SWEEP_TEST_DATA",
        options=DataOptions(),
        space=("default", 2),
        draws=40,
        fixed=FROM_SCRATCH,
    ),
    Recording(
        name="cifar",
        variable="SWEEP_TEST_CIFAR",
        options=DataOptions(limit_train=2000),
        space=("default", 2),
        draws=150,
        fixed=FROM_SCRATCH,
    ),
    Recording(
        name="photographs-heads",
        variable="SWEEP_TEST_CLOTHES",
        options=DataOptions(image_size=224),
        space=("heads", 1),
        draws=300,
        backbones=(LITE0,),
    ),
    Recording(  # in the space for small images, in which the maps of frozen stages are the same at each epoch
        name="photographs-tunings",
        variable="SWEEP_TEST_CLOTHES",
        options=DataOptions(image_size=64),
        space=("tiny", 1),
        draws=60,
        fixed={"arch": LITE0, "tuned_input_size": 64},
        backbones=(LITE0,),
    ),
)
