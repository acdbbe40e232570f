"""Addresses of customers: what can be used, in one form, and what seems mistyped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pandas as pd
import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult
from rapidfuzz.distance import OSA

from analytics.clean_rule import Rule
from analytics.clean_word import country_code
from analytics.frame import require_columns
from core.model import Finding, IdentityKind

IDENTITY = "identity"
COLUMNS = (
    *("identity_id", "customer_id", "kind", "value", "typed", "unreachable_reason"),
    "country",
)
# An address that was set aside carries the rule as the reason, and is judged again.
SET_ASIDE = frozenset(
    {
        Rule.EMAIL_INVALID,
        Rule.PHONE_NOT_A_NUMBER,
        Rule.PHONE_TOO_SHORT,
        Rule.PHONE_TOO_LONG,
        Rule.PHONE_NOT_ASSIGNED,
    }
)
Found = list[Finding]

# Providers of many people's mail, in the countries that we meet.
_PROVIDERS = (
    *("gmail.com", "googlemail.com", "yahoo.com", "yahoo.co.uk", "hotmail.com"),
    *("hotmail.co.uk", "outlook.com", "live.com", "icloud.com", "protonmail.com"),
    *("btinternet.com", "yahoo.de", "hotmail.de", "outlook.de", "t-online.de"),
    *("freenet.de", "yahoo.fr", "hotmail.fr", "orange.fr", "wanadoo.fr", "libero.it"),
    *("163.com", "126.com", "sina.com", "sohu.com", "foxmail.com", "aliyun.com"),
    *("139.com", "189.cn", "yeah.net", "comcast.net", "verizon.net"),
)
# Providers of their own, though they are one sign from another's name.
_REAL = frozenset(
    {
        *_PROVIDERS,
        *("mail.com", "ymail.com", "email.com", "gmx.com", "me.com", "yahoo.it"),
        *("yahoo.es", "yahoo.ca", "yahoo.in", "yahoo.cn", "yahoo.co.jp", "hotmail.it"),
        *("hotmail.es", "outlook.fr", "outlook.es", "outlook.it", "sina.cn", "live.cn"),
        *("live.de", "live.fr", "live.co.uk", "1163.com", "188.com", "136.com"),
    }
)
# Files repeat their words, but not all of them: so many are kept.
WORDS_KEPT = 50_000

# The usual local parts, which need no full check; the rest goes to the validator.
_PLAIN = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*")
_LOCAL_MAX = 64

_REASONS = {
    ValidationResult.TOO_SHORT: Rule.PHONE_TOO_SHORT,
    ValidationResult.TOO_LONG: Rule.PHONE_TOO_LONG,
}
_PARSE_REASONS = {
    NumberParseException.TOO_SHORT_AFTER_IDD: Rule.PHONE_TOO_SHORT,
    NumberParseException.TOO_SHORT_NSN: Rule.PHONE_TOO_SHORT,
    NumberParseException.TOO_LONG: Rule.PHONE_TOO_LONG,
}


def clean_contacts(identities: pd.DataFrame, default_country: str = "") -> Found:
    """What to change, set aside and flag in these e-mail addresses and phone numbers.

    Parameters
    ----------
    identities : one row per address: identity_id, customer_id (int64), kind, value,
        typed (str), unreachable_reason, country (str, may be missing: the customer's);
        other kinds than email and phone are passed over
    default_country : ISO code for numbers of customers without a country, or ""

    Returns
    -------
    One correction per finding, in the order of the rows; `field` is the kind.
    phone_form gives the number in E.164 form (+4930901820); the rules of `SET_ASIDE`
    have no `after`: the address stays as it is and is not used. Flags change nothing;
    `after` of email_domain_flagged is the address that may have been meant. What was
    set aside for one of these reasons already is not told again.

    Raises
    ------
    DataError : if a column is missing
    """
    require_columns(identities, "identities", list(COLUMNS))
    found: Found = []
    columns = [identities[name].to_list() for name in COLUMNS]
    for key, customer_id, kind, value, typed, reason, country in zip(
        *columns, strict=True
    ):
        held = None if pd.isna(reason) else str(reason)
        if kind == IdentityKind.EMAIL:
            judged = _email(value)
        elif kind == IdentityKind.PHONE:
            place = None if pd.isna(country) else country_code(country)
            judged = _phone(value, typed, place or default_country.upper() or None)
        else:
            continue
        for after, rule in judged:
            if rule in SET_ASIDE and held == rule:
                continue
            found.append(_note(key, customer_id, kind, value, after, rule))
    return found


def e164(typed: str, country: str | None) -> str | None:
    """A phone number in E.164 form.

    Parameters
    ----------
    typed : as a person wrote it
    country : ISO code of where it would be dialled without a country code, or None

    Returns
    -------
    `+4930901820`, or None where it is no number that can be dialled.
    """
    try:
        number = _parsed(typed, country)
    except NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def meant_domain(domain: str) -> str | None:
    """The provider that was probably meant by a domain.

    Parameters
    ----------
    domain : in small letters

    Returns
    -------
    A provider whose name differs by one sign left out, added, changed or swapped with
    its neighbour; None where the domain is a provider's own, or near to none. The
    domain may be right nevertheless: it is for a person to judge.
    """
    if domain in _REAL:
        return None
    near = [
        provider
        for provider in _PROVIDERS
        # One sign of a short name is another name, not an error.
        if len(provider) >= 8 and OSA.distance(domain, provider, score_cutoff=1) == 1
    ]
    return near[0] if near else None


def _email(value: str) -> Iterator[tuple[str | None, Rule]]:
    local, _, domain = value.rpartition("@")
    plain = len(local) <= _LOCAL_MAX and _PLAIN.fullmatch(local) is not None
    if not (_is_address(f"a@{domain}") if plain else _is_address(value)):
        yield None, Rule.EMAIL_INVALID
        return
    meant = _meant(domain)
    if meant is not None:
        yield f"{local}@{meant}", Rule.EMAIL_DOMAIN


@lru_cache(WORDS_KEPT)
def _meant(domain: str) -> str | None:
    return meant_domain(domain)


@lru_cache(WORDS_KEPT)
def _is_address(value: str) -> bool:
    try:
        validate_email(value, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


def _phone(
    value: str, typed: str, country: str | None
) -> Iterator[tuple[str | None, Rule]]:
    try:
        number = _parsed(typed, country)
    except NumberParseException as problem:
        if problem.error_type == NumberParseException.INVALID_COUNTRY_CODE and not (
            country or typed.lstrip().startswith(("+", "00"))
        ):
            yield value, Rule.PHONE_COUNTRY
        else:
            yield (
                None,
                _PARSE_REASONS.get(problem.error_type, Rule.PHONE_NOT_A_NUMBER),
            )
        return
    if not phonenumbers.is_valid_number(number):
        possible = phonenumbers.is_possible_number_with_reason(number)
        yield None, _REASONS.get(possible, Rule.PHONE_NOT_ASSIGNED)
        return
    form = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if form != value:
        yield form, Rule.PHONE_FORM


def _parsed(typed: str, country: str | None) -> Any:
    text = typed.strip()
    if country is None and text.startswith("00"):
        # Two zeros begin an international number nearly everywhere.
        text = f"+{text[2:]}"
    return phonenumbers.parse(text, country)


def _note(
    key: Any, customer_id: Any, kind: str, value: str, after: str | None, rule: str
) -> Finding:
    return Finding(IDENTITY, int(key), int(customer_id), str(kind), value, after, rule)
