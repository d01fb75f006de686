"""A variant of each kind is added to a copy of the project by one file and one line.

Each passes the shared suite of its kind and runs in a sweep. The files are those of `added/`.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from sweep.storage.states import State
from tests.copies import add_line, copied_project, run_in

ADDED = Path(__file__).parent / "added"


@dataclass(frozen=True)
class Variant:
    """What is added, and the tests of the copy that are about it.

    Attributes:
      file: of the variant.
      names: the file in which the line is added, below the line that is `after`.
      suite: the file with the tests that every variant of the kind passes, and what is in the names of those that this
        one passes; `passed` of them.
    """

    file: str
    names: str
    after: str
    line: str
    suite: str
    test: str
    passed: int


VARIANTS = {
    "source": Variant(
        "datasets/sources/ini_lists.py",
        "datasets/sources/__init__.py",
        "NAMES = (",
        '    "ini_lists",',
        "tests/datasets/sources/test_sources.py",
        "",  # the other forms are still recognised
        27,
    ),
    "transform": Variant(
        "datasets/augment/solarize.py",
        "datasets/augment/__init__.py",
        '    "cutout",',
        '    "solarize",',
        "tests/datasets/augment/test_transforms.py",
        "solarize",
        9,
    ),
    "family": Variant(
        "trainable/models/means.py",
        "trainable/models/__init__.py",
        '    "resnet18",',
        '    "means",',
        "tests/trainable/models/test_families.py",
        "means",
        11,
    ),
    "metric": Variant(
        "trainable/metrics/top_2.py",
        "trainable/metrics/__init__.py",
        '    "log_loss",',
        '    "top_2",',
        "tests/trainable/metrics/test_every_metric.py",
        "top_2",
        9,
    ),
    "space": Variant(
        "search/spaces/default_3.py",
        "search/spaces/__init__.py",
        '    ("heads", 1),',
        '    ("default", 3),',
        "tests/search/spaces/test_default_spaces.py",
        "default_3",
        2,
    ),
    "portfolio": Variant(
        "search/portfolios/gentle.py",
        "storage/sweep_file.py",
        '    "published",',
        '    "gentle",',
        "tests/search/portfolios/test_portfolios.py",
        "gentle",
        7,
    ),
    "sampler": Variant(
        "search/samplers/other_1.py",
        "search/samplers/__init__.py",
        '    ("random", 1),',
        '    ("other", 1),',
        "tests/search/samplers/test_samplers.py",
        "other_1",
        6,
    ),
    "pruner": Variant(
        "search/pruners/at_half_1.py",
        "search/pruners/__init__.py",
        '    ("none", 1),',
        '    ("at_half", 1),',
        "tests/search/pruners/test_pruner.py",
        "at_half_1",
        4,
    ),
    "sink": Variant(
        "search/sinks/notes.py",
        "search/sinks/__init__.py",
        '    "screen",  # part of every sweep; others are added by `--sink`',
        '    "notes",',
        "tests/search/sinks/test_sinks.py",
        "notes",
        1,
    ),
}

SOLARIZE = {"__class_fullname__": "Compose", "transforms": [{"__class_fullname__": "Solarize"}]}
SEARCHES = {  # flags of each
    "first": {
        "--space": "default",
        "--metric": "top_2",
        "--baselines": "gentle",
        "--sampler": "other",
        "--pruner": "at_half",
        "--sink": "notes",
    },
    "second": {
        "--fix": ("arch=means", "epochs=2", f"pipeline={json.dumps(json.dumps({'transform': SOLARIZE}))}"),
        "--baselines": "none",
    },
}
DATA = """

def with_ini_lists(train=6, validation=3, test=3):
    tree, lines = {}, []
    for split, count in (("train", train), ("validation", validation), ("test", test)):
        names = [f"{split}{number}.png" for number in range(count)]
        tree |= {f"images/{name}": image(1000 * len(split) + number) for number, name in enumerate(names)}
        rows = names if split == "test" else [f"{name} = {'abc'[number % 3]}" for number, name in enumerate(names)]
        lines += [f"[{split}]", *rows] if count else []
    return tree | {"images.ini": table(*lines)}


FORMS["ini_lists"] = with_ini_lists
"""
PROGRAM = """
import json, sys
from dataclasses import asdict
from pathlib import Path
import pytest
from sweep.analysis.record import Record
from sweep.search.run import main
from tests.searched import command, here
from tests.trees import FORMS, write
from sweep.trainable.loop import train

