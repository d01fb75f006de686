"""Files of the user's that import the packages by the names that they had."""

import sys

import pytest

from sweep.storage import old_names, user_code
from sweep.trainable import config


@pytest.fixture
def as_before(monkeypatch):
    """Nothing was imported by an old name yet."""
    monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if finder is not old_names.FINDER])
    for name in [name for name in sys.modules if name.partition(".")[0] in old_names.PACKAGES]:
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in old_names.PACKAGES]:
        del sys.modules[name]


def test_a_file_that_imports_by_an_old_name_gets_the_classes_that_the_search_has(tmp_path, as_before):
    file = tmp_path / "mine.py"
    file.write_text("import trainable.config\nfrom trainable.config import TrialConfig\nfrom storage import paths\n")
    spec = config.__spec__

    reference = user_code.name(f"{file}:TrialConfig", "--space")

    assert user_code.get(reference) is config.TrialConfig
    assert sys.modules["trainable.config"] is config
    assert config.__spec__ is spec
    assert config.__name__ == "sweep.trainable.config"


def test_where_it_is_installed_such_a_name_may_be_of_somebody_elses_package(tmp_path, as_before, monkeypatch):
    monkeypatch.setattr(old_names, "IS_INSTALLED", True)
    (tmp_path / "analysis.py").write_text("WHOSE = 'theirs'\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    file = tmp_path / "own.py"
    file.write_text("from analysis import WHOSE\n")

    reference = user_code.name(f"{file}:WHOSE", "--space")

    assert user_code.get(reference) == "theirs"
