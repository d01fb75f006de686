"""Measure how fast a sweep is, print one table, and write BENCHMARKS.md.

    SWEEP_TEST_DATA=unibuc-2022-s24.zip make bench      # all rows, on 2 cores; nothing else should run
    SWEEP_TEST_DATA=... make bench ARGS="1 4"           # these rows, printed alone: the page has one whole run
    SWEEP_TEST_DATA=... make bench ARGS=gpu             # what a GPU does, written into the page's section on GPUs
    SWEEP_TEST_CIFAR=cifar10-subset.zip make bench ARGS=imbalance     # likewise, see benchmarks/imbalance.py

Both sides of a ratio run in turn, so that a machine that slows down slows both. The exit code is 1 if a figure is not
as it must be.
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
      quantity: what was measured, in words.
      reference: what the figure is compared with.
      must, aim: the bound that the figure has to keep, and the one that is hoped for.
      figures: the figure of each repetition.
      is_lower_bound: whether must and aim are lower bounds; otherwise they are upper bounds.
      note: other observations of the same runs.
      explanation: measurements that explain why the aim was missed, if it was.
    """

    number: str
    quantity: str
    reference: str
    must: float
    aim: float
    figures: list[float]
    is_lower_bound: bool
    unit: str = ""
    note: str = ""
    explanation: str = ""

    @property
    def value(self) -> float:
        """The median of the figures."""
        return median(self.figures)

    def reaches(self, bound: float) -> bool:
        """Returns whether the median is at least as good as a bound, `must` or `aim`."""
        return self.value >= bound if self.is_lower_bound else self.value <= bound

    def __str__(self) -> str:
        sign = "≥" if self.is_lower_bound else "≤"
        low, high = (self._text(each) for each in (min(self.figures), max(self.figures)))
        spread = f"{low} to {high}, n = {len(self.figures)}"
        bounds = (f"{sign} {self._text(bound)}" for bound in (self.must, self.aim))
        verdict = "aim" if self.reaches(self.aim) else "must" if self.reaches(self.must) else "**missed**"
        value = self._text(self.value)
        cells = (self.number, self.quantity, self.reference, *bounds, value, spread, verdict, self.note)
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
        self.runs_with_timers: dict[str, list[Run]] = {}

    def beside_the_rival(self, number: str, must: float, aim: float) -> Row:
        """Returns the row that compares a whole sweep's time with the rival's for the same trials."""
        work = WORK[number]
        pairs = self.pairs.setdefault(number, [])
        while len(pairs) < PAIRS:
            seed = len(pairs)  # the rival has none
            if seed % 2 == 0:
                rival_run, own_run = rival(work, self.data), ours(work, self.data, seed=seed)
            else:
                own_run, rival_run = ours(work, self.data, seed=seed), rival(work, self.data)
            pairs.append((rival_run, own_run))
        seconds = [f"{b.seconds:.0f} s for {a.seconds:.0f} s" for a, b in pairs]
        best = [f"{b.best:.3f} and {a.best:.3f}" for a, b in pairs]
        note = f"{', '.join(seconds)}; best accuracies {', '.join(best)}"
        figures = [a.seconds / b.seconds for a, b in pairs]
        run = self.timed_runs(number)[0]
        explanation = (
            f"{run.first_step_after:.1f} s pass before the first step and {run.ending:.1f} s after the last one, "
            f"whatever the trials are; of the {run.span:.1f} s between, {_shares(run.parts())}"
        )
        quantity = f"{work}, wall time"
        return Row(number, quantity, "docs_loop", must, aim, figures, True, note=note, explanation=explanation)

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
        return [self._productive_share("1", 0.80, 0.90), self._productive_share("2", 0.85, 0.95)]

    def _productive_share(self, number: str, must: float, aim: float) -> Row:
        shares = [run.parts() for run in self.timed_runs(number)]
        figures = [parts["augment"] + parts["forward and backward"] + parts["evaluate"] for parts in shares]
        quantity = (
            f"share of (first to last step) x cores in augment + train + evaluate, processor time, benchmark {number}"
        )
        return Row("4", quantity, "1", must, aim, figures, True, "%", _shares(shares[0]))

    def timed_runs(self, number: str) -> list[Run]:
        """Returns the sweeps of a benchmark that ran with timers in their workers; runs them at the first call."""
        runs = self.runs_with_timers.setdefault(number, [])
        while len(runs) < PAIRS:
            runs.append(ours(WORK[number], self.data, is_timed=True))
        return runs

    def row_5(self) -> list[Row]:
        """Returns the time between the end of a trial and the first batch of the next one on the same worker."""
        gaps = [gap for run in self.timed_runs("1") for gap in run.gaps]
        rival_gaps = [gap for a, _ in self.pairs.get("1", ()) for gap in a.gaps]
        note = f"docs_loop: {median(rival_gaps):.1f} s" if rival_gaps else ""
        quantity = "end of a trial to the first batch of the next on its worker"
        return [Row("5", quantity, "docs_loop", 0.2, 0.05, gaps, False, "ms", note)]

    def row_6(self) -> list[Row]:
        """Returns how much longer an epoch takes with augmentation than without."""
        epochs.one_thread()
        images = load(self.data)
        plain, ratios = epochs.augmented_to_plain(images)
        quantity = "augmented epoch / un-augmented one, the seed's CNN"
        bounds = {"flips + rotate": (1.4, 1.15), "all seven": (2.0, 1.4)}
        microseconds = 1e6 * plain / len(images.train.images)
        rows = []
        for name, factors in ratios.items():
            added = microseconds * (median(factors) - 1)
            explanation = f"the net itself takes {microseconds:.1f} µs an image, {name} {added:.1f} µs"
            rows.append(Row("6", f"{quantity}, {name}", "1", *bounds[name], factors, False, explanation=explanation))
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
        quantity = f"1 worker to 2 workers, {work}, first to last step"
        explanation = f"of two workers' time {_shares(two.parts())}; driver and Ray have no core of their own"
        return [Row("8", quantity, "2", 1.75, 1.9, figures, True, explanation=explanation)]

    def row_9(self) -> list[Row]:
        """Returns the driver's time for a trial that lasts one step, and how it grows over 2,000 trials, by sampler."""
        random, tpe = driver.pace("random"), driver.pace("tpe")
        quantity = "the driver, Ray Tune and screen included: seconds a one-step trial, random sampler, at 2,000 trials"
        growth = "its growth from the second 100 to the last 100 of 2,000"
        note = f"{1000 * random.processor:.0f} ms of them on a processor"
        explanation = (
            f"{1000 * random.bridge:.0f} ms are the ledger's, the files kept of a trial and their way to the disk; the "
            "others Ray Tune's own and the screen's"
        )
        tpe_note = f"{1000 * tpe.processor:.0f} ms of them on a processor"
        tpe_quantity = "the same with the default sampler, TPE"
        return [
            Row("9", quantity, "-", 0.025, 0.01, [random.late], False, "ms", note, explanation),
            Row("9", growth, "1", 2, 1.2, [random.late / random.early], False),
            Row("9", tpe_quantity, "-", 0.04, 0.03, [tpe.late], False, "ms", tpe_note),
            Row("9", f"{growth}, with TPE", "1", 1.5, 1.3, [tpe.late / tpe.early], False),
        ]

    def row_10(self) -> list[Row]:
        """Returns how much memory a worker adds for a larger data set, as a share of the data set's size."""
        quantity = "memory a worker adds with 1 GB of data, beyond the same with 1 MB"
        return [Row("10", quantity, "size of the set", 0.05, 0.01, [memory.added_share()], False, "%")]

    def row_11(self) -> list[Row]:
        """Returns the time from the command to the first training step, when the data set has been stored before."""
        with tempfile.TemporaryDirectory() as folder:
            totals = range(WORKERS, WORKERS * (STARTS + 2), WORKERS)  # a new trial for each worker at each start
            runs = [ours(Work("cnn", trials, 1), self.data, keep=Path(folder)) for trials in totals]
        figures = [run.first_step_after for run in runs[1:]]
        note = f"the first start, with an empty cache: {runs[0].first_step_after:.1f} s"
        quantity = "the command to the first training step, second start, local Ray included"
        return [Row("11", quantity, "-", 10, 8, figures, False, "s", note)]

    def row_12(self) -> list[Row]:
        """Returns the pace of trials on four nodes, as a share of four times the pace on one node."""
        paces = [scale.pace_of_nodes() for _ in range(PAIRS)]
        note = f"trials a second: {', '.join(f'{four:.2f} for {one:.2f}' for one, four in paces)}"
        quantity = "4 nodes of 1 CPU, trials that sleep 2 s, trials a second"
        figures = [four / one / scale.NODES for one, four in paces]
        return [Row("12", quantity, "4 x one node", 0.9, 1, figures, True, "%", note, "driver and Ray share the cores")]

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
        quantity = f"{scale.WORKERS} workers simulated, without Ray, random sampler: results a second"
        return [Row("13", quantity, "-", REPORTS_A_SECOND, 100, [load.a_second], True, "/s", note)]

    def row_14(self) -> list[Row]:
        """Returns what photographs cost, by their stored size: preparation, memory, start, and waiting in a step."""
        rows = []
        with photographs.photographs() as folder:
            for side in photographs.SIDES:
                result = photographs.measure(folder, side)
                data = f"{photographs.COUNT:,} photographs of 500x375 at {side} px"
                factor = photographs.LARGE / photographs.COUNT
                minutes = photographs.LARGE / result.a_second / 60
                note = (
                    f"{result.stored_bytes / 1e9:.1f} GB on the disk; 1.28 million would take {minutes:.0f} min, "
                    f"{factor * result.stored_bytes / 1e9:.0f} GB as they are, "
                    f"{factor * result.reader / 1e9:.1f} GB of memory"
                )
                quantity = f"{data}, listed, checked, hashed and stored: images a second"
                rows.append(Row("14", quantity, "-", 300, 450, [result.a_second], True, "/s", note))
                sizes = {"reads": result.reader, "drives": result.driver, "trains": result.worker}
                for activity, size in sizes.items():
                    quantity = f"{data}: GB of memory of its own of the process that {activity}"
                    rows.append(Row("14", quantity, "-", 2, 1, [size / 1e9], False, "GB"))
                quantity = f"{data}: the command to the first training step, second start"
                rows.append(Row("14", quantity, "-", 15, 10, [result.restart_seconds], False, "s"))
                quantity = f"{data}: share of a step of the small residual net that waits for images"
                rows.append(Row("14", quantity, "1", 0.05, 0.02, [result.wait_share], False, "%"))
        return rows

    def row_15(self) -> list[Row]:
        """Returns the time that the honest estimate of the best trial's metric takes, by metric."""
        data = f"{estimates.TRIALS} trials at {estimates.EPOCHS_OF_TRIAL} epochs, {estimates.IMAGES:,} images"
        rows = []
        for metric, classes, must, aim in (("macro_f1", 10, 10, 5), ("auc", 2, 20, 10), ("auc", 10, 90, 45)):
            quantity = f"the honest estimate by {metric}, {data} of {classes} classes, 1,000 draws"
            rows.append(Row("15", quantity, "-", must, aim, [estimates.seconds(metric, classes)], False, "s"))
        return rows

    def row_16(self) -> list[Row]:
        """Returns the image loader's pace beside torchvision's, and a net's beside the same net on one ready batch."""
        with photographs.photographs(loader.COUNT) as folder:
            loader_paces, net_paces = loader.measured("loader", folder), loader.measured("waiting", "ready", folder)
        rows = []
        rival_paces = loader_paces.pop("torchvision")
        quantity = "the loader alone, photographs of 500x375 to 224 px, random crop and flip, images a second"
        for form_name, paces in loader_paces.items():
            ratios = [a["a_second"] / b["a_second"] for a, b in zip(paces, rival_paces, strict=True)]
            own_pace, rival_pace = (
                {name: median(pace[name] for pace in each) for name in rival_paces[0]} for each in (paces, rival_paces)
            )
            note = f"{own_pace['a_second']:.0f} for {rival_pace['a_second']:.0f} a second; an image takes a core "
            note += f"{1000 / own_pace['of_processor']:.2f} ms for {1000 / rival_pace['of_processor']:.2f} ms"
            reference = "ImageFolder and DataLoader, 2 processes each"
            rows.append(Row("16", f"{quantity}, from the {form_name} store", reference, 2, 3, ratios, True, note=note))
        bounds = {"mapped": (0.95, 0.98), "jpeg": (0.85, 0.92)}
        nets = {"frozen": "lite0 frozen at 64 px", "tuned": "lite0 fine-tuned at 128 px"}
        for net, by_form in net_paces.items():
            for form_name, ratios in by_form.items():
                quantity = f"{nets[net]}, crops and flips, one core, from the {form_name} store: images a second"
                note = f"by processor time {100 * median(pace['of_processor'] for pace in ratios):.1f} %"
                figures = [pace["a_second"] for pace in ratios]
                rows.append(Row("16", quantity, "on one ready batch", *bounds[form_name], figures, True, "%", note))
        return rows

    def row_17(self) -> list[Row]:
        """Returns the pace and the memory of training on a data set that is too large for memory."""
        small = large_store.measure(large_store.SMALL, "array")
        large = large_store.measure(large_store.LARGE, "mapped")
        data = f"{large_store.LARGE:g} GB of pixels at 224 px in a raw store, an MLP, 2 workers"
        quantity, reference = f"{data}: images a second", f"{large_store.SMALL:g} GB in memory"
        note = f"{large.a_second:.0f} for {small.a_second:.0f} a second; in the first epoch, which compares checksums, "
        note += f"{large.first_a_second:.0f}"
        rows = [Row("17", quantity, reference, 0.8, 0.95, [large.a_second / small.a_second], True, "%", note)]
        for activity, size in {"drives": large.driver, "trains": large.worker}.items():
            quantity = f"{data}: GB of memory of its own of the process that {activity}"
            rows.append(Row("17", quantity, "-", 2, 1, [size / 1e9], False, "GB"))
        return rows

    def row_18(self) -> list[Row]:
        """Returns how much faster one trial trains in two processes than in one."""
        quantity = "images a second of one trial in two processes, each on a core: a wide small residual net at 16 px"
        return [Row("18", quantity, "in one process", 1.4, 1.8, processes.ratios(self.data), True)]

    def rows(self) -> dict[str, Callable[[], list[Row]]]:
        """Returns the methods that measure the rows, by the row's number."""
        return {str(number): getattr(self, f"row_{number}") for number in range(1, 19)}


