"""What is known of the best trial stands in both reports, as far as it is known."""

import re

import numpy as np
import pytest

from sweep.analysis.report import page as analysis_report_page_module
from sweep.analysis.report.page import write_report
from tests.analysis.estimates.test_choice_adjusted import a_sweep, leaning

TWO = ["The two classes at every threshold", "The decision threshold"]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes the report of a sweep with these predictions; returns the headings and figures of its classes."""
    monkeypatch.setattr(analysis_report_page_module, "render", lambda _: b"")

    def report(labels, logits):
        folder = a_sweep(tmp_path / "sweep", "macro_f1", labels, logits)
        page = write_report(folder.record).read_text()
        section = re.search(r'<section id="classes">.*?</section>', page, re.DOTALL)[0]
        text = (folder.folder / "report.md").read_text()
        headings = re.findall(r"<h3>(.*?)</h3>", section)
        assert all(f"### {heading}" in text for heading in headings)
        return headings, re.findall(r'id="figure-([\w-]+)"', section)

    return report


def test_two_classes_have_their_curves_and_what_a_threshold_costs(written):
    headings, figures = written(*leaning(120))
    assert headings[:2] == TWO
    assert figures == ["confusion", "classes", "roc", "precision-recall", "thresholds", "calibration"]


def test_more_classes_have_neither(written):
    labels = np.arange(60) % 3
    headings, figures = written(
        labels, (np.eye(3)[labels] + np.random.default_rng(0).random((60, 3))).astype(np.float32)
    )
    assert not set(TWO) & set(headings)
    assert figures == ["confusion", "classes", "calibration"]
