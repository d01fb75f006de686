"""Text in any locale: files are UTF-8, and every command prints something readable and ends as it should."""

import ast
import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sweep.analysis.report.page import write_report
from sweep.analysis.report.status import status_text, summary
from sweep.datasets.pixels.dataset import Split
from sweep.storage.text import counted, stop_printing, use_utf8
from tests.sweeps import MLP, SweepBuilder, noise, varied_sweep
from tests.trees import with_class_folders, write

pytestmark = pytest.mark.figures
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("storage", "datasets", "trainable", "analysis", "search")
FILES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
NAMES = [str(file.relative_to(ROOT)) for file in FILES]
ASCII = {"PYTHONIOENCODING": "ascii"}
LATIN = {"PYTHONIOENCODING": "iso-8859-1"}
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
OPENS = {"open": 1, "fdopen": 1, "read_text": None, "write_text": None, "TextIOWrapper": None}  # the place of the mode


OPEN_NO_TEXT = {
    "os.open",
    "image_format.open",
    "Image.open",
    "self._zip.open",
    "zipfile.open",
    "bridge.watcher.open",
    "store.open",
}


def opened_as_text(tree):
    """The calls that open a file as text, or run a program whose output is read as text."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        words = {word.arg: word.value for word in call.keywords}
        if name == "run" and "text" in words:
            yield call, words
        if name not in OPENS or ast.unparse(call.func) in OPEN_NO_TEXT:
            continue
        place = OPENS[name]
        mode = words.get("mode") or (call.args[place] if place is not None and len(call.args) > place else None)
        if isinstance(mode, ast.Constant) and "b" in str(mode.value):
            continue
        yield call, words


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_files_are_read_and_written_in_utf8_whatever_the_locale_is(file):
    calls = opened_as_text(ast.parse(file.read_text(encoding="utf-8")))
    assert [f"{file.name}:{call.lineno}" for call, words in calls if "encoding" not in words] == []


@pytest.mark.parametrize("line", ["open(p)", "open(p, 'w')", "p.read_text()", "p.write_text(t)", "os.fdopen(d, 'w')"])
def test_a_file_opened_in_the_encoding_of_the_locale_is_seen(line):
    ((_, words),) = opened_as_text(ast.parse(line))
    assert "encoding" not in words


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_every_command_prints_in_any_encoding(file):
    text = file.read_text(encoding="utf-8")
    if 'if __name__ == "__main__":' in text:
        end = text.partition('if __name__ == "__main__":')[2].split()
        is_silent = file.name in ("watchdog.py", "member.py")  # nobody reads what they would print
        assert end in (["program(main)"], ["use_utf8()", "main()"]) or (is_silent and "print(" not in text)


@pytest.fixture
def printed(monkeypatch):
    """Standard output in an encoding: gives the bytes that were printed."""

    def begin(encoding):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="strict"))
        use_utf8()

        def bytes_of(text):
            print(text, end="", flush=True)
            return raw.getvalue()

        return bytes_of

    return begin


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", b"M\\xfcll 1 ... of 2, +-3 - \\u732b\xff"),
        ("iso-8859-1", b"M\xfcll 1 ... of 2, \xb13 - \\u732b\xff"),
        ("utf-8", "Müll 1 … of 2, ±3 \N{EN DASH} 猫".encode() + b"\xff"),
    ],
)
def test_what_an_encoding_has_no_sign_for_is_printed_in_ascii_and_bytes_of_names_as_they_are(printed, encoding, shown):
    assert printed(encoding)("Müll 1 … of 2, ±3 \N{EN DASH} 猫\udcff") == shown


def test_a_locale_of_another_encoding_begins_the_command_anew_in_utf8_mode(monkeypatch):
    begun = []
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "search.status", "sweeps/default"])
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(os, "execv", lambda path, words: begun.append((path, words)))

    use_utf8()

    assert begun == [(sys.executable, [sys.executable, "-X", "utf8", "-m", "search.status", "sweeps/default"])]
    assert os.environ["PYTHONUTF8"] == "1"
    assert os.environ["PYTHONIOENCODING"] == f"{sys.stdout.encoding}:backslashreplace"


def run(environment, *words, **options):
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))} | environment,
        capture_output=True,
        check=False,
        **options,
    )


@pytest.fixture(scope="module")
def umlauts(tmp_path_factory):
    """Data whose classes have letters beyond ASCII, in a folder that has one."""
    folder = tmp_path_factory.mktemp("Größe") / "dàta"
    tree = with_class_folders(train=12, validation=6, test=3, classes=2)
    return write({name.replace("/a/", "/Müll/").replace("/b/", "/猫/"): data for name, data in tree.items()}, folder)


@pytest.mark.parametrize("environment", [ASCII, LATIN, C_LOCALE], ids=["ascii", "latin", "c-locale"])
def test_a_data_set_is_looked_at_in_any_locale(umlauts, tmp_path, environment):
    done = run(environment, "datasets.look", umlauts, "--out", tmp_path / "löok.png")

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"train: 12 images" in done.stdout
    assert (tmp_path / "löok.png").exists()


@pytest.mark.parametrize("environment", [ASCII, C_LOCALE], ids=["ascii", "c-locale"])
def test_a_status_with_letters_beyond_ascii_is_shown_in_any_locale(tmp_path, environment):
    folder = varied_sweep(tmp_path / "swëep", noise()).folder

    done = run(environment, "search.status", folder)

    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"sw\xebep: running" in done.stdout


def test_a_reader_that_is_gone_ends_a_command_without_a_word():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        program = "from storage.command_line import program\nprogram(lambda: print('a', flush=True))"
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=writer, stderr=-1, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_what_is_printed_after_the_reader_is_gone_goes_nowhere(monkeypatch):
    moved = []
    monkeypatch.setattr(os, "dup2", lambda _, to: moved.append(to))
    assert stop_printing() == 141
    assert moved == [1]


def test_one_of_a_thing_is_no_plural():
    assert (counted(1, "trial"), counted(0, "trial"), counted(1173, "image")) == ("1 trial", "0 trials", "1,173 images")
    assert (counted(1, "class", "classes"), counted(2, "class", "classes")) == ("1 class", "2 classes")


def test_nothing_that_is_said_of_a_sweep_of_one_trial_and_one_image_has_a_plural_of_one(tmp_path):
    data = noise()
    valid = Split(data.valid.ids[:1], data.valid.images[:1], data.valid.labels[:1])
    sweep = SweepBuilder(tmp_path / "sweep", replace(data, valid=valid))
    sweep.add(replace(MLP, epochs=1), [1])
    write_report(sweep.record)

    said = [(sweep.folder / name).read_text(encoding="utf-8") for name in ("report.md", "report.html")]
    said += [summary(sweep.record), status_text(sweep.folder)[0]]

    nouns = "trials|images|epochs|seeds|classes|files|labels|configs|runs|records|predictions|attempts"
    assert [words[0] for text in said for words in re.finditer(rf"\b1 ((?!of)\w+ ){{0,2}}({nouns})\b", text)] == []


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_a_command_whose_outputs_are_closed_runs_to_its_end(tmp_path, closed):
    code = (
        "import os, sys\nfrom storage.command_line import program\n"
        "def main():\n    print('a', flush=True)\n    print('b', file=sys.stderr, flush=True)\n"
        "    os.write(1, b'c')\n    os.write(2, b'd')\n"
        f"    open({str(tmp_path / 'file')!r}, 'w', encoding='utf-8').write('whole')\n"
        "program(main)"
    )
    redirected = " ".join(f"{number}>&-" for number in closed)
    words = ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-c", code]

    done = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)

    assert done.returncode == 0
    assert (tmp_path / "file").read_text(encoding="utf-8") == "whole"
    assert done.stdout in ((b"",) if 1 in closed else (b"a\nc",))
    assert done.stderr in ((b"",) if 2 in closed else (b"b\nd",))
