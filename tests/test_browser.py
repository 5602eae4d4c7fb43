"""The report in a real browser without a window: Chromium with its driver, where they are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from bench import report
from bench.charts import pictures
from bench.charts.data import gather
from tests.runs import Made
from tests.test_report import EVIL, NETWORK, REASON

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, PROGRAMS)), None)
DRIVER = shutil.which("chromedriver")
SWITCHES = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--no-first-run", "--force-prefers-reduced-motion",
            "--window-size=1300,1000")  # fmt: skip
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (BROWSER and DRIVER),
        reason=f"none of {', '.join(PROGRAMS)} with chromedriver on this machine's path",
    ),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = Made(frameworks=("torch", "jax", "caffe", EVIL), models=("lenet5", NETWORK),
                refuses={"caffe": REASON}, samples=3)  # fmt: skip
    run = made.write(tmp_path_factory.mktemp("runs") / "evil")
    with pytest.MonkeyPatch.context() as patch:  # pictures take most of the time of a report
        patch.setattr(pictures, "write", lambda *_: [])
        return report.write(gather([run]), tmp_path_factory.mktemp("report") / "out").as_uri()


@pytest.fixture(scope="module")
def driver() -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = BROWSER or ""
    for switch in SWITCHES:
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = Chrome(options=options, service=Service(DRIVER))
    yield browser
    browser.quit()


@pytest.fixture
def page(driver: Chrome, address: str) -> Chrome:
    driver.get("about:blank")
    driver.get(address)
    drawn(driver)
    return driver


def drawn(page: Chrome) -> None:
    """Wait until every chart is drawn."""
    WebDriverWait(page, 60).until(lambda p: root(p).get_attribute("data-drawn"))


def root(page: Chrome) -> WebElement:
    return page.find_element(By.TAG_NAME, "html")


def choose(page: Chrome, dimension: str, value: str) -> None:
    """Tick a box of a filter as a person would, and wait for the charts."""
    before = root(page).get_attribute("data-drawn")
    menu = page.find_element(By.CSS_SELECTOR, f"[data-filter={dimension}]")
    menu.find_element(By.TAG_NAME, "summary").click()
    boxes = menu.find_elements(By.TAG_NAME, "input")
    next(box for box in boxes if box.get_attribute("value") == value).click()
    menu.find_element(By.TAG_NAME, "summary").click()
    WebDriverWait(page, 60).until(lambda p: root(p).get_attribute("data-drawn") != before)


def shown(page: Chrome, table: str) -> list[WebElement]:
    found = page.find_elements(By.CSS_SELECTOR, f"{table} tbody tr")
    return [row for row in found if row.is_displayed()]


def errors(page: Chrome) -> list[Any]:
    return [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE"]


def test_every_chart_is_drawn_without_an_error(page: Chrome) -> None:
    for figure in page.find_elements(By.CSS_SELECTOR, "[data-chart]"):
        assert figure.find_elements(By.CSS_SELECTOR, ".screen svg g"), figure.get_attribute("id")
    assert errors(page) == []


def test_nothing_is_fetched(page: Chrome, address: str) -> None:
    choose(page, "phase", "train")
    page.find_element(By.ID, "theme").click()
    drawn(page)
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]
    assert address in asked
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []


def test_markup_in_names_is_shown_and_not_run(page: Chrome) -> None:
    assert page.execute_script("return window.hit") is None
    text = page.find_element(By.ID, "verdicts").text
    assert EVIL in text and NETWORK in text
    chart = page.find_element(By.CSS_SELECTOR, "#chart-speed svg")
    assert EVIL in chart.text.replace("\n", "") or "<script>" in chart.get_attribute("textContent")
    assert page.find_elements(By.CSS_SELECTOR, "main script, main [onerror]") == []


def test_filters_narrow_verdicts_tables_and_charts(page: Chrome) -> None:
    assert len(shown(page, "#table-times")) == 12 and len(shown(page, ".verdicts")) == 4
    choose(page, "model", "lenet5")
    choose(page, "framework", "torch")
    choose(page, "framework", "jax")
    rows = shown(page, "#table-times")
    assert len(rows) == 4 and len(shown(page, ".verdicts")) == 2
    assert {row.get_attribute("data-framework") for row in rows} == {"torch", "jax"}
    text = page.find_element(By.CSS_SELECTOR, "#chart-speed .screen").get_attribute("textContent")
    assert "torch" in text and "lenet5" in text and NETWORK not in text and EVIL not in text
    assert page.find_element(By.CSS_SELECTOR, "[data-filter=framework] .chosen").text == "2"
    menu = page.find_element(By.CSS_SELECTOR, "[data-filter=framework]")
    menu.find_element(By.TAG_NAME, "summary").click()
    menu.find_element(By.CLASS_NAME, "all").click()
    assert len(shown(page, "#table-times")) == 6
    assert errors(page) == []


def test_a_choice_that_nothing_matches_says_so(page: Chrome) -> None:
    choose(page, "framework", "caffe")
    assert shown(page, "#table-times") == []
    assert page.find_element(By.CSS_SELECTOR, "#table-times .none").is_displayed()
    assert "Nothing to draw" in page.find_element(By.CSS_SELECTOR, "#chart-memory .screen").text


def test_a_row_opens_its_samples(page: Chrome) -> None:
    row = page.find_element(By.CSS_SELECTOR, "tr.opens")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", row)
    button = row.find_element(By.TAG_NAME, "button")
    button.click()
    WebDriverWait(page, 30).until(lambda p: p.find_elements(By.CSS_SELECTOR, "tr.samples svg"))
    opened = page.find_element(By.CSS_SELECTOR, "tr.samples")
    assert "All 27 samples" in opened.text
    dots = opened.find_elements(By.CSS_SELECTOR, "svg .mark-symbol path")
    assert len(dots) == 27
    link = opened.find_element(By.TAG_NAME, "a").get_attribute("href") or ""
    assert link.startswith("file:") and link.endswith(".csv")
    button.click()
    assert page.find_elements(By.CSS_SELECTOR, "tr.samples") == []
    assert errors(page) == []


def test_a_verdict_leads_to_its_row(page: Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, ".verdicts .chips a.chip").click()
    WebDriverWait(page, 30).until(lambda p: p.find_elements(By.CSS_SELECTOR, "tr.samples"))
    assert page.find_element(By.CSS_SELECTOR, "tr:target .open").is_displayed()


def test_a_click_on_a_heading_sorts(page: Chrome) -> None:
    def column() -> list[float]:
        cells = [r.find_elements(By.TAG_NAME, "td")[3] for r in shown(page, "#table-times")]
        return [float(cell.get_attribute("data-value") or "nan") for cell in cells]

    head = page.find_elements(By.CSS_SELECTOR, "#table-times th button")[3]
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", head)
    head.click()
    assert column() == sorted(column())
    head.click()
    assert column() == sorted(column(), reverse=True)


def test_light_and_dark(page: Chrome) -> None:
    def ground() -> Any:
        return page.execute_script("return getComputedStyle(document.body).backgroundColor")

    light = ground()
    page.find_element(By.ID, "theme").click()
    drawn(page)
    assert root(page).get_attribute("data-theme") == "dark" and ground() != light
    assert errors(page) == []


def test_paper_is_light_and_has_every_chart(page: Chrome) -> None:
    page.find_element(By.ID, "theme").click()
    drawn(page)
    figures = page.find_elements(By.CSS_SELECTOR, "[data-chart]")
    for figure in figures:
        assert not figure.find_element(By.CSS_SELECTOR, ".paper").is_displayed()
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert not page.find_element(By.CLASS_NAME, "bar").is_displayed()
        for figure in figures:
            assert figure.find_element(By.CSS_SELECTOR, ".paper").is_displayed()
            assert figure.find_elements(By.CSS_SELECTOR, ".paper svg g")
            assert not figure.find_element(By.CSS_SELECTOR, ".screen").is_displayed()
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
