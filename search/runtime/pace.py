"""Limits how long a drawn trial may take if there is no GPU; the limit is fixed for the sweep before its first trial.

The time of a trial is computed from the net, the images and the epochs and never measured, so that a sweep draws the
same configs on a busy machine as on an idle one. A config that takes longer is drawn again before it is written.
"""

from dataclasses import dataclass, replace

from sweep.storage.sweep_file import Pace
from sweep.trainable.config import TrialConfig
from sweep.trainable.models import family_of

MOST_SECONDS = 900.0  # per trial on one thread; of 50 trials about 25 train nets, and most of these are pruned early

REFERENCE_SIDE = 128  # px, the side at which the work of a net is computed and then scaled


@dataclass(frozen=True)
class PaceLimit(Pace):
    """The time that a trial may take, and whether a config stays within it."""

    classes: int
    image_size: tuple[int, int]

    @property
    def pace(self) -> Pace:
        """The part that `sweep.json` stores."""
        return Pace(self.seconds, self.images)

    def seconds_of(self, config: TrialConfig) -> float:
        """Returns about how many seconds a config trains; 0 for a head, which takes little beside its features.

        Frozen stages only compute forward: at each epoch, or once for each view if their outputs are kept.
        """
        from sweep.trainable.inputs import may_keep_maps, views_of  # imports torch
        from sweep.trainable.size import size_of
        from sweep.trainable.work import FORWARD

        if family_of(config.arch).train:
            return 0.0
        scale = 1.0
        if config.input_size:  # the work grows with the input's area, so the net is built for one side only
            scale = (config.input_size / REFERENCE_SIDE) ** 2
            config = replace(config, input_size=REFERENCE_SIDE)
        size = size_of(config, self.classes, self.image_size)
        frozen_stages = min(config.frozen_stages or 0, len(size.fronts))
        front = size.fronts[frozen_stages - 1] if frozen_stages else 0.0
        passes = len(views_of(config)[0]) if may_keep_maps(config) else config.epochs
        seconds_per_image = (size.training_seconds - front) * config.epochs + FORWARD * front * passes
        return scale * seconds_per_image * self.images

    def why_too_slow(self, config: TrialConfig) -> str:
        """Returns in words how long a config takes and how long it may; empty if it stays within that."""
        if (seconds := self.seconds_of(config)) <= self.seconds:
            return ""
        return f"about {seconds / 60:,.0f} minutes of a CPU, of the {self.seconds / 60:.0f} that a drawn trial may take"

    def too_slow(self, corners: list[TrialConfig]) -> dict[str, str]:
        """Returns the architectures of which no config stays within the time, each with the reason."""
        fastest: dict[str, TrialConfig] = {}
        for config in corners:
            if config.arch not in fastest or self.seconds_of(config) < self.seconds_of(fastest[config.arch]):
                fastest[config.arch] = config
        return {arch: why for arch, config in fastest.items() if (why := self.why_too_slow(config))}

    def leaves_something(self, corners: list[TrialConfig]) -> bool:
        """Returns whether anything in the space with these corners stays within the time."""
        return any(config.arch not in self.too_slow(corners) for config in corners)

    def notes(self, corners: list[TrialConfig]) -> list[str]:
        """Returns sentences that a person should read about the limit."""
        if not self.leaves_something(corners):
            return [
                f"There is no GPU, and every trial of this space takes more than {self.seconds / 60:.0f} minutes on "
                f"{self.images:,} images; a smaller net, fewer --max-epochs or --fix input_size=PX make it shorter."
            ]
        if not any(map(self.why_too_slow, corners)):
            return []
        notes = [
            f"There is no GPU: nets, sizes of images and epochs are drawn so that a trial on {self.images:,} images "
            f"takes at most about {self.seconds / 60:.0f} minutes; --enqueue runs longer ones."
        ]
        return notes + [
            f"{arch} is not drawn: it needs at least {why}." for arch, why in self.too_slow(corners).items()
        ]
