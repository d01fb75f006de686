"""Measure how fast a sweep is, print one table, and write BENCHMARKS.md.

    SWEEP_TEST_DATA=unibuc-2022-s24.zip make bench      # all rows, on 2 cores; nothing else should run
    SWEEP_TEST_DATA=... make bench ARGS="1 4"           # these rows, printed alone: the page has one whole run
    SWEEP_TEST_DATA=... make bench ARGS=gpu             # what a GPU does, into the page's section, which else stays
    SWEEP_TEST_CIFAR=cifar10-subset.zip make bench ARGS=imbalance     # likewise, see benchmarks/imbalance.py

Both sides of a ratio run in turn, so that a machine that slows down slows both. Ends with 1 where a figure is not as
it must be.
"""

import os
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from unittest.mock import patch

import torch

from benchmarks import (
    driver,
    epochs,
    estimates,
    gpu,
    imbalance,
    large_store,
    loader,
    memory,
    numerics,
    photographs,
    processes,
    scale,
    waiting,
)
from benchmarks.conditions import conditions
from benchmarks.page import put
from benchmarks.sweeps import WORKERS, Run, Work, ours, rival
from sweep.datasets.load import load
from sweep.search.runtime.bridge import REPORTS_A_SECOND

ROOT = Path(__file__).resolve().parents[1]
WORK = {"1": Work("cnn", 24, 5), "2": Work("small_vgg", 6, 3), "3": Work("resnet18", 4, 3)}
PAIRS = 3  # of whole sweeps, ours and the rival's
STARTS = 3


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
      number: the benchmark's number; several lines may share it.
      what: the figure that was measured.
      against: what the figure is compared with.
      must, aim: the bound that the figure has to keep, and the one that is hoped for.
      figures: the figure of each repetition.
      is_least: whether must and aim are lower bounds; else they are upper bounds.
      note: other observations of the same runs.
      why: measurements that explain it if the aim is missed.
    """

    number: str
    what: str
    against: str
    must: float
    aim: float
    figures: list[float]
    is_least: bool
    unit: str = ""
    note: str = ""
    why: str = ""

    @property
    def found(self) -> float:
        """The median of the figures."""
        return median(self.figures)

    def reaches(self, bound: float) -> bool:
        """Returns whether the median is at least as good as a bound, `must` or `aim`."""
        return self.found >= bound if self.is_least else self.found <= bound

    def __str__(self) -> str:
        sign = "≥" if self.is_least else "≤"
        low, high = (self._text(each) for each in (min(self.figures), max(self.figures)))
        spread = f"{low} to {high}, n = {len(self.figures)}"
        bounds = (f"{sign} {self._text(bound)}" for bound in (self.must, self.aim))
        verdict = "aim" if self.reaches(self.aim) else "must" if self.reaches(self.must) else "**missed**"
        cells = (self.number, self.what, self.against, *bounds, self._text(self.found), spread, verdict, self.note)
        return f"| {' | '.join(cells)} |"

    def _text(self, value: float) -> str:
        if self.unit == "%":
            return f"{100 * value:.1f} %"
        if self.unit == "ms":
            return f"{1000 * value:.0f} ms"
        if self.unit == "/s":
            return f"{value:.0f} /s"
        if self.unit == "GB":
            return f"{value:.2f} GB"
        return f"{value:.1f} s" if self.unit == "s" else f"{value:.2f}x"


class Bench:
    """Measures the rows by their numbers; whole sweeps that several rows need are run once."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.pairs: dict[str, list[tuple[Run, Run]]] = {}
        self.timed: dict[str, list[Run]] = {}

    def beside_the_rival(self, number: str, must: float, aim: float) -> Row:
        """Returns the row that compares a whole sweep's time with the rival's for the same trials."""
        work = WORK[number]
        pairs = self.pairs.setdefault(number, [])
        while len(pairs) < PAIRS:
            seed = len(pairs)  # the rival has none
            if seed % 2 == 0:
                theirs, mine = rival(work, self.data), ours(work, self.data, seed=seed)
            else:
                mine, theirs = ours(work, self.data, seed=seed), rival(work, self.data)
            pairs.append((theirs, mine))
        seconds = [f"{b.seconds:.0f} s for {a.seconds:.0f} s" for a, b in pairs]
        best = [f"{b.best:.3f} and {a.best:.3f}" for a, b in pairs]
        note = f"{', '.join(seconds)}; best accuracies {', '.join(best)}"
        figures = [a.seconds / b.seconds for a, b in pairs]
        run = self.timed_runs(number)[0]
        why = (
            f"{run.first_step_after:.1f} s pass before the first step and {run.ending:.1f} s after the last one, "
            f"whatever the trials are; of the {run.span:.1f} s between, {_shares(run.parts())}"
        )
        return Row(number, f"{work}, wall time", "docs_loop", must, aim, figures, True, note=note, why=why)

    def row_1(self) -> list[Row]:
        """Returns the whole sweep of small CNNs beside the rival's."""
        return [self.beside_the_rival("1", 6, 12)]

    def row_2(self) -> list[Row]:
        """Returns the whole sweep of small VGG nets beside the rival's."""
        return [self.beside_the_rival("2", 2.2, 3.5)]

    def row_3(self) -> list[Row]:
        """Returns the whole sweep of ResNet-18 beside the rival's."""
        return [self.beside_the_rival("3", 1.3, 2)]

    def row_4(self) -> list[Row]:
        """Returns the share of the workers' time that augmentation, training and evaluation take."""
        return [self._inside("1", 0.80, 0.90), self._inside("2", 0.85, 0.95)]

    def _inside(self, number: str, must: float, aim: float) -> Row:
        shares = [run.parts() for run in self.timed_runs(number)]
        figures = [parts["augment"] + parts["forward and backward"] + parts["evaluate"] for parts in shares]
        what = (
            f"share of (first to last step) x cores in augment + train + evaluate, processor time, benchmark {number}"
        )
        return Row("4", what, "1", must, aim, figures, True, "%", _shares(shares[0]))

    def timed_runs(self, number: str) -> list[Run]:
        """Returns the sweeps of a benchmark that ran with timers in their workers; runs them at the first call."""
        runs = self.timed.setdefault(number, [])
        while len(runs) < PAIRS:
            runs.append(ours(WORK[number], self.data, is_timed=True))
        return runs

    def row_5(self) -> list[Row]:
        """Returns the time between the end of a trial and the first batch of the next one on the same worker."""
        gaps = [gap for run in self.timed_runs("1") for gap in run.gaps]
        theirs = [gap for a, _ in self.pairs.get("1", ()) for gap in a.gaps]
        note = f"docs_loop: {median(theirs):.1f} s" if theirs else ""
        what = "end of a trial to the first batch of the next on its worker"
        return [Row("5", what, "docs_loop", 0.2, 0.05, gaps, False, "ms", note)]

    def row_6(self) -> list[Row]:
        """Returns how much longer an epoch takes with augmentation than without."""
        epochs.one_thread()
        images = load(self.data)
        plain, ratios = epochs.augmented_to_plain(images)
        what = "augmented epoch / un-augmented one, the seed's CNN"
        bounds = {"flips + rotate": (1.4, 1.15), "all seven": (2.0, 1.4)}
        each = 1e6 * plain / len(images.train.images)
        rows = []
        for name, found in ratios.items():
            why = f"the net itself takes {each:.1f} µs an image, {name} {each * (median(found) - 1):.1f} µs"
            rows.append(Row("6", f"{what}, {name}", "1", *bounds[name], found, False, why=why))
        return rows

    def row_7(self) -> list[Row]:
        """Returns how much faster batched augmentation is than albumentations, which goes image by image."""
        epochs.one_thread()
        ratios = epochs.batched_to_albumentations(load(self.data))
        return [Row("7", "batched augmentation, per image, all seven", "albumentations Compose", 8, 15, ratios, True)]

    def row_8(self) -> list[Row]:
        """Returns how much faster two workers are than one."""
        work = Work("cnn", 12, 5)
        figures = []
        for _ in range(PAIRS):
            one, two = (ours(work, self.data, is_timed=True, concurrency=workers) for workers in (1, 2))
            figures.append(one.span / two.span)
        what = f"1 worker to 2 workers, {work}, first to last step"
        why = f"of two workers' time {_shares(two.parts())}; driver and Ray have no core of their own"
        return [Row("8", what, "2", 1.75, 1.9, figures, True, why=why)]

    def row_9(self) -> list[Row]:
        """Returns the driver's time for a trial that lasts one step, and how it grows over 2,000 trials, by sampler."""
        random, tpe = driver.pace("random"), driver.pace("tpe")
        what = "the driver, Ray Tune and screen included: seconds a one-step trial, random sampler, at 2,000 trials"
        growth = "its growth from the second 100 to the last 100 of 2,000"
        note = f"{1000 * random.processor:.0f} ms of them on a processor"
        why = (
            f"{1000 * random.bridge:.0f} ms are the ledger's, the files kept of a trial and their way to the disk; the "
            "others Ray Tune's own and the screen's"
        )
        of_tpe = f"{1000 * tpe.processor:.0f} ms of them on a processor"
        drawn = "the same with the default sampler, TPE"
        return [
            Row("9", what, "-", 0.025, 0.01, [random.late], False, "ms", note, why),
            Row("9", growth, "1", 2, 1.2, [random.late / random.early], False),
            Row("9", drawn, "-", 0.04, 0.03, [tpe.late], False, "ms", of_tpe),
            Row("9", f"{growth}, with TPE", "1", 1.5, 1.3, [tpe.late / tpe.early], False),
        ]

    def row_10(self) -> list[Row]:
        """Returns how much memory a worker adds for a larger data set, as a share of the data set's size."""
        what = "memory a worker adds with 1 GB of data, beyond the same with 1 MB"
        return [Row("10", what, "size of the set", 0.05, 0.01, [memory.added_share()], False, "%")]

    def row_11(self) -> list[Row]:
        """Returns the time from the command to the first training step, when the data set has been stored before."""
        with tempfile.TemporaryDirectory() as folder:
            totals = range(WORKERS, WORKERS * (STARTS + 2), WORKERS)  # a new trial for each worker at each start
            runs = [ours(Work("cnn", trials, 1), self.data, keep=Path(folder)) for trials in totals]
        figures = [run.first_step_after for run in runs[1:]]
        note = f"the first start, with an empty cache: {runs[0].first_step_after:.1f} s"
        what = "the command to the first training step, second start, local Ray included"
        return [Row("11", what, "-", 10, 8, figures, False, "s", note)]

    def row_12(self) -> list[Row]:
        """Returns the pace of trials on four nodes, as a share of four times the pace on one node."""
        paces = [scale.pace_of_nodes() for _ in range(PAIRS)]
        note = f"trials a second: {', '.join(f'{four:.2f} for {one:.2f}' for one, four in paces)}"
        what = "4 nodes of 1 CPU, trials that sleep 2 s, trials a second"
        figures = [four / one / scale.NODES for one, four in paces]
        return [Row("12", what, "4 x one node", 0.9, 1, figures, True, "%", note, "driver and Ray share the cores")]

    def row_13(self) -> list[Row]:
        """Returns how many results a second the driver handles from many simulated workers."""
        load, tpe = scale.load_of_workers("random"), scale.load_of_workers("tpe")
        busy = REPORTS_A_SECOND / load.a_second
        note = (
            f"a decision takes {1000 * load.decision:.1f} ms, 99 of 100 at most {1000 * load.slow_decision:.0f} ms; "
            f"at the {REPORTS_A_SECOND} a second that workers send at most {100 * busy:.0f} % of the driver's time, "
            f"{100 * busy * load.processor:.0f} % of a core. What limits it: {_shares(load.parts)}, of all "
            f"{100 * (1 - load.processor):.0f} % waits for the disk. With TPE {tpe.a_second:.0f} a second, an order in "
            f"{1000 * tpe.order:.0f} ms"
        )
        what = f"{scale.WORKERS} workers simulated, without Ray, random sampler: results a second"
        return [Row("13", what, "-", REPORTS_A_SECOND, 100, [load.a_second], True, "/s", note)]

    def row_14(self) -> list[Row]:
        """Returns what photographs cost, by their stored size: preparation, memory, start, and waiting in a step."""
        rows = []
        with photographs.photographs() as folder:
            for side in photographs.SIDES:
                found = photographs.measure(folder, side)
                of = f"{photographs.COUNT:,} photographs of 500x375 at {side} px"
                each = photographs.LARGE / photographs.COUNT
                minutes = photographs.LARGE / found.a_second / 60
                note = (
                    f"{found.stored / 1e9:.1f} GB on the disk; 1.28 million would take {minutes:.0f} min, "
                    f"{each * found.stored / 1e9:.0f} GB as they are, {each * found.reader / 1e9:.1f} GB of memory"
                )
                pace = f"{of}, listed, checked, hashed and stored: images a second"
                rows.append(Row("14", pace, "-", 300, 450, [found.a_second], True, "/s", note))
                for who, private in {"reads": found.reader, "drives": found.driver, "trains": found.worker}.items():
                    what = f"{of}: GB of memory of its own of the process that {who}"
                    rows.append(Row("14", what, "-", 2, 1, [private / 1e9], False, "GB"))
                what = f"{of}: the command to the first training step, second start"
                rows.append(Row("14", what, "-", 15, 10, [found.again], False, "s"))
                what = f"{of}: share of a step of the small residual net that waits for images"
                rows.append(Row("14", what, "1", 0.05, 0.02, [found.waited], False, "%"))
        return rows

    def row_15(self) -> list[Row]:
        """Returns the time that the honest estimate of the best trial's metric takes, by metric."""
        of = f"{estimates.TRIALS} trials at {estimates.EPOCHS_OF_TRIAL} epochs, {estimates.IMAGES:,} images"
        rows = []
        for metric, classes, must, aim in (("macro_f1", 10, 10, 5), ("auc", 2, 20, 10), ("auc", 10, 90, 45)):
            what = f"the honest estimate by {metric}, {of} of {classes} classes, 1,000 draws"
            rows.append(Row("15", what, "-", must, aim, [estimates.seconds(metric, classes)], False, "s"))
        return rows

    def row_16(self) -> list[Row]:
        """Returns the image loader's pace beside torchvision's, and a net's beside the same net on one ready batch."""
        with photographs.photographs(loader.COUNT) as folder:
            alone, beside = loader.measured("loader", folder), loader.measured("waiting", "ready", folder)
        rows = []
        theirs = alone.pop("torchvision")
        of = "the loader alone, photographs of 500x375 to 224 px, random crop and flip, images a second"
        for kept, paces in alone.items():
            ratios = [mine["a_second"] / its["a_second"] for mine, its in zip(paces, theirs, strict=True)]
            mine, its = ({name: median(pace[name] for pace in each) for name in theirs[0]} for each in (paces, theirs))
            note = f"{mine['a_second']:.0f} for {its['a_second']:.0f} a second; an image takes a core "
            note += f"{1000 / mine['of_processor']:.2f} ms for {1000 / its['of_processor']:.2f} ms"
            against = "ImageFolder and DataLoader, 2 processes each"
            rows.append(Row("16", f"{of}, from the {kept} store", against, 2, 3, ratios, True, note=note))
        bounds = {"mapped": (0.95, 0.98), "jpeg": (0.85, 0.92)}
        nets = {"frozen": "lite0 frozen at 64 px", "tuned": "lite0 fine-tuned at 128 px"}
        for net, by_form in beside.items():
            for kept, ratios in by_form.items():
                what = f"{nets[net]}, crops and flips, one core, from the {kept} store: images a second"
                note = f"by processor time {100 * median(pace['of_processor'] for pace in ratios):.1f} %"
                figures = [pace["a_second"] for pace in ratios]
                rows.append(Row("16", what, "on one ready batch", *bounds[kept], figures, True, "%", note))
        return rows

    def row_17(self) -> list[Row]:
        """Returns the pace and the memory of training on a data set that is too large for memory."""
        small = large_store.measure(large_store.SMALL, "array")
        large = large_store.measure(large_store.LARGE, "mapped")
        of = f"{large_store.LARGE:g} GB of pixels at 224 px in a raw store, an MLP, 2 workers"
        what, against = f"{of}: images a second", f"{large_store.SMALL:g} GB in memory"
        note = f"{large.a_second:.0f} for {small.a_second:.0f} a second; in the first epoch, which compares checksums, "
        note += f"{large.first_a_second:.0f}"
        rows = [Row("17", what, against, 0.8, 0.95, [large.a_second / small.a_second], True, "%", note)]
        for who, private in {"drives": large.driver, "trains": large.worker}.items():
            what = f"{of}: GB of memory of its own of the process that {who}"
            rows.append(Row("17", what, "-", 2, 1, [private / 1e9], False, "GB"))
        return rows

    def row_18(self) -> list[Row]:
        """Returns how much faster one trial trains in two processes than in one."""
        what = "images a second of one trial in two processes, each on a core: a wide small residual net at 16 px"
        return [Row("18", what, "in one process", 1.4, 1.8, processes.ratios(self.data), True)]

    def rows(self) -> dict[str, Callable[[], list[Row]]]:
        """Returns the methods that measure the rows, by the row's number."""
        return {str(number): getattr(self, f"row_{number}") for number in range(1, 19)}


