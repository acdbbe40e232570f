from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from content.values import BadValue, Moments, Numbers, Scale, seconds


@pytest.mark.parametrize(
    ("worst", "best", "given", "score"),
    [
        (1, 5, "4", 4),
        # 1 + 4 * 7/10 = 3.8
        (0, 10, "7", 4),
        # 1 + 4 * 6/10 = 3.4
        (0, 10, "6", 3),
        # A half is rounded up: 1 + 4 * 0.875 = 4.5.
        (0, 8, "7", 5),
        (0, 1, "0", 1),
        # School marks, 1 being best: 1 + 4 * (2-6)/(1-6) = 4.2.
        (6, 1, "2", 4),
    ],
)
def test_scores_become_ours(worst, best, given, score):
    assert Scale(worst, best).score(Fraction(given), given) == score


@pytest.mark.parametrize("given", ["0", "6"])
def test_a_score_beyond_its_scale_is_wrong(given):
    with pytest.raises(BadValue, match="bad_score"):
        Scale().score(Fraction(given), given)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("90", 90.0),
        ("12.5", 12.5),
        ("2:31", 151.0),
        ("0:02:31", 151.0),
        ("1 day, 0:00:01", 86_401.0),
    ],
)
def test_durations_are_seconds_or_clocks(word, value):
    assert seconds(word, Numbers()) == value


@pytest.mark.parametrize("word", ["-1", "long", "1e99", "99999999999"])
def test_a_wrong_duration_is_told(word):
    with pytest.raises(BadValue, match="bad_duration"):
        seconds(word, Numbers())


@pytest.mark.parametrize(
    ("form", "word", "moment"),
    [
        ("epoch", "1456704960", datetime(2016, 2, 29, 0, 16, tzinfo=UTC)),
        ("epoch_ms", "1456704960000", datetime(2016, 2, 29, 0, 16, tzinfo=UTC)),
        # 42429 is 2016-02-29 in a workbook, and .5 its noon.
        ("excel", "42429.5", datetime(2016, 2, 29, 12, tzinfo=UTC)),
        # A typed date of a workbook comes as ISO, whatever the forms are.
        ("%d/%m/%Y", "2016-02-29 12:00", datetime(2016, 2, 29, 12, tzinfo=UTC)),
    ],
)
def test_moments_of_many_forms(form, word, moment):
    assert Moments((form,), "UTC").moment(word) == moment


@pytest.mark.parametrize("word", ["nan", "1e300", "12-01"])
def test_what_is_no_moment_is_told(word):
    with pytest.raises(BadValue, match="bad_date"):
        Moments(("epoch", "excel"), "UTC").moment(word)


@pytest.mark.parametrize("word", ["€ 1,234.50", "1,234.50 €", "¥1234.5", "1 234.5"])
def test_a_number_may_have_a_currency_sign(word):
    assert Numbers().exact(word) == Fraction("1234.5")
