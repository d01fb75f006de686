"""Objects of the user's own files: read where a command names them, run nowhere else, handed on as text."""

import hashlib
import os

import pytest

from sweep.storage import user_code
from sweep.storage.errors import UserError


@pytest.fixture
def another_process(monkeypatch):
    """Makes this process one that no command told of any file."""
    return lambda: monkeypatch.setattr(user_code, "_files", {})


def named(file, name="value"):
    return user_code.name(f"{file}:{name}", "--space")


def test_an_object_is_known_by_the_absolute_path_of_its_file(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("value = 3\n")
    monkeypatch.chdir(tmp_path)

    reference = named("mine.py")

    assert reference == f"{tmp_path}/mine.py:value"
    assert user_code.is_reference(reference)
    assert not any(map(user_code.is_reference, ("resnet18", 3, f'{{"transform": "{reference}"}}')))
    assert user_code.get(reference) == 3


def test_a_file_is_read_as_it_is_now_and_nothing_is_left_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    file, values = tmp_path / "mine.py", []
    for value in (1, 2):  # of the same size and time: Python's cache of modules would take it for the old one
        file.write_text(f"value = {value}\n")
        os.utime(file, (0, 0))
        values.append(user_code.get(named(file)))

    assert values == [1, 2]
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere.py:f", "--space nowhere.py:f: must be FILE.py:OBJECT with an existing file"),
        ("{folder}/a.py", "must be FILE.py:OBJECT"),
        ("{folder}/a.txt:f", "a.txt is no Python file"),
        ("{folder}/a.py:nothing", "a.py has no `nothing`"),
        ("{folder}/b.py:f", "b.py:1 does not run: ZeroDivisionError"),
    ],
)
def test_what_cannot_be_loaded_is_an_error(tmp_path, reference, message):
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "a.txt").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("1 / 0\n")

    with pytest.raises(UserError) as error:
        user_code.name(reference.format(folder=tmp_path), "--space")

    assert message in str(error.value)


@pytest.mark.parametrize("text", ["1 / 0", "def suggest(trial:", "import no_such_module_anywhere"])
def test_a_file_that_does_not_run_is_named_with_its_line(tmp_path, text):
    (tmp_path / "mine.py").write_text(f"x = 1\n{text}\n")

    with pytest.raises(UserError, match=r"mine\.py:2 does not run: \w+Error"):
        named(tmp_path / "mine.py")


def test_what_no_command_named_is_not_run(tmp_path, another_process):
    file = tmp_path / "mine.py"
    file.write_text("value = 3\n")
    reference = named(file)
    file.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    another_process()

    assert not user_code.has_run(reference)
    with pytest.raises(UserError, match=f"add --code {reference}, or its place by now"):
        user_code.get(reference)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_moved_is_the_one_of_its_name(tmp_path, another_process):
    (tmp_path / "mine.py").write_text("value = 3\n")
    reference, digest = named(tmp_path / "mine.py"), hashlib.sha256(b"value = 3\n").hexdigest()
    (tmp_path / "there").mkdir()
    (tmp_path / "mine.py").rename(tmp_path / "there/mine.py")
    another_process()

    named(tmp_path / "there/mine.py")

    assert user_code.get(reference) == 3
    assert user_code.digest(reference) == digest


def test_another_process_runs_a_file_that_it_does_not_have_from_its_text(tmp_path, another_process):
    file = tmp_path / "mine.py"
    file.write_text("def value():\n    raise ValueError('mine')\n")
    reference, sources = named(file), user_code.sources()
    file.unlink()
    another_process()

    user_code.remember({path: source for path, source in sources.items() if path == str(file)})

    with pytest.raises(ValueError, match="mine"):
        user_code.get(reference)()
