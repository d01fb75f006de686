"""Measures what a sweep survives, and writes RELIABILITY.md.

    make reliability                    # all parts, half an hour on 2 cores; nothing else should run
    make reliability ARGS="races kills" # these alone; the other sections of the page stay

It uses the same functions as the tests, but with all of the kill points, kills and damages, of which the tests take a
part. Its exit code is 1 if a figure is not as it must be.
"""

import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from benchmarks import faults, forms
from benchmarks.conditions import conditions
from sweep.datasets.demo import write_demo
from tests import damage, postgres, simulated_sweeps
from tests.clusters import lose_randomly
from tests.drivers import kill_randomly, race
from tests.kill_points import IN_DATABASE, IN_FOLDS, SCHEDULES, Tally, kill_everywhere
from tests.nets import follow_all

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "RELIABILITY.md"
LOSING_TRIALS, LOST_WORKERS, LOST_NODES = 50, 20, 5
KILLS, TRIALS_PER_KILL, RACES, MUTATIONS = 50, 20, 20, 2000
SIMULATED, SIMULATED_FROM = 1000, 100_000  # none of these seeds was used to choose methods
# With these options a whole trial takes about 10 s, as a small real one does.
KILLED_SWEEP = ("--max-epochs", 27, "--fix", "epochs=27", "--fix", "arch=cnn", "--no-baselines")


@dataclass(frozen=True)
class Row:
    """A line of the page.

    Attributes:
      subject: the thing that was measured.
      requirement: what the figure has to be, in words.
      result: the figure.
      seconds: the time of the measurement.
      holds: whether the figure is as it has to be.
    """

    subject: str
    requirement: str
    result: str
    seconds: float
    holds: bool


def kill_points(folder: Path) -> list[Row]:
    """Kills a driver before, in and after each durable write."""
    rows = []
    tallies = {schedule.name: kill_everywhere(schedule, folder) for schedule in SCHEDULES}
    points, seconds = sum(t.points for t in tallies.values()), sum(t.seconds for t in tallies.values())
    for name, tally in tallies.items():
        rows.append(_kill_row(f"journal, schedule `{name}`", tally))
    thousand_seconds = 1000 * seconds / points
    result = f"{points:,} points, {thousand_seconds:.0f} s for a thousand of them"
    requirement = "1,000 or more points, a thousand in 120 s or less"
    rows.append(Row("journal, all schedules", requirement, result, seconds, points >= 1000 and thousand_seconds <= 120))
    tally = kill_everywhere(SCHEDULES[0], folder / "full", full_disk=True)
    rows.append(_kill_row("journal, no space left on the disk instead of a kill", tally))
    return rows


def database(folder: Path) -> list[Row]:
    """Kills a driver before, in and after each transaction, on a PostgreSQL server of its own."""
    os.environ["PGPASSWORD"] = postgres.PASSWORD
    with postgres.running() as server:
        schedules = [replace(schedule, ledger=server.url) for schedule in (IN_DATABASE, IN_FOLDS)]
        tallies = {schedule.name: kill_everywhere(schedule, folder) for schedule in schedules}
    return [_kill_row(f"PostgreSQL, schedule `{name}`", tally) for name, tally in tallies.items()]


def _kill_row(subject: str, tally: Tally) -> Row:
    steps = ", ".join(f"{count} {step}" for step, count in sorted(tally.steps.items()))
    losses = f"{tally.lost} lost, {tally.twice} trained twice, {tally.differing} other results"
    result = f"{tally.points} points ({steps}): {losses}; {tally.repeated_epochs} epochs repeated"
    requirement = "0 lost, 0 trained twice, leaderboard and CSV byte-identical"
    _print_problems(tally.problems)
    holds = not tally.problems and not tally.lost + tally.twice + tally.differing
    return Row(subject, requirement, result, tally.seconds, holds)


