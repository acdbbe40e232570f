"""Signed tokens: they name a row, and only as long as nobody touches them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.links import sign, verify

KEY = b"k" * 32


@given(number=st.integers(0, 2**63 - 1))
def test_a_token_names_its_row_and_fits_into_an_address(number: int) -> None:
    token = sign(KEY, "unsubscribe", number)

    assert verify(KEY, "unsubscribe", token) == number
    assert token.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    ("key", "purpose"), [(b"x" * 32, "unsubscribe"), (KEY, "preferences")]
)
def test_a_token_of_another_key_or_purpose_is_none(key: bytes, purpose: str) -> None:
    assert verify(key, purpose, sign(KEY, "unsubscribe", 7)) is None


@given(text=st.text())
def test_any_other_text_is_no_token(text: str) -> None:
    assert verify(KEY, "unsubscribe", text) is None


@given(data=st.data())
def test_a_changed_letter_breaks_a_token(data: st.DataObject) -> None:
    token = sign(KEY, "unsubscribe", 7)
    # The last letter carries two bits that no byte has.
    place = data.draw(st.integers(0, len(token) - 2))
    letter = "A" if token[place] != "A" else "B"

    changed = token[:place] + letter + token[place + 1 :]

    assert verify(KEY, "unsubscribe", changed) is None
