"""What every form of submission keeps: it is known by its samples, and what it writes is what it allows."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from sweep.datasets.submission import FORMS, SampleContent, Submission, recognise
from sweep.datasets.submission.best import Best
from sweep.datasets.submission.columns import ProbabilityColumns
from sweep.datasets.submission.label import Label
from sweep.datasets.submission.probability import Probability

PLANTS = ("Black-grass", "Fat Hen", "Sugar beet")
DIGITS = tuple(map(str, range(12)))
CACTUS = ("cactus", "no_cactus")
BOTH, PETS = ("0", "1"), ("cat", "dog")
NUMBERED = {"1": "Black-grass", "2": "Fat Hen", "3": "Sugar beet"}


@dataclass(frozen=True)
class Case:
    """A sample and what it asks for; `other` where labels and a probability are both possible."""

    names: str
    cells: str  # of the first row, or rows apart by |
    classes: tuple[str, ...]
    form: object
    other: object = None
    numbers: dict[str, str] = field(default_factory=dict)
    positive: str | None = None


def spelled(*written, classes=PLANTS):
    return Label(dict(zip(classes, written, strict=True)))


CASES = {
    "a label": Case("species", "Sugar beet", PLANTS, Label()),
    "a label of several rows": Case("species", "Sugar beet|Fat Hen", PLANTS, Label()),
    "an empty label": Case("species", "", PLANTS, Label()),
    "a number that no class has yet": Case("predicted", "654", DIGITS, Label()),
    "a number with zeros before it": Case("label", "00", DIGITS, Label({d: d.zfill(2) for d in DIGITS})),
    "a number as a float": Case("label", "0.0", DIGITS, Label({d: f"{d}.0" for d in DIGITS})),
    "two numbers": Case("label", "0|1", BOTH, Label()),
    "a label with a box": Case("PredictionString", "n02 25 40 100 100", ("n01", "n02"), Label(has_boxes=True)),
    "labels in another writing": Case(
        "label", "fat_hen|sugar_beet|black_grass", PLANTS, spelled("black_grass", "fat_hen", "sugar_beet")
    ),
    "a label whose writing tells that of the others": Case(
        "label",
        "Sugar beet",
        ("black_grass", "sugar_beet"),
        Label({"black_grass": "Black grass", "sugar_beet": "Sugar beet"}),
    ),
    "a number for a name": Case("label", "1", PLANTS, spelled("1", "2", "3"), numbers=NUMBERED),
    "a name for a number": Case(
        "label", "Fat Hen", ("1", "2", "3"), spelled(*PLANTS, classes=("1", "2", "3")), numbers=NUMBERED
    ),
    "a number that the column explains": Case(
        "has_cactus", "0", CACTUS, Label({"cactus": "1", "no_cactus": "0"}), Probability("cactus")
    ),
    "zero for one of two numbers": Case("Class", "0", BOTH, Label(), Probability("1")),
    "zero below a target": Case("target", "0", BOTH, Probability("1"), Label()),
    "zero as a float": Case("label", "0.0", BOTH, Probability("1"), Label({"0": "0.0", "1": "1.0"})),
    "a probability": Case("has_cactus", "0.5", BOTH, Probability("1")),
    "a probability of minus one and one": Case("y", "0.5", ("-1", "1"), Probability("1")),
    "a probability in another format": Case("y", "5e-1|.25", BOTH, Probability("1")),
    "a probability that its column names": Case("is_cat", "0.5", PETS, Probability("cat")),
    "a probability of what is not normal": Case("y", "0.5", ("abnormal", "normal"), Probability("abnormal")),
    "a probability that a person names": Case("label", "0.5", PETS, Probability("cat"), positive="cat"),
    "a column a class": Case(
        "Sugar beet,Black-grass,Fat Hen", "0.3,0.3,0.4", PLANTS, ProbabilityColumns([PLANTS[2], *PLANTS[:2]])
    ),
    "columns in another writing": Case(
        "fat_hen,SugarBeet,BLACK GRASS", "0,0,0", PLANTS, ProbabilityColumns([*PLANTS[1:], PLANTS[0]])
    ),
    "columns with a word before": Case(
        "p(fat hen),p(black-grass),p(sugar beet)",
        "1,0,0",
        PLANTS,
        ProbabilityColumns([PLANTS[1], PLANTS[0], PLANTS[2]]),
    ),
    "columns of numbers": Case(
        ",".join(f"class_{d}" for d in DIGITS), ",".join("0" * 12), DIGITS, ProbabilityColumns([*DIGITS])
    ),
    "columns of numbers with zeros": Case(
        ",".join(f"c{d:0>2}" for d in DIGITS), ",".join("0" * 12), DIGITS, ProbabilityColumns([*DIGITS])
    ),
    "columns of numbers for names": Case(
        "1,2,3", "0.3,0.3,0.4", PLANTS, ProbabilityColumns([*PLANTS]), numbers=NUMBERED
    ),
    "a column that no class has": Case(
        "Sugar beet,x,Black-grass,Fat Hen", "0,0,1,0", PLANTS, ProbabilityColumns(["Sugar beet", "", *PLANTS[:2]])
    ),
    "the best labels": Case("Id", "new w_1 w_2 w_3 w_4", ("new", "w_7", "w_8", "w_9", "w_10", "w_11"), Best(5, " ")),
    "the best numbers": Case("predicted", "0 1 2", DIGITS, Best(3, " ")),
    "the best labels after commas": Case("label", "Fat Hen, Sugar beet", PLANTS, Best(2, ", ")),
    "the best labels after bars": Case("label", "Fat Hen|Sugar beet".replace("|", ";"), PLANTS, Best(2, ";")),
    "more best labels than classes": Case("label", "a b c d", ("a", "b", "c"), Best(4, " ")),
}


def shown(case):
    names = tuple(case.names.split(","))
    rows = [row.split(",") if len(names) > 1 else [row] for row in case.cells.split("|")]
    values = tuple(tuple(row[at] for row in rows) for at in range(len(names)))
    return SampleContent(names, values, case.classes, case.numbers, case.positive)


def without_reason(form):
    return Probability(form.of) if isinstance(form, Probability) else form


@pytest.mark.parametrize("name", CASES)
class TestForm:
    def test_it_is_known_by_its_sample(self, name):
        form, other = recognise(shown(CASES[name]))

        assert without_reason(form) == CASES[name].form
        assert (other and without_reason(other)) == CASES[name].other

    def test_what_it_writes_is_what_it_allows(self, name):
        case = CASES[name]
        shares = np.random.default_rng(0).dirichlet(np.full(len(case.classes), 0.3), 40)
        for form in filter(None, recognise(shown(case))):
            cells = form.cells(shares, shares.argmax(axis=1), case.classes)

            assert {len(row) for row in cells} == {form.width}
            assert {form.problem(row, case.classes) for row in cells} == {""}
            assert form.problem(["?"] * form.width, case.classes) != ""
            assert form.sentence()


def test_every_form_has_a_sample():
    assert {type(case.form) for case in CASES.values()} == set(FORMS)


REFUSED = {
    "an unknown word": Case("label", "TODO", PLANTS, "`TODO` for a label, which is none of the 3 classes"),
    "a writing that fits several": Case(
        "label", "Cat", ("cat", "black_grass"), "`Cat` for a label, which is none of the 2 classes"
    ),
    "numbers for names": Case(
        "label", "3|1", PLANTS, "a number such as `3` for a label, and nothing says which class has which number"
    ),
    "a zero for two names": Case("label", "0", PETS, "a number such as `0` for a label"),
    "a probability of three": Case("label", "0.5", PLANTS, "one number, such as `0.5`, for 3 classes"),
    "a class without a column": Case("Sugar beet,Fat Hen,x", "0,0,0", PLANTS, "none is of the class `Black-grass`"),
    "columns of numbers that nothing explains": Case("0,1,2", "0,0,0", PLANTS, "nothing says which class has which"),
    "columns of words": Case("Sugar beet,Black-grass,Fat Hen", "a,b,c", PLANTS, "which hold no numbers"),
    "a label and how sure it is": Case("landmarks", "8815 0.03", PLANTS, "`8815 0.03` for a label"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_known_form_is_said(name):
    assert REFUSED[name].form in recognise(shown(REFUSED[name]))


def test_the_second_class_is_the_positive_one_where_nothing_says_it_and_the_flag_is_named():
    form, _ = recognise(SampleContent(("label",), (("0.5",),), PETS))

    assert form.of == "dog"
    assert "`label` does not say of which class" in form.why
    assert "--positive-class cat" in form.sentence()


@pytest.mark.parametrize(("holds", "kind"), [(None, Probability), ("probability", Probability), ("label", Label)])
def test_where_a_sample_may_ask_for_both_what_the_metric_is_made_of_decides(holds, kind):
    form, other = recognise(shown(CASES["zero below a target"]))
    submission = Submission(("id", "target"), ("a",), (0,), form, other)

    assert isinstance(submission.judged_by(holds).form, kind)
    assert submission.judged_by(holds).other is None


def test_rows_of_many_classes_add_up_to_one():
    classes = tuple(f"class {number}" for number in range(1000))
    shares = np.random.default_rng(0).dirichlet(np.full(1000, 0.01), 20)

    cells = ProbabilityColumns(list(classes)).cells(shares, shares.argmax(axis=1), classes)

    assert max(abs(sum(map(float, row)) - 1) for row in cells) < 1e-7


def test_ids_kept_columns_and_what_is_predicted_stand_where_the_sample_has_them():
    shares = np.array([[0.25, 0.75], [1.0, 0.0]])
    form = Submission(
        ("", "no", "Image", "yes"), ("b;1", "a"), (1, 0), ProbabilityColumns(["x", "y"]), None, 2, {0: ("7", "8")}, ";"
    )

    table = form.table(shares, shares.argmax(axis=1), ("x", "y"))

    assert table.decode().splitlines() == [";no;Image;yes", '7;1;"b;1";0', "8;0.25;a;0.75"]
    assert form.read(table)[1] == ["7", "1", "b;1", "0"]
