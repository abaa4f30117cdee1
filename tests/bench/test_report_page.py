"""The HTML page: well-formed, self-contained, legible without seeing, and safe whatever it shows."""

from __future__ import annotations

import subprocess
from html.parser import HTMLParser
from pathlib import Path
from shutil import which
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harpoon_cli.bench.judging.report import Report
from harpoon_cli.bench.reports import Source, save, text
from harpoon_cli.bench.reports._plot import Axis, Series, plot
from harpoon_cli.values import replace
from tests.bench.simulated import (
    hostile_report,
    report,
    run,
    sweep,
)


@pytest.fixture(scope="module")
def whole() -> Report:
    return replace(report(run(30, fails=0.01)), sweep=sweep())


@pytest.fixture(scope="module")
def hostile() -> Report:
    return hostile_report()


# HTML


class Page(HTMLParser):
    """Fails on elements that are not closed in order; keeps what a page consists of."""

    VOID = frozenset({"meta", "line", "rect", "circle", "polyline"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:  # a browser writes an end for each
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def names(self) -> set[str]:
        return {name for name, _ in self.elements}


def test_the_page_is_well_formed_and_brings_everything_with_it(whole: Report) -> None:
    page = Page(text("html", Source(whole)))
    assert {"script", "link", "img", "iframe", "object", "base"}.isdisjoint(page.names())
    attributes = [given for name, given in page.elements if name != "main"]
    assert not [given for given in attributes if "href" in given or "src" in given]
    policies = [given["content"] for given in attributes if "http-equiv" in given]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]


def test_each_plot_says_in_words_what_it_shows(whole: Report) -> None:
    page = Page(text("html", Source(whole)))
    ids = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    plots = [attributes for name, attributes in page.elements if name == "svg"]
    assert len(plots) == 8
    for each in plots:
        assert each["role"] == "img"
        assert set((each["aria-labelledby"] or "").split()) <= ids
    assert len(ids) == 2 * len(plots)


def test_the_plots_are_well_formed_xml_within_their_frame(whole: Report) -> None:
    told = text("html", Source(whole))
    for drawing in told.split("<svg")[1:]:
        tree = ElementTree.fromstring("<svg" + drawing.split("</svg>")[0] + "</svg>")
        for line in tree.iter("polyline"):
            points = [tuple(map(float, point.split(","))) for point in (line.get("points") or "").split()]
            assert all(0 <= x <= 720 and 0 <= y <= 300 for x, y in points)


def test_no_text_from_outside_is_markup_on_the_page(hostile: Report) -> None:
    told = text("html", Source(hostile))
    page = Page(told)
    assert "script" not in page.names()
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert any("<script>alert(1)</script>" in each for each in page.texts)


@given(st.text(), st.text(), st.text())
@settings(max_examples=30)
def test_no_name_breaks_a_plot(title: str, words: str, name: str) -> None:
    drawing = plot("it", title, words, [Series(name, [(1, 2), (3, 4)], [(0, name)])], (Axis(name), Axis("y")))
    assert drawing is not None
    ElementTree.fromstring(drawing)


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.floats(1e-9, 1e12)


@given(st.lists(st.tuples(numbers, numbers), max_size=6), st.booleans(), st.booleans())
@settings(max_examples=100)
def test_no_numbers_break_a_plot(
    points: list[tuple[float, float]],
    logarithmic: bool,
    based: bool,  # drawn by hypothesis
) -> None:
    axes = (Axis("x", logarithmic=logarithmic), Axis("y", least=0.0 if based else None))
    drawing = plot("it", "title", "words", [Series("line", points)], axes)
    if drawing is not None:
        ElementTree.fromstring(drawing)
        assert "nan" not in drawing


def test_a_plot_of_nothing_is_left_out() -> None:
    assert plot("it", "title", "words", [Series("line", [])], (Axis("x"), Axis("y"))) is None


CHROMIUM = which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_shows_the_page_and_finds_nothing_to_refuse(hostile: Report, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    save("html", Source(replace(hostile, sweep=sweep())), page)
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/user"]
    logging = ["--enable-logging=stderr", "--log-level=0", "--dump-dom", page.as_uri()]
    shown = subprocess.run([*command, *logging], capture_output=True, text=True, timeout=60, check=True)
    found = Page(shown.stdout)
    assert sum(name == "svg" for name, _ in found.elements) == 8
    assert "script" not in found.names()
    assert "Refused" not in shown.stderr
    assert "CONSOLE" not in shown.stderr
