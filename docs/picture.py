"""Take the picture of a report that the README shows, docs/report.png.

make report-picture SWEEP=sweeps/default
"""

import sys
from pathlib import Path

from sweep.analysis.record import Record
from sweep.analysis.report.page import write_report
from tests.browser import browser

OUT = Path(__file__).with_name("report.png")
WIDTH, HEIGHT = 1440, 1900  # px; shows the answer and the first figures below it


def main(sweep: Path) -> None:
    """Writes the report of a sweep, opens it in a browser and saves a screenshot as docs/report.png."""
    report = write_report(Record(sweep)).resolve()
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(report.as_uri())
        page.wait_for_selector("#progress .js-plotly-plot .main-svg")
        page.screenshot(path=OUT)
    print(f"{OUT}: {OUT.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