def real_kills(folder: Path) -> list[Row]:
    """Kills drivers on a real Ray at random moments."""
    data = folder / "demo"
    data.mkdir()
    write_demo(data)
    sweep = folder / "killed"
    kills = kill_randomly(sweep, KILLS, TRIALS_PER_KILL, 0, "--data", data, *KILLED_SWEEP)
    _print_problems(kills.problems)
    max_repeated_seconds = 1 + kills.longest_epoch_seconds  # s, because a report gathers the epochs of one second
    result = (
        f"{kills.kills} kills ({kills.before_the_first_trial} before anything was trained), {kills.trials} trials: "
        f"{kills.lost} lost, {kills.twice} ended ones trained again"
    )
    repetition = (
        f"at most {kills.most_repeated_seconds:.2f} s of a running trial and kill, {kills.running} were running "
        f"(an epoch takes up to {kills.longest_epoch_seconds:.2f} s)"
    )
    waste = (
        f"{kills.repeated} of {kills.epochs:,} epochs, and at most one begun by each of the {kills.running} running "
        f"trials: {100 * kills.waste:.1f} %"
    )
    rows = [
        Row(
            "SIGKILL of the driver at random moments",
            "0 lost, 0 duplicated",
            result,
            kills.seconds,
            not kills.problems and not kills.lost + kills.twice and kills.kills == KILLS,
        ),
        Row(
            "repeated work",
            "at most a reporting interval (1 s and an epoch)",
            repetition,
            0,
            kills.most_repeated_seconds <= max_repeated_seconds,
        ),
        Row(f"repeated work, a kill per {TRIALS_PER_KILL} trials", "at most 5 %", waste, 0, kills.waste <= 0.05),
    ]
    began = time.monotonic()
    code = "import sys, search.run\ntry: search.run.main()\nfinally: print('ray' in sys.modules, file=sys.stderr)"
    words = ["--sweep", sweep, "--trials", kills.trials]
    process = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    is_quick = process.returncode == 0 and seconds < 2 and process.stderr.strip() == "False"
    rows.append(
        Row(
            "the command on a finished sweep",
            "ends within 2 s, starts no Ray",
            f"exit code {process.returncode}, Ray imported: {process.stderr.strip()}",
            seconds,
            is_quick,
        )
    )
    return rows


def nodes(folder: Path) -> list[Row]:
    """Kills workers and nodes of a cluster of four nodes, all on this machine."""
    data = folder / "demo"
    data.mkdir()
    write_demo(data)
    words = ("--data", data, *KILLED_SWEEP, "--attempts", 1 + LOST_WORKERS + LOST_NODES)
    losses = lose_randomly(folder, LOSING_TRIALS, LOST_WORKERS, LOST_NODES, 0, *words)
    _print_problems(losses.problems)
    result = (
        f"{losses.workers} workers killed, {losses.nodes} nodes killed and as many added, {losses.trials} trials: "
        f"{losses.lost} lost, {losses.twice} ended ones trained again; {losses.repeated} of {losses.epochs:,} epochs "
        f"trained twice, at most {losses.most_attempts} attempts of a trial"
    )
    holds = not losses.problems and not losses.lost + losses.twice
    holds = holds and (losses.workers, losses.nodes) == (LOST_WORKERS, LOST_NODES)
    subject = "SIGKILL of workers and nodes, a head and three nodes"
    return [Row(subject, "every trial ends, 0 lost, 0 duplicated", result, losses.seconds, holds)]


def races(folder: Path) -> list[Row]:
    """Starts several drivers of one sweep at once."""
    data = folder / "demo"
    if not data.exists():
        data.mkdir()
        write_demo(data)
    rows = []
    for drivers in (2, 4):
        began = time.monotonic()
        tally = race(folder, drivers, RACES, "--data", data)
        _print_problems(tally.problems)
        result = f"{tally.one_ran} of {tally.rounds}; slowest refusal {tally.slowest_refusal:.2f} s"
        holds = tally.one_ran == RACES and tally.slowest_refusal <= 1 and not tally.problems
        requirement = "one runs, the others exit 75 within 1 s and write nothing"
        rows.append(Row(f"{drivers} drivers started at once", requirement, result, time.monotonic() - began, holds))
    return rows


def damages(folder: Path) -> list[Row]:
    """Damages the journal: cuts it and flips a bit at each byte."""
    return [Row(*row) for row in damage.rows(folder)]