def _shares(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in parts.items())


def main(wanted: list[str]) -> int:
    """Measures the rows, prints each as it is done, and writes the page.

    Args:
      wanted: numbers of rows, `gpu` or `imbalance`; empty for everything.

    Returns:
      the exit code: 0 if every figure is as it must be, 1 if one is not, 2 if the data set is not named.
    """
    if wanted == ["imbalance"]:
        lines, holds = imbalance.section(imbalance.SEEDS)
        put(["## Classes of unequal size", "", *lines])
        return 0 if holds else 1
    packed = os.environ.get("SWEEP_TEST_DATA")
    if not packed:
        print(
            "SWEEP_TEST_DATA must name the .zip of the real data set: docs/speed.md says where it is", file=sys.stderr
        )
        return 2
    rows: list[Row] = []
    table: list[str] = []
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, XDG_CACHE_HOME=f"{folder}/cache"):
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(f"{folder}/data")
        bench = Bench(Path(folder) / "data")
        for number, measure in bench.rows().items():
            if wanted and number not in wanted:
                continue
            try:
                found = measure()
                lines = [str(row) for row in found]
            except Exception as error:  # one row's error must not lose the other rows of an hour
                traceback.print_exc()
                found, lines = [], [f"| {number} | **not measured**: {type(error).__name__} | | | | | | | |"]
            print("\n".join(lines), flush=True)
            rows += found
            table += lines
        if not wanted:
            _write(rows, table, bench)
        if not wanted or "gpu" in wanted:
            _write_gpu(bench.data)
    return 0 if len(rows) == len(table) and all(row.reaches(row.must) for row in rows) else 1


