"""The rules of cleaning by name: why a value was changed, taken out or flagged."""

from __future__ import annotations

from enum import StrEnum


class Rule(StrEnum):
    """Why a value was changed; those that end in `_flagged` change nothing."""

    # Another form of the same value.
    NAME_FORM = "name_form"
    HONORIFIC = "honorific_set_aside"
    COUNTRY_FORM = "country_form"
    LANGUAGE_FORM = "language_form"
    GENDER_FORM = "gender_form"
    PHONE_FORM = "phone_form"
    # Another customer has the number: the identity becomes a claim on it.
    PHONE_CLAIMED = "phone_claimed"
    # The customer has the number already, in its one form.
    PHONE_REPEATED = "phone_repeated"
    RETURN_KIND = "return_kind"
    ORDER_DATE_COME = "order_date_come"
    # Set aside: it can't be true.
    GENDER_UNKNOWN = "gender_unknown"
    BIRTH_DATE_IMPOSSIBLE = "birth_date_impossible"
    INCOME_NEGATIVE = "income_negative"
    INCOME_PLACEHOLDER = "income_placeholder"
    INCOME_OVER_LIMIT = "income_over_limit"
    EMAIL_INVALID = "email_invalid"
    PHONE_NOT_A_NUMBER = "phone_not_a_number"
    PHONE_TOO_SHORT = "phone_too_short"
    PHONE_TOO_LONG = "phone_too_long"
    PHONE_NOT_ASSIGNED = "phone_not_assigned"
    ORDER_IN_FUTURE = "order_in_future"
    # In the place of a value that nobody knows.
    FILLED_CONSTANT = "filled_constant"
    FILLED_MEDIAN = "filled_median"
    FILLED_MODE = "filled_mode"
    FILLED_FORWARD = "filled_forward"
    # A person should look.
    NAME_ORDER = "name_order_flagged"
    NAME_DOUBTFUL = "name_doubtful_flagged"
    COUNTRY_UNKNOWN = "country_unknown_flagged"
    LANGUAGE_UNKNOWN = "language_unknown_flagged"
    GENDER_WORD = "gender_word_flagged"
    CREATED_IMPOSSIBLE = "created_impossible_flagged"
    INCOME_OUTLIER = "income_outlier_flagged"
    CUSTOMER_REPEATED = "customer_repeated_flagged"
    EMAIL_DOMAIN = "email_domain_flagged"
    PHONE_COUNTRY = "phone_country_flagged"
    QUANTITY_OUTLIER = "quantity_outlier_flagged"
    PRICE_OUTLIER = "price_outlier_flagged"
    LINE_FREE = "line_free_flagged"
    LINE_NEGATIVE = "line_negative_flagged"
    ORDER_REPEATED = "order_repeated_flagged"
    PRODUCT_IS_FEE = "product_is_fee_flagged"
    PRODUCT_PRICE = "product_price_flagged"
    CURRENCY_NO_RATE = "currency_no_rate_flagged"


# What a person does about it, told in the report.
ADVICE = {
    Rule.PHONE_CLAIMED: "Two customers with one number: see the duplicates.",
    Rule.NAME_ORDER: "Is the family name first? Correct it at the customer.",
    Rule.NAME_DOUBTFUL: "No person is called so; ask, or leave the customer out.",
    Rule.COUNTRY_UNKNOWN: "Say in the mapping, under `values`, what the word means.",
    Rule.LANGUAGE_UNKNOWN: "Say in the mapping, under `values`, what the word means.",
    Rule.GENDER_WORD: "Say in the mapping, under `values`, what the word means.",
    Rule.CREATED_IMPOSSIBLE: "Look at the source's date column.",
    Rule.INCOME_OUTLIER: "A typing error, or another currency or period?",
    Rule.CUSTOMER_REPEATED: "Two customers with the same data: see the duplicates.",
    Rule.EMAIL_DOMAIN: "A typing error in the address? Mails to it would bounce.",
    Rule.PHONE_COUNTRY: "Set clean.default_country, or import the countries.",
    Rule.QUANTITY_OUTLIER: "Typed wrongly, or a wholesale order?",
    Rule.PRICE_OUTLIER: "Typed wrongly, or money that is no product?",
    Rule.LINE_FREE: "A gift, or a missing price?",
    Rule.LINE_NEGATIVE: "A discount or a correction? Then it is no product.",
    Rule.ORDER_REPEATED: "Taken twice? The second can be removed at the source.",
    Rule.PRODUCT_IS_FEE: "Add the code to `no_product` in the mapping.",
    Rule.PRODUCT_PRICE: "Import the right price.",
    Rule.CURRENCY_NO_RATE: "Import its rates: rapport import FILE --mapping rates",
    Rule.EMAIL_INVALID: "Not written to until a right address arrives.",
    Rule.PHONE_NOT_A_NUMBER: "Not used until a right number arrives.",
    Rule.PHONE_TOO_SHORT: "Not used until a right number arrives.",
    Rule.PHONE_TOO_LONG: "Not used until a right number arrives.",
    Rule.PHONE_NOT_ASSIGNED: "Not used: no such number in that country.",
    Rule.ORDER_IN_FUTURE: "Look at the source's date column, or its time zone.",
}
