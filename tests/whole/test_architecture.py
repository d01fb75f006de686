"""The architecture as a test: who imports whom, and what the README says of files and commands."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from sweep.storage.states import Reason, State, Stop

ROOT = Path(__file__).resolve().parents[2]
MAY_IMPORT = {
    "storage": set(),
    "datasets": {"storage"},
    "trainable": {"storage", "datasets"},
    "analysis": {"storage", "datasets", "trainable"},
    "search": {"storage", "datasets", "trainable", "analysis"},
}
FILES = [file for package in MAY_IMPORT for file in sorted((ROOT / package).rglob("*.py"))]


def imported(file):
    """Top-level names of every import in the file, also within functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_one_way(file):
    package = file.relative_to(ROOT).parts[0]

    ours = set(imported(file)) & set(MAY_IMPORT) - {package}

    assert ours <= MAY_IMPORT[package]


def may_know_ray(name):
    return name.startswith("search/ray/") or name == "trainable/worker/ray_trial.py"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_only_the_driver_and_the_worker_of_ray_know_it(file):
    name = file.relative_to(ROOT).as_posix()

    assert "ray" not in set(imported(file)) or may_know_ray(name)


MODULES = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in FILES}


def imported_modules(file):
    """Yields the modules of this project that a file imports, also within functions; not those for type checkers."""
    tree = ast.parse(file.read_text())
    seen_by_checkers = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in seen_by_checkers:
            continue
        if isinstance(node, ast.Import):
            yield from ({alias.name for alias in node.names} & MODULES.keys())
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield from [name for name in (f"{node.module}.{alias.name}", node.module) if name in MODULES][:1]


def test_no_file_imports_itself_by_way_of_others():
    sorter = TopologicalSorter({name: set(imported_modules(file)) - {name} for name, file in MODULES.items()})

    sorter.prepare()  # raises CycleError, which names the circle


def test_each_command_of_the_search_is_its_options_and_one_call():
    lengths = {file.name: len(file.read_text().splitlines()) for file in (ROOT / "search").glob("*.py")}

    assert {name: length for name, length in lengths.items() if length > 120} == {}


def metric_names():
    from sweep.trainable.metrics import metrics

    return set(metrics())


def text_of(node):
    """Yields each string literal in what is compared, in a collection too."""
    for part in ast.walk(node) if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def compared_words(file):
    """Yields the line and the word of each comparison with a string literal."""
    for node in ast.walk(ast.parse(file.read_text())):
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        sides += [node.value] if isinstance(node, ast.MatchValue) else []
        yield from ((node.lineno, word) for side in sides for word in text_of(side))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_states_reasons_stops_and_metrics_are_asked_for_and_not_compared_with_their_words(file):
    words = metric_names() | {member.value for kind in (State, Reason, Stop) for member in kind}

    assert [f"line {line}: {word}" for line, word in compared_words(file) if word in words] == []


UNPICKLERS = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
RUN_WHAT_THEY_READ = {"eval", "exec", "torch.load", "yaml.load", "read_pickle"}
READER_OF_TENSORS = "trainable/weights/reader.py"  # alone may call torch.load, which with weights_only runs nothing


def called(node):
    """How a function is called: `name`, `module.name`, and the last name of either."""
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, ast.Attribute):
        names = {f"{node.value.id}.{node.attr}"} if isinstance(node.value, ast.Name) else set()
        return names | ({node.attr} - {"eval"})  # of a module: evaluation mode
    return set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_is_unpickled(file):
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]

    assert not UNPICKLERS & set(imported(file))
    refused = RUN_WHAT_THEY_READ - ({"torch.load"} if file == ROOT / READER_OF_TENSORS else set())
    assert not [node.lineno for node in calls if called(node.func) & refused]
    loads = [{word.arg: word.value for word in node.keywords} for node in calls if "torch.load" in called(node.func)]
    assert all(isinstance(words.get("weights_only"), ast.Constant) for words in loads)
    assert all(words["weights_only"].value is True for words in loads)
    allowing = [word for node in calls for word in node.keywords if word.arg == "allow_pickle"]
    assert all(isinstance(word.value, ast.Constant) and word.value.value is False for word in allowing)


@pytest.mark.parametrize(
    "line", ["eval(x)", "exec(x)", "torch.load(x)", "yaml.load(x)", "pd.read_pickle(x)", "builtins.exec(x)"]
)
def test_a_call_that_runs_what_it_reads_is_seen(line):
    assert called(ast.parse(line).body[0].value.func) & RUN_WHAT_THEY_READ


def tree_in_readme():
    """Files and folders that the README's tree names, as paths."""
    block = re.search(r"```tree\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    above = []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        above = [*above[:depth], line.split()[0]]
        yield "".join(above).rstrip("/")


def test_the_tree_in_the_readme_names_every_folder_of_code_and_nothing_that_is_not_there():
    named = set(tree_in_readme())
    there = {file.parent.relative_to(ROOT).as_posix() for file in FILES}

    assert {name for name in named if not (ROOT / name).exists()} == set()
    assert there - named == set()


def test_the_commands_in_the_readme_exist():
    text = (ROOT / "README.md").read_text()

    modules = set(re.findall(r"python -m ([a-z_.]+)", text))
    targets = set(re.findall(r"make ([a-z-]+)", text))

    assert {"search.run", "search.status", "analysis.report", "analysis.predict", "datasets.look"} <= modules
    places = {name: ROOT / name.replace(".", "/") for name in modules}
    there = (place.with_suffix(".py").exists() or (place / "__main__.py").exists() for place in places.values())
    assert [name for name, is_there in zip(places, there, strict=True) if not is_there] == []
    makefile = (ROOT / "Makefile").read_text()
    assert {target for target in targets if f"\n{target}:" not in makefile} == set()


def test_the_flags_in_the_readme_exist():
    from sweep.search.run import main

    known = {option for parameter in main.params for option in parameter.opts}
    used = set()
    for command in re.findall(r"python -m search\.run[^`\n]*", (ROOT / "README.md").read_text()):
        used |= set(re.findall(r"--[a-z-]+", command))

    assert used <= known


@pytest.mark.parametrize(
    ("name", "locked"),
    [
        ("requirements", "requirements"),
        ("requirements-weights", "requirements-weights"),
        ("requirements-test", "requirements-test"),
        ("requirements-formats", "requirements-test"),  # so that the tests of these formats run
        ("requirements-weights", "requirements-test"),
    ],
)
def test_every_requirement_is_pinned_in_its_lock_with_hashes(name, locked):
    lock = (ROOT / f"{locked}.lock").read_text()
    wanted = re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?==(\S+)", (ROOT / f"{name}.txt").read_text(), re.MULTILINE)

    assert wanted
    for package, version in wanted:
        assert f"\n{package}=={version} \\\n    --hash=sha256:" in f"\n{lock}", package
    assert lock.count("==") <= lock.count("--hash=sha256:")


@pytest.mark.parametrize("name", ["requirements", "requirements-formats", "requirements-weights"])
def test_every_requirement_has_its_reason(name):
    for line in (ROOT / f"{name}.txt").read_text().splitlines():
        assert line.startswith("#") or re.search(r"\S+==\S+ +# \w+", line), line