def _write(rows: list[Row], table: list[str], bench: Bench) -> None:
    head = "| # | what | against | must | aim | median | spread | reached | beside it |"
    lines = [
        "# Benchmarks",
        "",
        "Measured by `make bench`; nothing else ran. The rival is `benchmarks/docs_loop.py`; both sides train the same",
        "configs on the real data set in turn, each on both cores. What each row measures is in `benchmarks/speed.py`.",
        "",
        conditions("make bench", "n and spread as the table has them"),
        "",
        head,
        "| --- | --- | --- | ---: | ---: | ---: | --- | --- | --- |",
        *table,
        "",
        *_reasons(rows),
        "",
        *_breakdown(bench),
        "",
        *waiting.section(),
        "",
        *numerics.section(bench.data),
    ]
    put(lines)


def _write_gpu(data: Path) -> None:
    """Writes the page's section on GPUs; without a GPU the old section stays, which names the GPU it is of."""
    if not torch.cuda.is_available():
        print("No GPU here.")
        return
    lines = []
    for line in gpu.section(data):
        print(line, flush=True)
        lines.append(line)
    put(["## GPU", "", *lines])


def _reasons(rows: list[Row]) -> list[str]:
    """Returns the lines of the section that says why aims were missed, as measured."""
    missed = [f"- Row {row.number}, {row.what}: {row.why}." for row in rows if not row.reaches(row.aim) and row.why]
    return ["## Why an aim was missed", "", *(missed or ["None was."])]


