"""What `make curves` records: which configs are drawn for each table, and on what data they are trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import optuna

from sweep.search import spaces
from sweep.search.samplers import new_sampler
from sweep.search.spaces.space import Space
from sweep.storage.sweep_file import DataOptions, Values
from sweep.trainable.config import TrialConfig

SEED = 0  # of the draws, of the trainings, and of the order of the validation images
MOST_EPOCHS = 40  # the most that a space here draws
SAMPLER = ("random", 1)
TRAININGS = 3  # of a draw that is repeated
LITE0 = "timm/tf_efficientnet_lite0"
FROM_SCRATCH: Values = {"pretrained": False}  # whatever weights are on the machine


@dataclass(frozen=True)
class Recording:
    """A table that is to be recorded.

    Attributes:
      name: of the table.
      place: the environment variable that says where the data set lies.
      options: how the data is read.
      space: the name and the number of the published space that configs are drawn from.
      draws: how many configs there are.
      repeated: the numbers of the draws that are trained `TRAININGS` times; the others are trained once.
      fixed: the values that are taken out of the space, as by --fix.
      backbones: the pretrained nets that the space is made for.
    """

    name: str
    place: str
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
        """The space that is drawn from."""
        return Space(spaces.suggest_of(*self.space, self.backbones), self.fixed, MOST_EPOCHS)

    def config(self, draw: int, repeat: int) -> tuple[Values, TrialConfig]:
        """Returns what is drawn, and its config: a function of the two numbers, whatever was drawn before."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # it tells of each study otherwise
        sampler, number = SAMPLER
        study = optuna.create_study(sampler=new_sampler(sampler, SEED, draw, number))
        trial = study.ask()
        config = self.searched.config(trial)
        seed = int(np.random.SeedSequence([SEED, draw, repeat]).generate_state(1)[0] >> 1)
        return trial.params, replace(config, seed=seed)


RECORDINGS = (
    Recording(
        name="tiny",
        place="SWEEP_TEST_DATA",
        options=DataOptions(limit_train=2000),
        space=("default", 2),
        draws=250,
        repeated=range(0, 240, 8),
        fixed=FROM_SCRATCH,
    ),
    Recording(  # the first configs of `tiny`
        name="tiny-full",
        place="SWEEP_TEST_DATA",
        options=DataOptions(),
        space=("default", 2),
        draws=40,
        fixed=FROM_SCRATCH,
    ),
    Recording(
        name="cifar",
        place="SWEEP_TEST_CIFAR",
        options=DataOptions(limit_train=2000),
        space=("default", 2),
        draws=150,
        fixed=FROM_SCRATCH,
    ),
    Recording(
        name="photographs-heads",
        place="SWEEP_TEST_CLOTHES",
        options=DataOptions(image_size=224),
        space=("heads", 1),
        draws=300,
        backbones=(LITE0,),
    ),
    Recording(  # in the space of small images, which leaves the frozen stages' maps as they are at each epoch
        name="photographs-tunings",
        place="SWEEP_TEST_CLOTHES",
        options=DataOptions(image_size=64),
        space=("tiny", 1),
        draws=60,
        fixed={"arch": LITE0, "tuned_input_size": 64},
        backbones=(LITE0,),
    ),
)
