"""The same as `python -m search.run`, with workers that do not see the driver's cache and have another.

    python -m tests.far_run FOLDER --data PATH ...

All pixels lie in a file, however few they are; FOLDER is the cache of the workers' node.
"""

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from sweep.datasets.pixels import form
from sweep.search.ray import executor
from sweep.search.ray.connection import prepare
from sweep.search.run import main
from sweep.storage.command_line import program
from sweep.trainable.worker.ray_trial import RayTrial


def far(folder: Path) -> type[RayTrial]:
    class Far(RayTrial):
        def setup(self, config, dataset, sources, blocks=None, weights_table=None, gate=None):
            from sweep.datasets.pixels import copies

            os.environ["XDG_CACHE_HOME"] = str(folder)
            copies._is_here = lambda images: False
            far_away = {net: replace(each, path=Path("far")) for net, each in (weights_table or {}).items()}
            super().setup(config, dataset, sources, blocks, far_away, gate)

    return Far


if __name__ == "__main__":
    prepare()
    form.ARRAY_BYTES = 0
    executor.execute = partial(executor.execute, trainable=far(Path(sys.argv.pop(1)).resolve()))
    program(main)
