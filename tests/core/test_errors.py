from __future__ import annotations

import pytest

from core.errors import (
    DeliveryError,
    Problem,
    RapportError,
    RateLimited,
    did_you_mean,
    nearest,
)


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("prot", ["host", "port"], "port"),
        # Capital letters are no difference worth a mistake.
        ("PORT", ["host", "port"], "port"),
        # Nothing is near enough to be meant.
        ("zebra", ["host", "port"], None),
        ("port", [], None),
    ],
)
def test_finds_the_word_that_was_meant(
    word: str, known: list[str], expected: str | None
) -> None:
    assert nearest(word, known) == expected


def test_suggests_the_nearest_word() -> None:
    assert did_you_mean("naem", ["name", "url"]) == "Did you mean `name`?"


def test_suggests_nothing_far_away() -> None:
    assert did_you_mean("zebra", ["name", "url"]) is None


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("a number is expected"), "a number is expected"),
        (Problem("a number", "x"), "a number (found: x)"),
        (Problem("a number", file="a.yaml"), "a.yaml: a number"),
        (Problem("a number", "x", "a.yaml", 3, 7), "a.yaml:3:7: a number (found: x)"),
        (Problem("a number", hint="Write 3."), "a number\n  Write 3."),
    ],
)
def test_a_problem_says_place_value_and_hint(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_an_error_tells_every_problem() -> None:
    error = RapportError(Problem("one"), Problem("two", file="b.yaml"))

    assert str(error) == "one\nb.yaml: two"


def test_a_rate_limit_is_worth_another_try() -> None:
    error = RateLimited(retry_after_seconds=3.5)

    assert isinstance(error, DeliveryError)
    assert (error.permanent, error.uncertain) == (False, False)
    assert error.retry_after_seconds == 3.5