def _shares(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} {100 * share:.1f} %" for name, share in parts.items())


def main(names: list[str]) -> int:
    """Measures the rows, prints each when it is measured, and writes the page.

    Args:
      names: numbers of rows, `gpu` or `imbalance`; empty for everything.

    Returns:
      the exit code: 0 if every figure is as it must be, 1 if one is not, 2 if the data set is not named.
    """
    if names == ["imbalance"]:
        lines, is_reached = imbalance.section(imbalance.SEEDS)
        put(["## Classes of unequal size", "", *lines])
        return 0 if is_reached else 1
    archive_path = os.environ.get("SWEEP_TEST_DATA")
    if not archive_path:
        print(
            "SWEEP_TEST_DATA must name the .zip of the real data set: docs/speed.md says where it is", file=sys.stderr
        )
        return 2
    rows: list[Row] = []
    table: list[str] = []
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, XDG_CACHE_HOME=f"{folder}/cache"):
        with zipfile.ZipFile(archive_path) as archive:
            archive.extractall(f"{folder}/data")
        bench = Bench(Path(folder) / "data")
        for number, measure in bench.rows().items():
            if names and number not in names:
                continue
            try:
                new_rows = measure()
                lines = [str(row) for row in new_rows]
            except Exception as error:  # one row's error must not lose the other rows of an hour
                traceback.print_exc()
                new_rows, lines = [], [f"| {number} | **not measured**: {type(error).__name__} | | | | | | | |"]
            print("\n".join(lines), flush=True)
            rows += new_rows
            table += lines
        if not names:
            _write(rows, table, bench)
        if not names or "gpu" in names:
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
    """Writes the page's section on GPUs; without a GPU the old section stays, which names its GPU."""
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
    missed = [row for row in rows if not row.reaches(row.aim) and row.explanation]
    reasons = [f"- Row {row.number}, {row.quantity}: {row.explanation}." for row in missed]
    return ["## Why an aim was missed", "", *(reasons or ["None was."])]


