"""The same as `python -m search.run`, by the public ways of Ray and Optuna alone.

python -m tests.public_run --data PATH ...
"""

from sweep.search.ray import ray_2_60
from sweep.search.run import main
from sweep.search.samplers import optuna_5_0
from sweep.storage.command_line import program

if __name__ == "__main__":
    ray_2_60.is_used = optuna_5_0.is_used = lambda: False
    program(main)
