"""What of two customers is compared, in which levels, and what is believed at first.

The ratios are where learning starts and what small data fall back on: `m` is how often
a level is seen when both are one person, `u` how often when they are two.
"""

from __future__ import annotations

from dataclasses import dataclass

ID_PREFIX = "id:"
MISSING = 0
EXACT = 1
SAME = " are the same"
# Of `implied_by`: given name and surname both agree, if only nearly.
NAMES = "names"


@dataclass(frozen=True, slots=True)
class Level:
    """One outcome of a comparison, in words for a person."""

    key: str
    words: str
    m_ratio: float
    u_ratio: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One field and its levels, the exact one first and `different` last.

    `implied_by` names fields whose agreement makes this one likely to agree also
    between two people: who shares an address shares its city, and often a surname.
    No two fields imply each other.
    """

    field: str
    levels: tuple[Level, ...]
    implied_by: tuple[str, ...] = ()

    def place(self, key: str) -> int:
        """The number of a level; 0 is missing."""
        return 1 + next(i for i, each in enumerate(self.levels) if each.key == key)

    @property
    def noun(self) -> str:
        """What is compared, as `postcodes`."""
        return self.levels[0].words.removesuffix(SAME)

    @property
    def different(self) -> int:
        """The number of the last level."""
        return len(self.levels)


def _levels(noun: str, **ratios: tuple[str, float, float]) -> tuple[Level, ...]:
    return tuple(
        Level(key, f"{noun} {words}", m, u) for key, (words, m, u) in ratios.items()
    )


GIVEN = Comparison(
    "given_name",
    _levels(
        "given names",
        exact=("are the same", 0.78, 0.008),
        spelling=("differ by one letter", 0.08, 0.002),
        similar=("are similar", 0.05, 0.01),
        swapped=("and surnames are swapped", 0.03, 0.0001),
        different=("differ", 0.06, 0.9799),
    ),
)
FAMILY = Comparison(
    "family_name",
    _levels(
        "surnames",
        exact=("are the same", 0.82, 0.005),
        spelling=("differ by one letter", 0.08, 0.001),
        similar=("are similar", 0.04, 0.008),
        different=("differ", 0.06, 0.986),
    ),
    implied_by=("address", "phone", "email"),
)
BIRTH = Comparison(
    "birth_date",
    _levels(
        "birth dates",
        exact=("are the same", 0.9, 0.00005),
        swapped=("have day and month swapped", 0.02, 0.00002),
        digit=("differ by one digit", 0.04, 0.001),
        part=("agree in two of three parts", 0.02, 0.005),
        different=("differ", 0.02, 0.99393),
    ),
)
GENDER = Comparison(
    "gender",
    _levels(
        "genders",
        exact=("are the same", 0.98, 0.5),
        different=("differ", 0.02, 0.5),
    ),
)
EMAIL = Comparison(
    "email",
    _levels(
        "e-mail addresses",
        exact=("are the same", 0.5, 0.000001),
        spelling=("differ by one letter", 0.2, 0.0001),
        different=("differ", 0.3, 0.999899),
    ),
    implied_by=("phone", "address", NAMES),
)
PHONE = Comparison(
    "phone",
    _levels(
        "phone numbers",
        exact=("are the same", 0.5, 0.000001),
        digit=("differ by one digit", 0.1, 0.00001),
        different=("differ", 0.4, 0.999989),
    ),
    implied_by=("address",),
)
ADDRESS = Comparison(
    "address",
    _levels(
        "addresses",
        exact=("are the same", 0.6, 0.00002),
        nearly=("are nearly the same", 0.15, 0.00001),
        street=("have the same street and another number", 0.05, 0.0005),
        similar=("are similar", 0.05, 0.01),
        different=("differ", 0.15, 0.98947),
    ),
)
CITY = Comparison(
    "city",
    _levels(
        "cities",
        exact=("are the same", 0.8, 0.02),
        spelling=("differ by one letter", 0.05, 0.001),
        similar=("are similar", 0.03, 0.01),
        different=("differ", 0.12, 0.969),
    ),
    implied_by=("address",),
)
POSTCODE = Comparison(
    "postcode",
    _levels(
        "postcodes",
        exact=("are the same", 0.78, 0.005),
        digit=("differ by one digit", 0.07, 0.01),
        area=("begin alike", 0.03, 0.03),
        different=("differ", 0.12, 0.955),
    ),
    implied_by=("address", "city"),
)
COUNTRY = Comparison(
    "country",
    _levels(
        "countries",
        exact=("are the same", 0.97, 0.7),
        different=("differ", 0.03, 0.3),
    ),
)
COMPARISONS = (
    GIVEN,
    FAMILY,
    BIRTH,
    GENDER,
    EMAIL,
    PHONE,
    ADDRESS,
    CITY,
    POSTCODE,
    COUNTRY,
)
BY_FIELD = {each.field: each for each in COMPARISONS}


def id_comparison(kind: str) -> Comparison:
    """The comparison of one kind of exact id, as a tax number."""
    levels = _levels(
        f"{kind} numbers",
        exact=("are the same", 0.94, 0.000001),
        digit=("differ by one digit", 0.03, 0.0001),
        different=("differ", 0.03, 0.999899),
    )
    return Comparison(f"{ID_PREFIX}{kind}", levels)
