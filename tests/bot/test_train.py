from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bot import artefact
from bot.embedder import make_embedder
from bot.lesson import Lesson
from bot.train import (
    Report,
    Task,
    Wording,
    auroc,
    choose_thresholds,
    train,
    train_in_child,
)
from bot.understand import Understander, load_model
from bot.view import WORDS_C
from bot.words import Kind
from content.articles import load_knowledge
from core.errors import DataError, SettingsError
from core.settings import ROOT

SOME = ("order-tracking", "how-to-return", "invoice", "size-guide")


def task_of(articles: tuple[str, ...], embedder: str) -> Task:
    wordings = tuple(
        Wording(text, article)
        for text, article in load_knowledge().wordings()
        if article is None or article in articles
    )
    return Task(wordings, embedder, content_hash="abc")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Words alone, so that training takes a second."""
    return train(task_of(SOME, "none"), tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Both models on four articles, trained as the program does it."""
    return train_in_child(task_of(SOME, "use"), tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def understander(full: Report) -> Understander:
    return load_model(Path(full.directory), expected_sha256=full.sha256)


@pytest.fixture
def copy(plain: Report, tmp_path: Path) -> Path:
    """A model that may be damaged."""
    for name in (artefact.ARRAYS, artefact.MANIFEST):
        (tmp_path / name).write_bytes((Path(plain.directory) / name).read_bytes())
    return tmp_path


# What is learnt.


@pytest.mark.parametrize(
    ("text", "language", "article"),
    [
        ("where is the parcel now?", "en", "order-tracking"),
        ("wheres my trackign link", "en", "order-tracking"),  # typing mistakes
        ("I would like to send these shoes back", "en", "how-to-return"),
        ("可以给我开张发票吗", "zh", "invoice"),
        ("我平时穿 M，这件要多大", "zh", "size-guide"),
    ],
)
def test_an_unseen_question_finds_its_article(
    understander: Understander, text: str, language: str, article: str
) -> None:
    found = understander.understand(text)

    assert (found.language, found.candidates[0].article) == (language, article)


@pytest.mark.parametrize(
    "text", ["Who painted the Mona Lisa?", "长江有多长", "qwertz uiop", "!?"]
)
def test_what_no_article_answers_is_not_answered(
    understander: Understander, text: str
) -> None:
    assert understander.understand(text).kind is Kind.UNKNOWN


def test_a_known_wording_is_answered(understander: Understander) -> None:
    found = understander.understand("How can I track my order?")

    assert (found.kind, found.article) == (Kind.ANSWER, "order-tracking")


def test_candidates_are_sorted_and_at_most_three(understander: Understander) -> None:
    scores = [c.score for c in understander.understand("my order").candidates]

    assert scores == sorted(scores, reverse=True)
    assert 1 <= len(scores) <= 3


def test_a_chinese_question_finds_an_english_article(tmp_path: Path) -> None:
    task = task_of(SOME, "use")
    english = tuple(w for w in task.wordings if w.text.isascii())
    report = train(Task(english), tmp_path)

    found = load_model(Path(report.directory)).understand("我想查一下包裹的物流信息")

    assert found.language == "zh"
    assert found.candidates[0].article == "order-tracking"


def test_serving_and_training_give_the_same_scores(plain: Report) -> None:
    """The arrays served by numpy agree with scikit-learn's own prediction."""
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    from bot.tokens import character_features, word_features

    lesson = Lesson.of(task_of(SOME, "none"))
    parts = [
        TfidfVectorizer(analyzer=analyse, sublinear_tf=True, dtype=np.float32)
        for analyse in (word_features, character_features)
    ]
    matrix = sparse.hstack([part.fit_transform(lesson.texts) for part in parts])
    model = LogisticRegression(C=WORDS_C, max_iter=1000, tol=1e-3)
    model.fit(matrix.tocsr(), lesson.labels)
    asked = "tracking number for my return 退货"
    expected = model.decision_function(
        sparse.hstack([p.transform([asked]) for p in parts])
    )

    served = load_model(Path(plain.directory))
    assert served._model is not None
    assert served._model._by_words(asked) == pytest.approx(expected[0], abs=1e-3)


def test_the_same_task_makes_the_same_model(plain: Report, tmp_path: Path) -> None:
    again = train(task_of(SOME, "none"), tmp_path)

    assert again.metrics == plain.metrics
    assert again.thresholds == plain.thresholds


def test_two_articles_without_examples_of_anything_else(tmp_path: Path) -> None:
    wordings = [w for w in task_of(SOME[:2], "none").wordings if w.article]

    report = train(Task(tuple(wordings), "none"), tmp_path)

    assert "out_of_scope_auroc" not in report.metrics
    found = load_model(tmp_path).understand("tracking number")
    assert found.candidates[0].article == "order-tracking"


# What is measured.


def test_the_report_holds_what_a_lead_asks_for(full: Report) -> None:
    names = {
        "accuracy",
        "accuracy_en",
        "accuracy_zh",
        "accuracy_words",
        "accuracy_meaning",
        "answered_ratio",
        "precision",
        "out_of_scope_auroc",
        "out_of_scope_answered_ratio",
    }

    assert names <= set(full.metrics)
    assert full.metrics["precision"] >= 0.95
    assert full.metrics["accuracy"] > 0.8


def test_the_manifest_says_what_the_model_is(full: Report) -> None:
    manifest, _ = artefact.load(Path(full.directory))

    assert manifest.articles == tuple(sorted(SOME))
    assert manifest.languages["invoice"] == ("en", "zh")
    assert (manifest.embedder, manifest.content_hash) == ("use", "abc")


def test_thresholds_keep_the_wanted_precision() -> None:
    # Scores .9 .8 .7 .6: right, right, wrong, right; one row out of scope at .75.
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.25, 0.75]])
    labels = np.array([0, 0, 0, 0, 2])

    assert choose_thresholds(scores, labels, 0.95).answer == 0.8
    assert choose_thresholds(scores, labels, 0.6).answer == 0.6