def inputs(folder: Path) -> list[Row]:
    """Runs the tests of bad inputs, mutated data, hostile files, and the holes of Ray Tune's restore."""
    rows = []
    for subject, requirement, file, environment, min_passes, max_seconds in (
        ("bad inputs", "80 or more, 15 s or less, each refused by name", "test_bad_inputs", {}, 80, 15),
        (
            f"{MUTATIONS:,} random mutations of valid data, in two layouts and of five kinds",
            "each image is accounted for, or refused by name",
            "test_mutations",
            {"SWEEP_MUTATIONS": str(MUTATIONS)},
            1,
            math.inf,
        ),
        (
            "hostile files in a sweep's folder",
            "0 pickles opened, each refused by name",
            "test_hostile",
            {},
            15,
            math.inf,
        ),
        ("holes H1 to H14 of Ray Tune's restore", "each closed", "test_holes", {}, 13, math.inf),
    ):
        result = _tests(folder, f"tests/whole/{file}.py", environment)
        holds = result.holds and result.passes >= min_passes and result.seconds <= max_seconds
        rows.append(Row(subject, requirement, f"{result}", result.seconds, holds))
    return rows


@dataclass(frozen=True)
class Tested:
    """The outcome of a file of tests.

    Attributes:
      passes: how many tests passed.
      failures: how many failed or were skipped.
      seconds: the time of all of them.
      holds: whether all passed.
    """

    passes: int
    failures: int
    seconds: float
    holds: bool

    def __str__(self) -> str:
        return f"{self.passes} tests passed, {self.failures} failed or skipped"


def _tests(folder: Path, file: str, environment: dict[str, str]) -> Tested:
    """Runs a file of tests in a process of its own, and prints the end of its output if one fails."""
    results = folder / "results.xml"
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", file, f"--junitxml={results}"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    _print_problems([] if process.returncode == 0 else [process.stdout[-3000:]])
    suite = ElementTree.parse(results).getroot()[0].attrib
    failures = int(suite["failures"]) + int(suite["errors"]) + int(suite["skipped"])
    holds = process.returncode == 0 and not failures
    return Tested(int(suite["tests"]) - failures, failures, float(suite["time"]), holds)


def pages(folder: Path) -> list[Row]:
    """Runs the commands and the programs of README and docs."""
    result = _tests(folder, "tests/docs/test_page_commands.py", {})
    subject = "the commands and programs of README and docs that need no cluster, no network and no hour"
    return [Row(subject, "each block runs as it is written", f"{result}", result.seconds, result.holds)]


def ray_faults(folder: Path) -> list[Row]:
    """Causes failures of Ray outside of trials."""
    data = folder / "demo"
    data.mkdir()
    write_demo(data)
    rows = []
    for subject, requirement, outcome in faults.faults(folder):
        _print_problems(outcome.problems)
        words = "" if outcome.message_seconds is None else f"told after {outcome.message_seconds:.1f} s, "
        holds = not outcome.problems and (outcome.message_seconds or 0) <= faults.MESSAGE_SECONDS
        result = f"{words}exit code {outcome.code}; {outcome.result}"
        rows.append(Row(subject, requirement, result, outcome.total_seconds, holds))
    return rows


def unsorted_pictures(folder: Path) -> list[Row]:
    """Runs a sweep on data that nobody has tidied up."""
    result, seconds, problems = forms.sweep_of_clip_art(folder)
    _print_problems(problems)
    requirement = "with --image-size 64 --leave-out bad a sweep ends with a report, each picture is used or named"
    return [Row("Debian's openclipart-png, as it is", requirement, result, seconds, not problems)]


def nets(folder: Path) -> list[Row]:
    """Follows nets of both catalogues from their first step to their exported file."""
    requirement = "continued to the last bit, finite predictions, ONNX within 1e-4"
    return [
        Row(
            f"{net.kind.arch}: {net.kind.what}",
            requirement,
            "; ".join(net.problems) or f"the same numbers; ONNX within {net.difference:.0e}",
            net.seconds,
            not net.problems,
        )
        for net in follow_all(folder)
    ]


