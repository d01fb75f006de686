"""The architecture as a test: who imports whom, that what README and pages name is there: files, commands, flags."""

import ast
import re
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

from sweep.storage.programs import MODULES as COMMANDS
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
    """Yields the top-level names of the imports in a file, also within functions; of our own those below `sweep`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("sweep.").split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.removeprefix("sweep.").split(".")[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_one_way(file):
    package = file.relative_to(ROOT).parts[0]

    ours = set(imported(file)) & set(MAY_IMPORT) - {package}

    assert ours <= MAY_IMPORT[package]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_package_of_our_own_is_imported_below_the_one_that_is_installed(file):
    """By its own name it would be another module of the same file, or somebody else's package `datasets`."""
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]

    names = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    names += [node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)]

    assert [name for name in names if name.split(".")[0] in {*MAY_IMPORT, ""}] == []


def may_know_ray(name):
    return name.startswith("search/ray/") or name == "trainable/worker/ray_trial.py"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_only_the_driver_and_the_worker_of_ray_know_it(file):
    name = file.relative_to(ROOT).as_posix()

    assert "ray" not in set(imported(file)) or may_know_ray(name)


MODULES = {
    "sweep." + ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in FILES
}


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
    texts = {file.name: file.read_text() for file in (ROOT / "search").glob("*.py")}
    lengths = {name: len(text.splitlines()) for name, text in texts.items() if "\ndef main(" in text}

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


README, ARCHITECTURE = ROOT / "README.md", ROOT / "docs" / "architecture.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]


def tree_in_the_architecture():
    """Yields the files and folders that the tree of the page on the architecture names, as paths."""
    block = re.search(r"## The tree\n.*?```text\n(.*?)```", ARCHITECTURE.read_text(), re.DOTALL)[1]
    above = []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        above = [*above[:depth], line.split()[0]]
        yield "".join(above).rstrip("/")


def test_the_tree_in_the_architecture_names_every_folder_of_code_and_nothing_that_is_not_there():
    named = set(tree_in_the_architecture())
    there = {file.parent.relative_to(ROOT).as_posix() for file in FILES}

    assert {name for name in named if not (ROOT / name).exists()} == set()
    assert there - named == set()


def defined_in(file):
    """Returns the names of all functions and classes in a file, also within others."""
    kinds = ast.FunctionDef | ast.ClassDef
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, kinds)}


def test_the_functions_that_the_architecture_names_are_in_the_files_that_it_names():
    """A function or a class stands right behind its file: `datasets/load.py` `load`."""
    text = ARCHITECTURE.read_text()
    files = re.findall(r"`((?:storage|datasets|trainable|analysis|search)/[\w/]+\.py)`", text)
    pairs = re.findall(r"`([\w/]+\.py)`\s+`(\w+)`", text)

    assert len(pairs) > 30
    assert [file for file in files if not (ROOT / file).exists()] == []
    assert [f"{file} {name}" for file, name in pairs if name not in defined_in(ROOT / file)] == []


def code_in_readme_and_pages():
    """Returns all code that stands there, in blocks and between words, a line each."""
    text = "\n".join(page.read_text() for page in PAGES)
    blocks = re.compile(r"^```.*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks.findall(text), *re.findall(r"`([^`]+)`", blocks.sub("", text))])


def test_the_commands_in_readme_and_pages_exist_and_none_is_left_out():
    code = code_in_readme_and_pages()

    named = set(re.findall(r"^sweep ([a-z]+)", code, re.MULTILINE))
    modules = set(re.findall(r"python -m ((?:datasets|trainable|analysis|search)\.[a-z_.]+)", code))
    targets = set(re.findall(r"\bmake ([a-z-]+)", code))

    assert named == set(COMMANDS)
    assert modules - set(COMMANDS.values()) == set()
    assert {"search.run", "search.status", "analysis.report", "analysis.predict", "datasets.look"} <= modules
    makefile = (ROOT / "Makefile").read_text()
    assert {target for target in targets if f"\n{target}:" not in makefile} == set()


def flags_of(name):
    """Returns the flags of a command that its help shows."""
    module = import_module(f"sweep.{COMMANDS[name]}")
    main = module.main if hasattr(module, "main") else import_module(f"{module.__name__}.__main__").main
    shown = [parameter for parameter in main.params if not getattr(parameter, "hidden", False)]
    return {option for parameter in shown for option in parameter.opts if option.startswith("--")}


def used_flags(name):
    """Returns the flags with which README and pages call a command, in either of its spellings."""
    spelled = f"(?:sweep {name}|python -m {re.escape(COMMANDS[name])})"
    calls = re.findall(rf"{spelled}\b([^\n#']*)", code_in_readme_and_pages())
    return {flag for call in calls for flag in re.findall(r"--[a-z-]+", call)}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_flags_with_which_readme_and_pages_call_a_command_exist(name):
    assert used_flags(name) - {"--help"} <= flags_of(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_of_a_command_is_explained_in_a_page(name):
    """The reference of commands, which is made of the help texts, is not among the pages that are read here."""
    text = "\n".join(page.read_text() for page in PAGES)

    assert {flag for flag in flags_of(name) if not re.search(rf"{flag}(?![\w-])", text)} == set()


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