def _breakdown(bench: Bench) -> list[str]:
    """Returns the lines of the section that says where the seconds of rows 1 and 2 go."""
    lines = [
        "## Where the time goes",
        "",
        "Medians. Shares are the workers' processor time over (first to last training step) x 2 cores. A report comes",
        "with a checkpoint. Wait is all else: for a processor that others use, for the disk, for the driver's order.",
        "",
        "| | benchmark 1 | benchmark 2 |",
        "| --- | ---: | ---: |",
    ]
    decode = [_decode_seconds(bench.data) for _ in range(STARTS)]
    runs = {number: bench.timed_runs(number) for number in ("1", "2")}
    before, after = "the command to the first step", "the last step to the end, report and predictions included"
    facts: dict[str, list[str]] = {"decode, once, on both cores": [f"{median(decode):.1f} s"] * 2}
    facts[before] = [f"{median(run.first_step_after for run in each):.1f} s" for each in runs.values()]
    facts["first to last step"] = [f"{median(run.span for run in each):.1f} s" for each in runs.values()]
    ends = [median(run.ending for run in each) for each in runs.values()]
    facts[after] = [f"{seconds:.1f} s" for seconds in ends]
    for part in runs["1"][0].parts():
        facts[part] = [f"{100 * median(run.parts()[part] for run in each):.1f} %" for each in runs.values()]
    return lines + [f"| {name} | {' | '.join(cells)} |" for name, cells in facts.items()]


def _decode_seconds(data: Path) -> float:
    with tempfile.TemporaryDirectory() as cache, patch.dict(os.environ, XDG_CACHE_HOME=cache):
        started = time.perf_counter()
        load(data)
        return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
