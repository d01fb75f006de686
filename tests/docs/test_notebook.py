"""The notebook of the documentation, run from its first cell to its last."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.ray
def test_the_notebook_runs_and_shows_its_search(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}")
    monkeypatch.setenv("RAY_ADDRESS", "local")
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # nobody's machine is shown in it

    NotebookClient(notebook, timeout=900, resources={"metadata": {"path": f"{tmp_path}"}}).execute()

    shown = [[*map(dict, cell.get("outputs", []))] for cell in notebook.cells if cell.cell_type == "code"]
    assert any("[4/4] trial" in output.get("data", {}).get("text/plain", "") for output in shown[0])
    assert shown[1][0]["data"]["text/html"].count("<tr") == 5  # a heading and four trials
    assert "image/png" in shown[2][-1]["data"]
    assert shown[-1][-1]["data"]["text/plain"] == "5"
