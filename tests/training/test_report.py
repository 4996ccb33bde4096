"""The page as a parser reads it: complete, self-contained, and with every foreign word as text."""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from lenrek.data.source import Problem
from lenrek.errors import CheckpointError
from lenrek.training.evaluation import Evaluation, evaluate_posteriors, worst_mistakes
from lenrek.training.report import DataSummary, Mistake, RunRecord, write_report
from lenrek.training.report.charts import Curve, line_chart
from lenrek.training.report.confusion import confusion_rows
from lenrek.training.report.page import charts, flattened, headline_split, weakest_first
from lenrek.training.report.reliability import calibration_sentence, reliability_diagram

HOSTILE = "</style><script>alert(1)</script><img src=http://x/y onerror=alert(2)>"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Tags opened, attributes, and visible text; knows when tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.tags if attribute in attributes]

    def count(self, tag: str) -> int:
        return sum(found == tag for found, _ in self.tags)


def evaluation(num_classes: int, num_samples: int = 200) -> tuple[Evaluation, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(num_classes)
    labels = rng.integers(0, num_classes, num_samples)
    scores = rng.normal(size=(num_samples, num_classes)) + 2.5 * np.eye(num_classes)[labels]
    posteriors = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return evaluate_posteriors(posteriors, labels, [f"class {c}" for c in range(num_classes)]), posteriors, labels


def record(num_classes: int = 4, size: tuple[int, ...] = (8, 6), **changes) -> RunRecord:
    """A run of four epochs; `changes` replace fields."""
    measured, posteriors, labels = evaluation(num_classes)
    kind = {1: "signal", 2: "image", 3: "volume"}[len(size)]
    rows = [(1, 2.0, 0.3, 1.9, 0.35), (2, 1.0, 0.6, 1.1, 0.55), (3, 0.4, 0.8, 0.7, 0.75), (4, 0.1, 0.95, 0.8, 0.7)]
    columns = ("epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    mistakes = [
        Mistake(np.full((1, *size), 9, np.uint8), f"test/{index}.png", int(labels[index]), posteriors[index])
        for index in worst_mistakes(posteriors, labels, limit=5)
    ]
    made = RunRecord(
        title="lenet5 on digits",
        config={"seed": 0, "optimizer": {"name": "sgd", "nesterov": True}, "ema": None, "dropout": 0.0, "rate": 1},
        history=[dict(zip(columns, row, strict=True)) | {"learning_rate": 0.1, "samples_per_s": 900.0} for row in rows],
        evaluations={"validation": measured, "test": measured},
        data=DataSummary("digits", kind, {"train": 1257, "test": 200}, 1, size, steps=["Cut in half."]),
        classes=measured.classes,
        versions={"torch": "2.13.0"},
        machine="2 cores",
        parameters=61706,
        time_s=83.0,
        mistakes=mistakes,
        filters=np.ones((6, 1, *(3 for _ in size)), np.float32),
        command="lenrek train digits --epochs 4",
        best_epoch=3,
    )
    return replace(made, **changes)


def written(tmp_path, made: RunRecord) -> Page:
    path = write_report(tmp_path / "report.html", made)
    page = Page(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


@pytest.mark.parametrize("size", [(50,), (8, 6), (4, 5, 6)])
@pytest.mark.parametrize("num_classes", [2, 4, 33])
def test_every_section_is_there_in_every_dimension(tmp_path, size, num_classes):
    made = record(num_classes, size)
    page = written(tmp_path, made)
    sections = ["learning", "figures", "confusion", "classes", "calibration", "mistakes", "filters", "data", "run"]
    assert [value for value in page.values("id")] == sections
    assert [value for value in page.values("href")] == [f"#{name}" for name in sections]
    assert page.count("h1") == 1
    measured = made.evaluations["test"]
    low, high = (f"{100 * share:.1f} %" for share in measured.accuracy_interval)
    headline = f"{100 * measured.accuracy:.1f} % of 200 test {made.data.kind}s are classified right"
    assert f"{headline} ( 95 % interval {low} to {high} )." in page.text
    for mistake in made.mistakes:
        assert mistake.name in page.text
    for phrase in ("3 of 4", "61,706", "1 min 23 s", "Cut in half.", "lenrek train digits --epochs 4", "torch 2.13.0"):
        assert phrase in page.text


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(tmp_path):
    page = written(tmp_path, record())
    assert page.count("script") == page.count("link") == page.count("iframe") == 0
    assert page.values("src") != []
    assert all(source.startswith("data:image/png;base64,") for source in page.values("src"))
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert policy in page.values("content")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "url(" not in text
    assert "@import" not in text


def test_every_picture_says_what_it_shows(tmp_path):
    page = written(tmp_path, record())
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert all(attributes.get("aria-label") for tag, attributes in page.tags if tag == "svg")


def test_hostile_words_are_text_wherever_they_come_from(tmp_path):
    measured, posteriors, labels = evaluation(4)
    names = [HOSTILE, *measured.classes[1:]]
    hostile = evaluate_posteriors(posteriors, labels, names)
    made = record(
        title=HOSTILE,
        classes=names,
        evaluations={"test": hostile},
        config={HOSTILE: HOSTILE},
        command=HOSTILE,
        machine=HOSTILE,
        versions={HOSTILE: HOSTILE},
        data=DataSummary(
            HOSTILE, "image", {HOSTILE: 3}, 1, (8, 6), [Problem("damaged", HOSTILE, (HOSTILE, HOSTILE))], [HOSTILE]
        ),
        mistakes=[Mistake(np.zeros((1, 3, 3), np.uint8), HOSTILE, 0, posteriors[0])],
    )
    page = written(tmp_path, made)
    assert page.count("script") == 0
    assert page.values("onerror") == []
    assert all(source.startswith("data:") for source in page.values("src"))
    assert page.text.count("<script>alert(1)</script>") > 12


def test_a_file_name_that_is_not_utf_8_is_written_as_escapes(tmp_path):
    _, posteriors, _ = evaluation(4)
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    made = record(mistakes=[Mistake(np.zeros((1, 3, 3), np.uint8), name, 0, posteriors[0])], command=f"train {name}")
    text = written(tmp_path, made).text
    assert r"caf\xe9.png" in text
    assert r"train caf\udce9.png" in text


def test_only_what_was_measured_is_shown(tmp_path):
    made = record(evaluations={}, history=[], mistakes=[], filters=None, command=None, best_epoch=None)
    page = written(tmp_path, made)
    assert page.values("id") == ["data", "run"]
    assert "This run was not evaluated." in page.text
    assert "Nothing." in page.text


def test_without_a_test_set_the_page_says_what_validation_is_worth(tmp_path):
    measured, _, _ = evaluation(4)
    page = written(tmp_path, record(evaluations={"validation": measured}))
    assert "200 validation images" in page.text
    assert "these samples also chose the epoch that was kept" in page.text


def test_the_test_set_makes_the_headline():
    measured, _, _ = evaluation(4)
    assert headline_split(record(evaluations={"test": measured, "validation": measured})) == "test"
    assert headline_split(record(evaluations={"a": measured, "b": measured})) == "b"
    assert headline_split(record(evaluations={})) is None


def test_a_perfect_network_has_no_mistakes_and_absent_classes_a_dash(tmp_path):
    perfect = evaluate_posteriors(np.eye(3)[[0, 1, 1]], np.array([0, 1, 1]), ["a", "b", "never seen"])
    page = written(tmp_path, record(evaluations={"test": perfect}, classes=perfect.classes, mistakes=[]))
    assert "Nothing: every test image is right." in page.text
    assert "never seen – – – 0" in page.text


def test_problems_name_their_samples_and_count_the_rest(tmp_path):
    problem = Problem("duplicate", "Many are equal.", tuple(f"{index}.jpg" for index in range(33)))
    data = replace(record().data, problems=[problem, Problem("damaged", "7.jpg is cut short.", ("7.jpg",))])
    text = written(tmp_path, record(data=data)).text
    assert "33 names 0.jpg , 1.jpg" in text
    assert "19.jpg and 13 more" in text
    assert "7.jpg is cut short. The run" in text  # the message names it already


def test_settings_keep_their_values():
    assert list(flattened(record().config)) == [
        ("seed", "0"),
        ("optimizer.name", "sgd"),
        ("optimizer.nesterov", "yes"),
        ("ema", "none"),
        ("dropout", "0.0"),
        ("rate", "1"),
    ]


def test_the_posteriors_of_a_mistake_always_hold_the_truth(tmp_path):
    made = record(
        num_classes=6,
        mistakes=[Mistake(np.zeros((1, 3, 3), np.uint8), "x.png", 5, np.array([0.4, 0.3, 0.15, 0.1, 0.04, 0.01]))],
    )
    page = written(tmp_path, made)
    bars = [attributes["class"] for tag, attributes in page.tags if tag == "li" and "class" in attributes]
    assert bars == ["said", "other", "other", "truth"]
    assert "class 0 40.0 % class 1 30.0 % class 2 15.0 % class 5 1.0 %" in page.text


def test_a_path_that_cannot_be_written_is_a_clear_error(tmp_path):
    with pytest.raises(CheckpointError):
        write_report(tmp_path / "absent" / "report.html", record())


def test_curves_lie_where_their_values_say():
    chart = ElementTree.fromstring(
        line_chart("Loss", [1, 2, 3], [Curve("train", [0.0, 1.0, 0.5]), Curve("validation", [None] * 3)], str)
    )
    (line,) = (part for part in chart.iter("path"))
    assert line.attrib["d"] == "M48 226L207 22L366 124"
    assert chart.attrib["aria-label"] == "Loss per epoch: train from 0.0 to 0.5."


def test_a_wide_range_gets_a_logarithmic_axis_only_where_it_may():
    curves = [Curve("train", [10.0, 1.0, 0.1])]
    middle = {
        may: ElementTree.fromstring(line_chart("Loss", [1, 2, 3], curves, str, may_be_log=may)).find(".//path")
        for may in (True, False)
    }
    assert middle[True].attrib["d"] == "M48 22L207 124L366 226"
    assert middle[False].attrib["d"] != middle[True].attrib["d"]


def test_values_that_are_not_finite_leave_a_gap():
    curve = Curve("train", [3.0, 2.0, float("nan"), 1.0, 2.0])
    chart = ElementTree.fromstring(line_chart("Loss", [1, 2, 3, 4, 5], [curve], str))
    assert [part.attrib["d"].count("L") for part in chart.iter("path")] == [1, 1]
    assert line_chart("Loss", [1], [Curve("train", [float("inf")])], str) == ""


def test_one_epoch_is_a_dot():
    drawn = dict(charts(record(history=record().history[:1], best_epoch=1)))
    assert list(drawn) == ["Loss", "Accuracy", "Learning rate", "Images per second"]
    assert len(list(ElementTree.fromstring(drawn["Loss"]).iter("circle"))) == 2


def test_no_tick_of_an_accuracy_is_above_one():
    history = [{"epoch": epoch, "train_accuracy": value} for epoch, value in ((1, 1.0), (2, 1.0))]
    chart = dict(charts(record(history=history, best_epoch=None)))["Accuracy"]
    ticks = [float(text.text.split()[0]) for text in ElementTree.fromstring(chart).iter("text") if "%" in text.text]
    assert max(ticks) == 100


def test_confusion_cells_count_and_shade():
    measured = evaluate_posteriors(np.eye(2)[[0, 0, 0, 1, 1]], np.array([0, 0, 0, 0, 1]), ["cat", "dog"])
    (cat, (hit, miss)), (dog, (none, all_right)) = confusion_rows(measured)
    assert (cat, hit.count, hit.depth, hit.right) == ("cat", 3, pytest.approx(0.75**0.5), True)
    assert (miss.count, miss.depth, miss.right, miss.meaning) == (1, 0.5, False, "cat called dog: 1")
    assert (dog, none.count, none.depth, all_right.depth) == ("dog", 0, 0, 1)


def test_the_weakest_class_comes_first_and_absent_ones_last():
    predicted, labels = np.array([0, 1, 1, 2]), np.array([0, 0, 1, 2])
    measured = evaluate_posteriors(np.eye(4)[predicted], labels, ["fine", "weak", "best", "absent"])
    order = [scores.name for scores in weakest_first(measured)]
    assert order == ["fine", "weak", "best", "absent"]


def test_reliability_bars_are_as_high_as_the_accuracy_of_their_bin():
    posteriors = np.array([[0.55, 0.45]] * 4 + [[0.95, 0.05]] * 20)
    labels = np.array([0, 0, 0, 1] + [0] * 10 + [1] * 10)
    measured = evaluate_posteriors(posteriors, labels, "ab")
    diagram = ElementTree.fromstring(reliability_diagram(measured.calibration_bins))
    heights = [float(bar.attrib["height"]) for bar in diagram.iter("rect") if bar.attrib["class"] == "bar"]
    assert heights == [0.75 * 220, 0.5 * 220]
    counts = [float(bar.attrib["height"]) for bar in diagram.iter("rect") if bar.attrib["class"] == "count"]
    assert counts == [10, 50]
    assert [group.attrib.get("class") for group in diagram.iter("g")] == ["few", None]


def test_calibration_in_words():
    right_half = np.arange(100) % 2
    sure = evaluate_posteriors(np.array([[0.9, 0.1]] * 100), right_half, "ab")
    unsure = evaluate_posteriors(np.array([[0.6, 0.4]] * 100), 0 * right_half, "ab")
    few = evaluate_posteriors(np.array([[0.9, 0.1]] * 4), np.array([0, 0, 1, 0]), "ab")
    assert calibration_sentence(sure) == (
        "On average the network claims 90.0 % and is right in 50.0 %: overall surer than it should be. "
        "Calibration error 40.0 %."
    )
    assert "overall less sure than it should be. Calibration error 40.0 %." in calibration_sentence(unsure)
    assert "overall as sure as it should be, as far as 4 samples can tell." in calibration_sentence(few)
