"""The report in a real browser: what is drawn, what is asked of a network, what hostile names can do. Nothing."""

import os
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from sweep.analysis.report import page as analysis_report_page_module
from sweep.analysis.report.page import write_report
from sweep.analysis.report.sections import importance
from sweep.datasets.pixels.dataset import Dataset, Split
from tests.browser import CHROMIUM, browser
from tests.sweeps import CNN, MLP, SweepBuilder

IN_CI = os.environ.get("CI") == "true"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists() and not IN_CI, reason=f"there is no {CHROMIUM}"),
]

SECTIONS = ["answer", "progress", "leaders", "mattered", "edges", "curves", "classes", "failures", "cost", "reproduce"]
FIGURES = ["history", "time", "importances", "slices", "ranges", "learning-curves", "confusion", "classes"]
FIGURES += ["calibration", "states", "cost"]
WIDTHS = (390, 1440)  # px: a telephone and a screen
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "</script><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</textarea><img src=x onerror=alert(1)>",
    "<!--<script>alert(1)//-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<a href='https://evil.example/'>here</a>",
    '<a href="javascript:alert(1)">here</a>',
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href=https://evil.example/>",
    "<form action=https://evil.example/><input name=x autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<math><mtext></mtext><mglyph><style></math><img src onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' autofocus onfocus='alert(1)",
    "`${alert(1)}`",
    "{{ 7 * 7 }}{% include 'x' %}",
    "&lt;img src=x onerror=alert(1)&gt;",
    "<b>bold</b><br><sub>low</sub>",
    "$\\href{https://evil.example/}{x}$ var(--ink) %{x} \u202e\x1b[31m",
]
HARMLESS = [f"name {number:02}" for number in range(len(HOSTILE))]


@dataclass
class Seen:
    """What a page did while it was open.

    Attributes:
      said: its console's errors and warnings, and what its policy forbade.
      asked: the addresses it fetched.
    """

    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def chromium():
    assert CHROMIUM.exists(), "continuous integration installs chromium"
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The same sweep twice: with harmless names, and with hostile ones everywhere."""
    folder = tmp_path_factory.mktemp("browser")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("render", "render_pictures"):  # the PNGs are not what is looked at here
            patch.setattr(analysis_report_page_module, name, lambda _: b"")
        patch.setattr(importance, "DRAWS", 5)
        return {kind: report(folder / kind, names) for kind, names in (("harmless", HARMLESS), ("hostile", HOSTILE))}


@pytest.fixture(scope="module")
def pages(chromium, reports):
    """Each report opened at 1440 px in its light style, all its figures drawn, and what it did since."""
    found = {kind: opened(chromium, path) for kind, path in reports.items()}
    yield found
    for page, _ in found.values():
        page.close()


def report(folder, names):
    """A sweep of 16 trials over 100 images, with `names` as classes, images, parameters and errors."""
    sweep = SweepBuilder(folder, images(names))
    draw = sweep.ledger.draw

    def with_more_parameters(sampler, choose, given):
        def chosen(trial):
            for name in names:
                trial.suggest_float(name, 0.0, 1.0)
            trial.suggest_categorical("choice", names)
            return choose(trial)

        return draw(sampler, chosen, given)

    sweep.ledger.draw = with_more_parameters
    for number in range(11):
        config = CNN if number % 3 else MLP
        sweep.add(replace(config, lr=0.9 / (1 + number)), [20 + number, 60 + number, 90 - number])
    for _ in range(2):
        sweep.add(MLP, [10], "PRUNED", reason="not among the best at its rung")
    for number, name in enumerate(names):
        sweep.add(MLP, [], "FAIL", reason="error" if number % 3 else name, message=name, baseline=name)
    sweep.add(MLP, [5], "RUNNING")
    rows = [f'validation,"{quoted(name)}",0,{"0" * 16}' for name in sweep.data.valid.ids]
    (folder / "data.csv").write_text("\n".join(["split,id,label,sha256", *rows]) + "\n")
    np.save(folder / "valid_images.npy", sweep.data.valid.images.transpose(0, 2, 3, 1))
    return write_report(sweep.record)


def images(names):
    rng = np.random.default_rng(0)

    def split(count):
        ids = tuple(f"{names[number % len(names)]}{number}" for number in range(count))
        pixels = rng.integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)
        return Split(ids, pixels, np.arange(count) % len(names))

    return Dataset(split(50), split(100), None, tuple(names), None, "f00d", ())


def quoted(name):
    return name.replace('"', '""')


def opened(chromium, report, scheme="light"):
    page = chromium.new_page(viewport={"width": WIDTHS[-1], "height": 900}, color_scheme=scheme)
    seen = Seen()
    page.on("console", lambda message: seen.said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.said.append(str(error)))
    page.on("request", lambda request: seen.asked.append(request.url))
    page.goto(report.as_uri())
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
    wait_for(page, "() => !document.querySelector('.plot:not(.js-plotly-plot)')")
    return page, seen


def wait_for(page, expression):
    """Playwright's own wait evaluates text in the page, which the page's policy forbids."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {expression}")


