"""How long a drawn trial may take where there is no GPU: known before the first trial, and fixed for the sweep.

The time is worked out from the net, the images and the epochs, never measured: a sweep draws the same configs on a busy
machine as on an idle one. A config that takes longer is drawn again before it is written.
"""

from dataclasses import dataclass, replace

from sweep.storage.sweep_file import Pace
from sweep.trainable.config import TrialConfig
from sweep.trainable.models import family_of

MOST_SECONDS = 900.0  # of a trial, on one thread: of 50 some 25 are of nets in training, most of them pruned early

REFERENCE_SIDE = 128  # px


@dataclass(frozen=True)
class PaceLimit(Pace):
    """Whether a config stays within the time."""

    classes: int
    image_size: tuple[int, int]

    @property
    def pace(self) -> Pace:
        """What `sweep.json` holds of it."""
        return Pace(self.seconds, self.images)

    def seconds_of(self, config: TrialConfig) -> float:
        """Returns about how long a config trains; 0 of a head, whose time is that of its features.

        Frozen stages only go forward: at each epoch, or once for each view where what they make of an image is kept.
        """
        from sweep.trainable.inputs import may_keep_maps, views_of  # torch
        from sweep.trainable.size import size_of
        from sweep.trainable.work import FORWARD

        if family_of(config.arch).train:
            return 0.0
        larger = 1.0
        if config.input_size:  # what a net computes grows with its input's area, so it is built once
            larger = (config.input_size / REFERENCE_SIDE) ** 2
            config = replace(config, input_size=REFERENCE_SIDE)
        size = size_of(config, self.classes, self.image_size)
        frozen = min(config.frozen_stages or 0, len(size.fronts))
        front = size.fronts[frozen - 1] if frozen else 0.0
        passes = len(views_of(config)[0]) if may_keep_maps(config) else config.epochs
        of_image = (size.training_seconds - front) * config.epochs + FORWARD * front * passes
        return larger * of_image * self.images

    def why_too_slow(self, config: TrialConfig) -> str:
        """Returns how long a config takes and what there is; empty where it stays within that."""
        if (seconds := self.seconds_of(config)) <= self.seconds:
            return ""
        return f"about {seconds / 60:,.0f} minutes of a CPU, of the {self.seconds / 60:.0f} that a drawn trial may take"

    def without(self, corners: list[TrialConfig]) -> dict[str, str]:
        """Returns the architectures of which nothing stays within the time, each with why."""
        least: dict[str, TrialConfig] = {}
        for config in corners:
            if config.arch not in least or self.seconds_of(config) < self.seconds_of(least[config.arch]):
                least[config.arch] = config
        return {arch: why for arch, config in least.items() if (why := self.why_too_slow(config))}

    def leaves_something(self, corners: list[TrialConfig]) -> bool:
        """Returns whether something of the space with these corners stays within the time."""
        return any(config.arch not in self.without(corners) for config in corners)

    def notes(self, corners: list[TrialConfig]) -> list[str]:
        """Returns what a person should know of it, a sentence each."""
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
        return notes + [f"{arch} is not drawn: it needs at least {why}." for arch, why in self.without(corners).items()]
