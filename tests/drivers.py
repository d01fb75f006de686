"""Real drivers, as processes on real Ray: killed at random moments, or started against each other."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from sweep.analysis.record import Record
from sweep.search.runtime.draws import trial_seed
from sweep.storage.errors import SweepError

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 8  # about what a driver needs before its first trial runs
MORE_THAN_CAN_END = 10_000  # trials, before a driver is killed
REFUSED_SECONDS = 60  # in which a second driver ends, on a machine however slow


def start(module: str, *words: object, **options: object) -> subprocess.Popen:
    """A command of this project; its output in text, both streams in one."""
    words = tuple(map(str, words))
    return subprocess.Popen(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **options,
    )


@dataclass
class Kills:
    """What became of a sweep whose driver was killed again and again.

    Attributes:
      lost: trials that had ended and were not there any more, or not the same.
      twice: trials that had ended and were trained again.
      running: trials that ran when their driver was killed, over all kills; each may have begun an epoch. Those that
        were paused are none of them.
      epochs, repeated: trained to their end in all, and of these those that were trained before.
      most_repeated_seconds: of one running trial by one kill.
      seconds: of the whole, starts included.
    """

    kills: int = 0
    before_the_first_trial: int = 0
    trials: int = 0
    running: int = 0
    lost: int = 0
    twice: int = 0
    epochs: int = 0
    repeated: int = 0
    trained_seconds: float = 0.0
    repeated_seconds: float = 0.0
    most_repeated_seconds: float = 0.0
    longest_epoch_seconds: float = 0.0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def waste(self) -> float:
        """The share of the epochs that was trained again, and of those at most that were begun and not finished."""
        return (self.repeated + self.running) / self.epochs


def kill_randomly(sweep: Path, kills: int, trials_per_kill: int, seed: int, *words: object) -> Kills:
    """Runs one sweep, its driver killed with SIGKILL so often, about so many trials apart, and then to its end.

    A driver to be killed is asked for more trials than can end before: how many do is the machine's affair.

    Args:
      words: of `search.run`, but for `--sweep` and `--trials`.
    """
    rng, result, began = random.Random(seed), Kills(), time.monotonic()
    total = kills * trials_per_kill + trials_per_kill
    log = sweep.with_name(f"{sweep.name}-epochs.log")
    command = ("tests.counted_run", log, *words, "--sweep", sweep, "--trials")
    now: dict[int, tuple] = {}
    ended: dict[int, tuple] = {}
    trained: list[list[str]] = []  # log lines up to each kill
    for kill in range(kills + 1):
        driver = start(*command, MORE_THAN_CAN_END if kill < kills else total)
        if kill < kills:
            _wait_for_a_random_moment(driver, rng, trials_per_kill)
            if driver.poll() is not None:
                result.problems.append(f"start {kill}: the driver had ended already: {driver.stdout.read()[-500:]}")
                break
            driver.kill()
            result.kills += 1
        output = driver.stdout.read()
        code = driver.wait()
        if kill == kills and code != 0:
            result.problems.append(f"the last start ended with {code}: {output[-1000:]}")
        if "Traceback" in output:
            result.problems.append(f"start {kill}: {output[-1000:]}")
        lines = log.read_text().splitlines() if log.exists() else []
        new = lines[sum(map(len, trained)) :]
        now = _trials(sweep)
        numbers = {str(trial_seed(0, number)): number for number in now}
        result.twice += len({numbers[line.split()[0]] for line in new} & ended.keys())
        trained.append(new)
        result.lost += sum(now.get(number) != trial for number, trial in ended.items())
        result.before_the_first_trial += not new
        result.running += sum(trial[0] == "RUNNING" for trial in now.values()) if kill < kills else 0
        ended = {number: trial for number, trial in now.items() if trial[0] not in ("RUNNING", "paused")}
    result.trials = len(ended)
    if sorted(ended) != list(range(max(total, len(now)))):
        result.problems.append(f"of {max(total, len(now))} trials {len(ended)} ended")
    _count_repeated(trained, result)
    result.seconds = time.monotonic() - began
    return result


def _wait_for_a_random_moment(driver: subprocess.Popen, rng: random.Random, trials_per_kill: int) -> None:
    """One kill in six falls somewhere before the first trial ends, the others after a random number of trials."""
    if rng.random() < 1 / 6:
        time.sleep(rng.uniform(0, START_SECONDS))
        return
    for _ in range(rng.randrange(1, 2 * trials_per_kill)):
        for line in driver.stdout:
            if line.startswith("["):
                break
    time.sleep(rng.uniform(0, 1))


def _trials(sweep: Path) -> dict[int, tuple]:
    try:
        return {
            t.number: ("paused" if t.is_paused else t.state, t.value, t.epochs, json.dumps(t.config))
            for t in Record(sweep).trials
        }
    except SweepError:  # killed before its first record
        return {}


def _count_repeated(trained: list[list[str]], result: Kills) -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    for lines in trained:
        again: dict[str, float] = defaultdict(float)
        for seed, epoch, seconds, *_ in map(str.split, lines):
            result.epochs += 1
            result.trained_seconds += float(seconds)
            result.longest_epoch_seconds = max(result.longest_epoch_seconds, float(seconds))
            if epoch in seen[seed]:
                result.repeated += 1
                again[seed] += float(seconds)
            seen[seed].add(epoch)
        if again:
            result.repeated_seconds += sum(again.values())
            result.most_repeated_seconds = max(result.most_repeated_seconds, *again.values())


@dataclass
class Races:
    """Drivers of one sweep started at once, again and again.

    Attributes:
      one_ran: rounds in which exactly one was not refused.
      slowest_refusal: seconds from its start to its end.
    """

    rounds: int = 0
    one_ran: int = 0
    refused: int = 0
    slowest_refusal: float = 0.0
    problems: list[str] = field(default_factory=list)


def race(folder: Path, drivers: int, rounds: int, *words: object) -> Races:
    """Each round is a new sweep; the driver that runs is stopped once the others have ended.

    Args:
      words: of `search.run`, but for `--sweep`.
    """
    result = Races()
    for number in range(rounds):
        sweep = folder / f"race-{drivers}-{number}"
        began = time.monotonic()
        running = [start("search.run", *words, "--space", "default", "--sweep", sweep) for _ in range(drivers)]
        seconds = [0.0] * drivers

        def wait(index: int, running=running, seconds=seconds, began=began) -> None:
            running[index].wait()
            seconds[index] = time.monotonic() - began

        waiting = [threading.Thread(target=wait, args=(index,)) for index in range(drivers)]
        for thread in waiting:
            thread.start()
        deadline, holder = time.monotonic() + REFUSED_SECONDS, ""
        while sum(driver.poll() is not None for driver in running) < drivers - 1 and time.monotonic() < deadline:
            if not holder.endswith("\n") and (sweep / "lock").exists():
                holder = (sweep / "lock").read_text()
                for driver in running:
                    if f"pid {driver.pid} " in holder:
                        driver.send_signal(signal.SIGSTOP)  # so that what is written after this is the others'
            time.sleep(0.01)
        alive = [driver for driver in running if driver.poll() is None]
        refused = [index for index, driver in enumerate(running) if driver.poll() == 75]
        written = sorted(path.name for path in sweep.iterdir()) if sweep.exists() else []
        result.rounds += 1
        result.refused += len(refused)
        if len(alive) == 1 and len(refused) == drivers - 1 and f"pid {alive[0].pid} " in holder:
            result.one_ran += 1
        else:
            result.problems.append(f"round {number}: {len(alive)} ran, exit codes {[d.poll() for d in running]}")
        result.slowest_refusal = max([result.slowest_refusal, *(seconds[index] for index in refused)])
        for driver in alive:
            os.killpg(driver.pid, signal.SIGCONT)
            os.killpg(driver.pid, signal.SIGTERM)
        for thread, driver in zip(waiting, running, strict=True):
            thread.join()
            driver.stdout.close()
        if written != ["lock"]:
            result.problems.append(f"round {number}: written beside the lock: {written}")
        if [driver.returncode for driver in alive] != [143]:
            result.problems.append(f"round {number}: the driver that ran ended with {alive[0].returncode}")
    return result