def test_what_is_less_probable_than_the_rest_is_no_answer() -> None:
    scores = np.array([[0.4, 0.3, 0.3], [0.08, 0.05, 0.05]])

    thresholds = choose_thresholds(scores, np.array([0, 0]), 0.95)

    assert (thresholds.answer, thresholds.suggest) == (0.5, 0.1)


def test_the_bot_never_answers_where_the_promise_can_not_be_kept() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2]])

    thresholds = choose_thresholds(scores, np.array([1, 1]), 0.95)

    assert thresholds.answer > 1
    assert thresholds.suggest == 0.8  # two titles hold the right one


def test_titles_are_not_shown_where_they_are_mostly_wrong() -> None:
    scores = np.array([[0.9, 0.1], [0.5, 0.5], [0.4, 0.6]])

    thresholds = choose_thresholds(scores, np.array([0, 2, 2]), 0.95)

    assert thresholds.suggest == thresholds.answer == 0.9


def test_auroc_counts_ties_as_half() -> None:
    # Of the four pairs two are above, one is equal, one is below.
    assert auroc(np.array([3.0, 1.0]), np.array([1.0, 2.0])) == 0.625


# What is refused.


@pytest.mark.parametrize(
    "wordings",
    [
        (),
        (Wording("a", "one"), Wording("b", "one")),
        (Wording("a", "one"), Wording("b", "one"), Wording("c", "two")),
    ],
)
def test_too_little_to_learn_from_is_refused(
    tmp_path: Path, wordings: tuple[Wording, ...]
) -> None:
    with pytest.raises(DataError, match="at least two"):
        train(Task(wordings, "none"), tmp_path)


def test_the_childs_error_reaches_the_caller(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least two articles"):
        train_in_child(Task((), "none"), tmp_path)


@pytest.mark.parametrize("name", [artefact.ARRAYS, artefact.MANIFEST])
def test_a_missing_file_is_refused_with_the_cure(copy: Path, name: str) -> None:
    (copy / name).unlink()

    with pytest.raises(DataError, match="rapport knowledge push"):
        load_model(copy)


def test_changed_arrays_are_refused(copy: Path) -> None:
    file = copy / artefact.ARRAYS
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    with pytest.raises(DataError, match=r"arrays of the manifest are expected"):
        load_model(copy)


def test_a_changed_manifest_is_refused(copy: Path, plain: Report) -> None:
    file = copy / artefact.MANIFEST
    file.write_text(file.read_text() + " ")

    with pytest.raises(DataError, match="the manifest that training wrote"):
        load_model(copy, expected_sha256=plain.sha256)


@pytest.mark.parametrize(
    "change",
    [{"format": 0}, {"format": "1"}, {"sharpness": None, "extra": 1}, {"articles": 1}],
)
def test_a_manifest_of_another_form_is_refused(
    copy: Path, change: dict[str, object]
) -> None:
    file = copy / artefact.MANIFEST
    file.write_text(json.dumps(json.loads(file.read_text()) | change))

    with pytest.raises(DataError, match=r"manifest\.json"):
        load_model(copy)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_manifest_that_is_none_is_refused(copy: Path, text: str) -> None:
    (copy / artefact.MANIFEST).write_text(text)

    with pytest.raises(DataError, match=r"manifest\.json"):
        load_model(copy)


def test_pickled_objects_are_refused(copy: Path) -> None:
    import hashlib
    import io

    buffer = io.BytesIO()
    np.savez(buffer, evil=np.array([{"a": 1}], dtype=object))
    (copy / artefact.ARRAYS).write_bytes(buffer.getvalue())
    manifest = json.loads((copy / artefact.MANIFEST).read_text())
    manifest["arrays_sha256"] = hashlib.sha256(buffer.getvalue()).hexdigest()
    (copy / artefact.MANIFEST).write_text(json.dumps(manifest))

    with pytest.raises(DataError, match=r"arrays\.npz"):
        load_model(copy)


def test_an_unknown_embedder_is_named_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean `use`"):
        make_embedder("uses")


def test_serving_does_not_import_scikit_learn(full: Report) -> None:
    code = (
        "import sys; from pathlib import Path; from bot.understand import load_model; "
        f"load_model(Path({full.directory!r})).understand('where is my order'); "
        "print([m for m in ('sklearn', 'scipy', 'pandas') if m in sys.modules])"
    )

    child = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout.strip() == "[]"