def honest_estimates(folder: Path) -> list[Row]:
    """Compares the estimated value of a sweep's best trial with the truth, in simulated sweeps."""
    rows = []
    for subject, world in simulated_sweeps.WORLDS.items():
        began = time.monotonic()
        outcome = simulated_sweeps.simulate_many(world, range(SIMULATED_FROM, SIMULATED_FROM + SIMULATED))
        low, high = world.judge.span
        bias, error = outcome.corrected.mean(), outcome.corrected.std(ddof=1) / math.sqrt(SIMULATED)
        result = (
            f"as it seems {100 * outcome.raw.mean():+.2f} points, corrected {100 * bias:+.2f} (standard error "
            f"{100 * error:.2f}); the interval holds the truth in {100 * outcome.coverage:.1f} %"
        )
        holds = abs(bias) <= 0.005 * (high - low) and 0.925 <= outcome.coverage <= 0.98
        requirement = "corrected within 0.5 % of the metric's range of the truth, in 92.5 to 98 % within the interval"
        rows.append(Row(f"{SIMULATED:,} sweeps, {subject}", requirement, result, time.monotonic() - began, holds))
    return rows


PARTS: dict[str, tuple[str, Callable[[Path], list[Row]]]] = {
    "points": ("A driver killed at each durable write", kill_points),
    "database": ("A driver killed at each transaction of a PostgreSQL ledger", database),
    "kills": ("Drivers killed on real Ray", real_kills),
    "nodes": ("Workers and nodes that go", nodes),
    "faults": ("Ray's own failures, and a pause of everything", ray_faults),
    "races": ("Drivers started at once", races),
    "damage": ("A damaged journal", damages),
    "inputs": ("Bad input, hostile files, known holes", inputs),
    "forms": ("Data as it was downloaded", unsorted_pictures),
    "estimates": ("What the best trial is said to be worth", honest_estimates),
    "nets": ("Nets of timm and torchvision", nets),
    "pages": ("The commands of the pages", pages),
}
INTRODUCTION = """# Reliability

Measured by `make reliability`. What each line counts is defined in `tests/kill_points.py`, `tests/drivers.py`,
`tests/damage.py`, `tests/nets.py`, `tests/simulated_sweeps.py`, `tests/docs/` and `benchmarks/faults.py`; what happens
on each fault is in docs/faults.md."""


def main(names: list[str]) -> int:
    """Measures the named parts, or all of them, and writes their sections; returns the exit code."""
    memory, holds = Path("/dev/shm"), True
    for name in names or PARTS:
        title, part = PARTS[name]
        folder = Path(
            tempfile.mkdtemp(dir=memory if memory.is_dir() and part not in (real_kills, nodes, ray_faults) else None)
        )
        try:
            rows = part(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        for row in rows:
            print(f"{'ok ' if row.holds else 'NOT'} {row.subject}: {row.result} ({row.seconds:.1f} s)", flush=True)
        _write(name, [f"## {title}", "", conditions(f"make reliability ARGS={name}", "n = 1 run"), "", *_table(rows)])
        holds = holds and all(row.holds for row in rows)
    return 0 if holds else 1


def _write(name: str, section: list[str]) -> None:
    """Puts the section of a part into the page, in place of its older one."""
    old = PAGE.read_text().split("\n## ")[1:] if PAGE.exists() else []
    sections = {part: f"## {text.strip()}" for text in old for part in PARTS if text.startswith(PARTS[part][0] + "\n")}
    sections[name] = "\n".join(section)
    PAGE.write_text("\n\n".join([INTRODUCTION, *(sections[part] for part in PARTS if part in sections)]) + "\n")


def _table(rows: list[Row]) -> list[str]:
    lines = ["| what | must be | found | s | holds |", "| --- | --- | --- | ---: | --- |"]
    for row in rows:
        seconds = f"{row.seconds:.1f}" if row.seconds else ""
        lines.append(
            f"| {row.subject} | {row.requirement} | {row.result} | {seconds} | {'yes' if row.holds else '**no**'} |"
        )
    return lines


def _print_problems(problems: list[str]) -> None:
    for problem in problems[:20]:
        print(f"  {problem}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