def elements(page, outside_plots=False):
    """Name and attributes' names of every element, in order; but for how tables are sorted at the moment."""
    return page.evaluate(
        """(outside) => [...document.querySelectorAll('*')]
            .filter((e) => !outside || !e.closest('.plot') || e.matches('.plot'))
            .map((e) => [e.localName, ...e.getAttributeNames().sort().filter((a) => a !== 'aria-sort')].join(' '))""",
        outside_plots,
    )


def test_every_section_is_there_in_order_and_every_figure_is_drawn(pages):
    page, seen = pages["harmless"]

    assert page.evaluate("[...document.querySelectorAll('section')].map((s) => s.id)") == SECTIONS
    assert page.evaluate("[...document.querySelectorAll('figure')].map((f) => f.id.slice(7))") == FIGURES
    drawn = "(p) => p.querySelector('svg.main-svg .trace, svg.main-svg .hm')"
    assert page.evaluate(f"[...document.querySelectorAll('.plot')].every({drawn})")
    assert page.locator(".plot").count() > len(FIGURES)
    assert page.locator("ul.pictures img").count() == 20  # ten mistakes, and all trials agree on them
    assert page.evaluate("[...document.images].every((image) => image.naturalWidth === 16)")
    assert seen.said == []
    assert [url for url in seen.asked if not url.startswith(("file:", "data:"))] == []


def test_a_table_sorts_by_the_column_that_is_clicked_and_turns_round(pages):
    page, _ = pages["harmless"]
    table = page.locator("#leaders table")
    head = table.locator("th", has_text="accuracy")

    def column():
        return [float(text.split()[0]) for text in table.locator("tbody tr td:nth-child(2)").all_inner_texts()]

    assert column() == sorted(column(), reverse=True)
    head.locator("button").click()
    assert column() == sorted(column())
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").press("Enter")
    assert column() == sorted(column(), reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    assert table.locator("th[aria-sort]").count() == 1

    published = page.locator("#answer table").last
    published.locator("th button", has_text="best epoch").click()  # all empty: nothing to sort by
    assert published.locator("tbody tr").count() == len(HARMLESS)


@pytest.mark.parametrize("kind", ["harmless", "hostile"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overflows(pages, width, kind):
    page, _ = pages[kind]
    page.set_viewport_size({"width": width, "height": 900})
    wait_for(
        page,
        """() => [...document.querySelectorAll('.plot')]
            .every((plot) => plot.querySelector('.main-svg').clientWidth === plot.clientWidth)""",
    )

    outside = page.evaluate(
        """() => [...document.querySelectorAll('body *')]
            .filter((e) => !e.closest('.scroll, .plot') && e.getBoundingClientRect().right > innerWidth + 1)
            .map((e) => `${e.localName}#${e.id}.${e.className}: ${e.textContent.slice(0, 60)}`)"""
    )
    assert outside == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_light_and_dark_differ_in_page_and_figures_and_a_change_draws_them_again(chromium, reports, pages):
    def colours(page):
        return page.evaluate(
            """() => [getComputedStyle(document.body).backgroundColor,
                getComputedStyle(document.querySelector('#figure-history .xtitle')).fill,
                getComputedStyle(document.querySelector('#figure-history .scatterlayer path.js-line')).stroke]"""
        )

    page, seen = pages["harmless"]
    light = colours(page)
    page.emulate_media(color_scheme="dark")
    wait_for(page, f"() => getComputedStyle(document.querySelector('.xtitle')).fill !== '{light[1]}'")
    dark = colours(page)
    page.emulate_media(color_scheme="light")
    fresh = chromium.new_page(color_scheme="dark")
    fresh.goto(reports["harmless"].as_uri())
    fresh.locator("#figure-history .plot").scroll_into_view_if_needed()
    wait_for(fresh, "() => document.querySelector('#figure-history .xtitle')")

    assert all(a != b for a, b in zip(light, dark, strict=True))
    assert colours(fresh) == dark
    assert light[0] == "rgb(255, 255, 255)"
    assert seen.said == []
    fresh.close()


def test_hostile_names_add_no_element_and_fetch_nothing(pages):
    found = {}
    for kind, (page, _) in pages.items():
        found[kind] = elements(page, outside_plots=True), set(elements(page))
        references = page.evaluate(
            """() => [...document.querySelectorAll('*')].flatMap((e) => [...e.attributes])
                .filter((attribute) => /^(href|src|srcset|action|data)$/.test(attribute.localName))
                .map((attribute) => attribute.value)"""
        )
        assert [url for url in references if not url.startswith(("#", "data:image/png;base64,"))] == []

    outside, everything = found["hostile"]
    assert outside == found["harmless"][0]
    assert {name.split()[0] for name in everything} == {name.split()[0] for name in found["harmless"][1]}
    assert not [name for name in everything if any(word.startswith("on") for word in name.split()[1:])]
    seen = pages["hostile"][1]
    assert seen.said == []
    assert [url for url in seen.asked if not url.startswith(("file:", "data:"))] == []


def test_hostile_names_are_shown_as_they_are(pages):
    page, _ = pages["hostile"]
    text = page.inner_text("body")
    for name in HOSTILE[:-1]:
        assert name in text
    assert "<svg onload=alert(1" in page.evaluate("document.querySelector('#figure-classes svg').textContent")
