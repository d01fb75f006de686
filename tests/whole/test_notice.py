"""NOTICE says under which licence everything is that this software uses or passes on."""

import re
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8")


def test_each_direct_dependency_has_its_licence_in_the_notice():
    files = [ROOT / "requirements.txt", ROOT / "requirements-weights.txt"]
    direct = re.findall(r"^([\w-]+)", "".join(file.read_text(encoding="utf-8") for file in files), re.MULTILINE)

    named = re.findall(r"^ {4}([\w-]+)  +\S", NOTICE, re.MULTILINE)

    assert named == direct


def test_the_licence_of_the_script_in_a_report_is_in_the_notice_whole():
    files = distribution("plotly").files or []
    licence = next(file for file in files if file.name == "LICENSE.txt").read_text(encoding="utf-8")

    assert " ".join(licence.split()) in " ".join(NOTICE.split())