tests, searches = map(json.loads, sys.argv[1:])
pytest.main(tests)
write(FORMS["ini_lists"](), Path("data"))
for name, words in searches.items():
    done = command(main, "--sweep", name, "--data", "data", "--trials", 2, *words, on=here(train))
    print(done.output, done.exit_code)
    record = Record(Path(name))
    trials = [{"state": str(each.state), "baseline": each.baseline, "config": each.config} for each in record.trials]
    Path(f"{name}.json").write_text(json.dumps({"trials": trials, "file": asdict(record.file)}))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with all variants."""
    folder = copied_project(tmp_path_factory.mktemp("copy"))
    for variant in VARIANTS.values():
        assert not (folder / variant.file).exists()
        (folder / variant.file).write_text((ADDED / variant.file).read_text())
        add_line(folder / variant.names, variant.after, variant.line)
    with open(folder / "tests/trees.py", "a") as trees:  # a source has an example of its data there
        trees.write(DATA)
    return folder


@pytest.fixture(scope="module")
def done(copy: Path) -> CompletedProcess[str]:
    """What was printed by the tests and the searches in the copy, which are one process: Python starts once."""
    searches = {name: flags_of(flags) for name, flags in SEARCHES.items()}
    tests = ["-rp", *(variant.suite for variant in VARIANTS.values())]
    tests += ["-k", " or ".join(variant.test or Path(variant.suite).name for variant in VARIANTS.values())]
    return run_in(copy, "-c", PROGRAM, json.dumps(tests), json.dumps(searches))


def flags_of(search: dict[str, str | tuple[str, ...]]) -> list[str]:
    return [
        word
        for flag, values in search.items()
        for value in ([values] if isinstance(values, str) else values)
        for word in (flag, value)
    ]


@pytest.mark.parametrize("kind", VARIANTS)
def test_it_passes_the_suite_of_its_kind(kind, done):
    variant = VARIANTS[kind]

    passed = re.findall(rf"^PASSED {re.escape(variant.suite)}::(.*{variant.test}.*)$", done.stdout, re.MULTILINE)

    assert len(passed) == variant.passed, done.stdout + done.stderr
    assert f"FAILED {variant.suite}" not in done.stdout, done.stdout
    assert f"ERROR {variant.suite}" not in done.stdout, done.stdout


@pytest.fixture(scope="module")
def searched(copy: Path, done: CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """What the copy itself reads of each search, for the project does not know the variants."""
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: json.loads((copy / f"{name}.json").read_text()) for name in SEARCHES}


@pytest.mark.parametrize("name", SEARCHES)
def test_the_trials_of_a_search_with_them_are_complete(name, searched, done):
    assert [trial["state"] for trial in searched[name]["trials"]] == [State.COMPLETE] * 2
    assert done.stdout.count("2 of 2 trials ended (2 COMPLETE)") == len(SEARCHES)


def test_the_source_finds_the_data(searched):
    assert searched["first"]["file"]["classes"] == ["a", "b", "c"]


def test_the_transform_and_the_family_are_trained(searched):
    configs = [trial["config"] for trial in searched["second"]["trials"]]

    assert [config["arch"] for config in configs] == ["means"] * 2
    assert all("Solarize" in config["pipeline"] for config in configs)


def test_the_metric_ranks_and_is_shown(searched, copy, done):
    assert "best: top-2 validation accuracy" in done.stdout
    assert "top-2 validation accuracy" in (copy / "first/report.html").read_text()
    assert '"score": ' in (copy / "first/trials/0000/history.json").read_text()


def test_the_space_is_the_newest_and_the_sampler_and_the_pruner_are_those_that_were_named(searched):
    file = searched["first"]["file"]

    assert (file["defaults"]["space"], file["settings"]["sampler"], file["settings"]["pruner"]) == (
        3,
        "other",
        "at_half",
    )
    assert file["table"]["ranges"].keys() == {"arch", "epochs", "lr"}


def test_the_portfolio_comes_first(searched):
    assert [trial["baseline"] for trial in searched["first"]["trials"]] == ["gentle fast cnn", ""]


def test_the_sink_is_told_of_the_trials(searched, copy):
    assert (copy / "first/notes.txt").read_text() == "0\n1\n"
