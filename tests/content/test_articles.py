from __future__ import annotations

from pathlib import Path

import pytest

from content.articles import (
    DIRECTORY,
    LANGUAGES,
    Article,
    ArticleText,
    Knowledge,
    check_article,
    dump_article,
    fill_answer,
    load_knowledge,
)
from core.errors import DataError, Problem

GOOD = """\
topic: delivery
en:
  title: Track my parcel
  answer: The link is in our mail.
  questions:
    - Where is my parcel?
    - How can I track it?
    - tracking number
"""


def problems_of(folder: Path, **files: str) -> list[Problem]:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_knowledge(folder)
    return list(caught.value.problems)


@pytest.fixture(scope="module")
def shipped() -> Knowledge:
    return load_knowledge()


def test_ships_at_least_28_articles_in_both_languages(shipped: Knowledge) -> None:
    assert len(shipped.articles) >= 28
    assert all(set(a.texts) == set(LANGUAGES) for a in shipped.articles.values())


def test_shipped_articles_have_many_wordings(shipped: Knowledge) -> None:
    counts = [
        len(text.questions)
        for a in shipped.articles.values()
        for text in a.texts.values()
    ]

    assert min(counts) >= 8


def test_shipped_answers_are_short_and_in_their_language(shipped: Knowledge) -> None:
    chinese = [a.texts["zh"].answer for a in shipped.articles.values()]
    english = [a.texts["en"].answer for a in shipped.articles.values()]

    assert all("。" in answer and len(answer) < 120 for answer in chinese)
    assert all(answer.isascii() and len(answer) < 320 for answer in english)


def test_ships_out_of_scope_questions_in_both_languages(shipped: Knowledge) -> None:
    assert {key: len(rows) for key, rows in shipped.out_of_scope.items()} == {
        "en": 60,
        "zh": 60,
    }


def test_an_article_survives_json(shipped: Knowledge) -> None:
    again = Knowledge.from_json(shipped.to_json())

    assert again == shipped
    assert again.content_hash == shipped.content_hash


def test_an_article_survives_its_file(shipped: Knowledge, tmp_path: Path) -> None:
    article = shipped.articles["how-to-return"]
    (tmp_path / "how-to-return.yaml").write_text(dump_article(article), "utf-8")

    assert load_knowledge(tmp_path).articles["how-to-return"] == article


def test_the_hash_changes_with_one_word(shipped: Knowledge) -> None:
    article = shipped.articles["invoice"]
    changed = Article(article.key, "other", article.texts)

    assert changed.content_hash != article.content_hash


def test_a_title_is_learnt_as_a_wording(shipped: Knowledge) -> None:
    assert ("Track my parcel", "order-tracking") in set(shipped.wordings())


def test_a_missing_language_is_answered_in_the_first() -> None:
    text = ArticleText("Title", "Answer.", ("a", "b", "c"))

    assert Article("key", "topic", {"en": text}).text("zh") is text


def test_an_answer_names_the_shop() -> None:
    answer = "Write to {{ company.support_email }} or {{company.name}}."

    filled = fill_answer(answer, {"support_email": "a@b.example", "name": "{{ x }}"})

    assert filled == "Write to a@b.example or {{ x }}."


def test_one_question_in_two_articles_names_both_places(tmp_path: Path) -> None:
    other = GOOD.replace("- tracking number", "- where is my PARCEL")
    other = other.replace("Where is my parcel?", "lost").replace("How can", "Why can")

    [problem] = problems_of(tmp_path, first=GOOD, second=other)

    assert (Path(str(problem.file)).name, problem.line) == ("second.yaml", 8)
    assert "first.yaml:6" in str(problem.hint)


def test_a_question_twice_in_one_article_is_refused(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, a=f"{GOOD}    - Tracking number!\n")

    assert problem.line == 9


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        # A heading that isn't known, with the nearest one.
        ("topic:", "topik:", 1, "Did you mean `topic`?"),
        ("answer:", "anser:", 4, "Did you mean `answer`?"),
        # A language of which the program knows nothing.
        ("en:", "en-:", 2, "Did you mean `en`?"),
        # Too few wordings.
        ("    - tracking number\n", "", 5, "at least 3 questions"),
        # A blank wording.
        ("- tracking number", '- ""', 8, "a text is expected"),
        # A variable that nobody fills in.
        ("our mail", "{{ company.mail }}", 4, "company.mail"),
        # A title that is no button any more.
        ("Track my parcel", "Track " * 20, 3, "at most 60"),
        # An answer that is a book.
        ("our mail", "x" * 2000, 4, "at most 1500"),
        # Questions that are no list.
        ("questions:\n    - Where", "questions: Where\nx:\n    - Where", 5, "a list"),
        # Not YAML.
        ("topic: delivery", "topic: [a", 2, "not valid YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    problems = problems_of(tmp_path, a=GOOD.replace(old, new))

    assert (line, True) in [(p.line, said in str(p)) for p in problems]


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "topic: x\n", "en: text\n"])
def test_what_is_no_article_is_refused(tmp_path: Path, text: str) -> None:
    assert problems_of(tmp_path, a=text)


def test_a_key_is_small_letters_digits_and_dashes(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path, My_Article=GOOD)

    assert problem.value == "My_Article"


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    [problem] = problems_of(tmp_path)

    assert problem.file == tmp_path


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(DataError, match="UTF-8"):
        load_knowledge(tmp_path)


def test_an_edited_article_is_checked_against_the_others(shipped: Knowledge) -> None:
    text = ArticleText("Title", "Answer.", ("Where is my parcel right now", "b", "c"))

    [problem] = check_article(
        Article("new", "x", {"en": text}), shipped.articles.values()
    )

    assert "order-tracking.yaml" in str(problem.hint)


def test_an_unchanged_article_has_no_problem(shipped: Knowledge) -> None:
    article = shipped.articles["invoice"]

    assert check_article(article, shipped.articles.values()) == []


def test_the_shipped_directory_is_the_default(shipped: Knowledge) -> None:
    assert load_knowledge(DIRECTORY) == shipped
