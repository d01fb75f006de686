"""The Tune trainable, in which one worker process runs many trials one after the other."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from sweep.datasets.far_files import Block
from sweep.datasets.pixels.copies import readable_here
from sweep.datasets.pixels.dataset import Dataset
from sweep.storage import user_code
from sweep.trainable import allocator, devices, weights
from sweep.trainable.weights import Weights
from sweep.trainable.worker.order import Order

if TYPE_CHECKING:
    from sweep.trainable.parallel.team import Team
    from sweep.trainable.worker.attempt import Attempt

# torch is imported only in a worker's `setup`, because the driver names this class and never trains.


class RayTrial(tune.Trainable):
    """A worker of Ray Tune, which calls `reset_config` for the next trial instead of starting a process for it.

    The config is `{"order": Order.to_dict()}`; a result is `{"report": Report.to_json()}`. `training` and `processes`
    are class attributes so that tests can replace the training, and use several processes without a GPU.
    """

    training: Any = None  # trainable.loop.train
    processes: int = 0  # how many train a trial together; 0 for one on each of its GPUs
    attempt: "Attempt | None" = None
    team: "Team | None" = None  # the other processes, if several train a trial

    def setup(  # type: ignore[override]
        self,
        config: dict[str, Any],
        dataset: Dataset,
        sources: dict[str, bytes],
        blocks: Any = None,
        weights_table: dict[str, Weights] | None = None,
        gate: Callable[[], None] | None = None,
    ) -> None:
        """Prepares this worker process for its trials, and begins the first one.

        Args:
          dataset: comes out of Ray's object store; its pixels are shared with the node's other workers or in a file.
          sources: the text of the user's files, from `storage.user_code.sources`.
          blocks: an actor of `search.ray.blocks` that gives the blocks of the driver's files, which other nodes may not
            see; None on one machine.
          weights_table: the weights of pretrained nets that trials begin with.
          gate: raises an error if the node of this worker is to get no trial.
        """
        if gate:
            gate()
        import cv2
        import torch

        from sweep.trainable import loop
        from sweep.trainable.parallel.team import Team

        allocator.keep_freed_memory()
        user_code.remember(sources)
        weights.remember(weights_table or {}, blocks and (lambda each: _far_weights(blocks, each)))
        self.dataset = dataset
        if blocks is not None:
            self.dataset = readable_here(dataset, lambda number: ray.get(blocks.block.remote(number)))
        resources = self.trial_resources.required_resources if self.trial_resources else {}
        processes = self.processes or max(1, int(resources.get("GPU", 0)))
        threads = max(1, int(resources.get("CPU", 1) / processes))  # with more, parallel trials would compete for CPUs
        torch.set_num_threads(threads)
        cv2.setNumThreads(0)
        self.device = devices.of_worker(resources.get("GPU", 0))
        if processes > 1:
            self.team = Team(self.dataset, processes, self.device, threads)
        self.train_function = type(self).training or (self.team.train if self.team else loop.train)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Forgets the previous trial and begins the one that is ordered; always possible, so it returns True."""
        import torch

        from sweep.trainable.worker.attempt import Attempt

        self.cleanup()  # otherwise the previous trial would keep its memory, also that of its CUDA graph
        allocator.give_back_freed_memory()
        torch.cuda.empty_cache()  # does nothing where there is no GPU
        order = Order.from_dict(new_config["order"])
        self.attempt = Attempt(order, self.dataset, self.device, self.train_function)
        return True

    def step(self) -> dict[str, Any]:
        """Trains up to the trial's next report, and returns the report."""
        assert self.attempt is not None
        report = self.attempt.next_report()
        return {"report": report.to_json(), "done": report.done}  # as text: Tune would flatten it

    def cleanup(self) -> None:
        """Forgets the trial; processes that were started for it stay for the next trial, and end with this process."""
        if self.attempt:
            self.attempt.store.close()
        self.attempt = None


def _far_weights(blocks: Any, each: Weights) -> tuple[int, Block]:
    """Returns the bytes of the driver's file of weights, and the function that returns its blocks."""
    size = ray.get(blocks.size_of_weights.remote(each.arch))
    return size, lambda number: ray.get(blocks.block_of_weights.remote(each.arch, number))