def _breakdown(bench: Bench) -> list[str]:
    """Returns the lines of the section that says where the seconds of rows 1 and 2 go."""
    decode = [_decode_seconds(bench.data) for _ in range(STARTS)]
    runs = {number: bench.timed_runs(number) for number in ("1", "2")}
    lines = [
        "## Where the time goes",
        "",
        f"Medians of {len(runs['1'])} runs. A percentage is processor time of the workers, as a share of the time of",
        "both cores from the first to the last training step. Reports and checkpoints are one row, because each report",
        "comes with a checkpoint. `wait` is the rest: for a processor that others use, for the disk, for an order.",
        "",
        "| | benchmark 1 | benchmark 2 |",
        "| --- | ---: | ---: |",
    ]
    start, end = "the command to the first step", "the last step to the end, report and predictions included"
    facts: dict[str, list[str]] = {"decode, once, on both cores": [f"{median(decode):.1f} s"] * 2}
    facts[start] = [f"{median(run.first_step_after for run in each):.1f} s" for each in runs.values()]
    facts["first to last step"] = [f"{median(run.span for run in each):.1f} s" for each in runs.values()]
    ends = [median(run.ending for run in each) for each in runs.values()]
    facts[end] = [f"{seconds:.1f} s" for seconds in ends]
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
