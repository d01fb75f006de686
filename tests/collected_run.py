"""The same as `python -m search.run`, with garbage that holds an object of Ray's, collected when Ray's core has ended.

    python -m tests.collected_run --data PATH ...

Python collects when it likes; Ray ends a process that gives an object back then.
"""

import gc

from sweep.search.ray.session import RaySession
from sweep.search.run import main
from sweep.storage.command_line import program


class Core:
    """Ray's, collecting when it has ended."""

    def __init__(self, core):
        self.core = core

    def __getattr__(self, name):
        return getattr(self.core, name)

    def shutdown_driver(self):
        self.core.shutdown_driver()
        gc.collect()


def leaving_garbage(execute):
    def execute_and_leave(*arguments):
        import ray

        signals = execute(*arguments)
        gc.disable()  # else it might be collected sooner
        cycle = [ray.put(0)]
        cycle.append(cycle)
        worker = ray._private.worker.global_worker
        worker.core_worker = Core(worker.core_worker)
        return signals

    return execute_and_leave


if __name__ == "__main__":
    RaySession.execute = leaving_garbage(RaySession.execute)
    program(main)
