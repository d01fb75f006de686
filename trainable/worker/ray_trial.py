"""The Tune trainable: one worker process, many trials."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from sweep.datasets.far_files import Block
from sweep.datasets.pixels.copies import here
from sweep.datasets.pixels.dataset import Dataset
from sweep.storage import user_code
from sweep.trainable import allocator, devices, weights
from sweep.trainable.weights import Weights
from sweep.trainable.worker.order import Order

if TYPE_CHECKING:
    from sweep.trainable.parallel.team import Team
    from sweep.trainable.worker.attempt import Attempt

# torch is imported in a worker's `setup` alone: the driver names this class and never trains.


class RayTrial(tune.Trainable):
    """Ray calls `reset_config` for the next trial instead of starting a process for it.

    The config is `{"order": Order.to_dict()}`; a result is `{"report": Report.to_json()}`. `training` and `processes`
    are attributes so that tests can break the one, and have several of the other without a GPU.
    """

    training: Any = None  # trainable.loop.train
    processes: int = 0  # that train a trial; 0: one for each of its GPUs
    attempt: "Attempt | None" = None
    team: "Team | None" = None  # with the other processes

    def setup(  # type: ignore[override]
        self,
        config: dict[str, Any],
        dataset: Dataset,
        sources: dict[str, bytes],
        blocks: Any = None,
        weights_table: dict[str, Weights] | None = None,
        gate: Callable[[], None] | None = None,
    ) -> None:
        """Args:
        dataset: out of Ray's object store, its pixels shared with the other workers of the node or in a file.
        sources: of the user's files, `storage.user_code.sources`.
        blocks: an actor that gives the blocks of files, `search.ray.blocks`, where other nodes may not see them.
        weights_table: the weights of pretrained nets that trials begin with.
        gate: raises where the node of this worker is to have no trial.
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
            self.dataset = here(dataset, lambda number: ray.get(blocks.block.remote(number)))
        given = self.trial_resources.required_resources if self.trial_resources else {}
        processes = self.processes or max(1, int(given.get("GPU", 0)))
        threads = max(1, int(given.get("CPU", 1) / processes))  # more, and trials beside each other fight
        torch.set_num_threads(threads)
        cv2.setNumThreads(0)
        self.device = devices.of_worker(given.get("GPU", 0))
        if processes > 1:
            self.team = Team(self.dataset, processes, self.device, threads)
        self.train_function = type(self).training or (self.team.train if self.team else loop.train)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        import torch

        from sweep.trainable.worker.attempt import Attempt

        self.cleanup()  # of the trial before; else its memory, a graph's among it, would not be free
        allocator.give_back_freed_memory()
        torch.cuda.empty_cache()  # does nothing where there is no GPU
        order = Order.from_dict(new_config["order"])
        self.attempt = Attempt(order, self.dataset, self.device, self.train_function)
        return True

    def step(self) -> dict[str, Any]:
        assert self.attempt is not None
        report = self.attempt.next_report()
        return {"report": report.to_json(), "done": report.done}  # as text: Tune would flatten it

    def cleanup(self) -> None:
        """Forgets the trial; what has been started for it stays for the next one, and ends with this process."""
        if self.attempt:
            self.attempt.store.close()
        self.attempt = None


def _far_weights(blocks: Any, each: Weights) -> tuple[int, Block]:
    """Returns how large the driver's file of weights is, and what gives its blocks."""
    size = ray.get(blocks.size_of_weights.remote(each.arch))
    return size, lambda number: ray.get(blocks.block_of_weights.remote(each.arch, number))
