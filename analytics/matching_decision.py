"""Decides about pairs: whether a merge is safe, and who together is one person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from analytics.matching_comparison import Compared, value_counts
from analytics.matching_fields import (
    ADDRESS,
    BIRTH,
    CITY,
    EMAIL,
    FAMILY,
    GENDER,
    GIVEN,
    ID_PREFIX,
    PHONE,
    POSTCODE,
    Comparison,
)
from analytics.matching_people import People

Pair = tuple[int, int]


# A number or address that so many give is an office's or a placeholder.
PERSONAL_MAXIMUM = 10


@dataclass(frozen=True, slots=True)
class Safety:
    """Per pair what a merge without asking needs, whatever the probability.

    `supported`: something personal agrees beside the name. `contradicted`: something
    says that they are two, as the given names of twins.
    """

    supported: np.ndarray
    contradicted: np.ndarray


def safety(people: People, pairs: Compared, values: np.ndarray) -> Safety:
    """What speaks for and against merging without asking.

    A family shares surname, address, phone and often an e-mail address, twins their
    birth date too: there the given names must be the same. Only an id is personal; it
    needs a name or the birth date, and one more agreement, and then forgives an error
    in any other field. With one digit wrong it still supports what agrees in all that
    names a person: twins may have neighbouring numbers, but not the same given name.

    Parameters
    ----------
    people : of whom the pairs are
    pairs : compared
    values : as `equal_values` returns them
    """
    view = _View(people, pairs, values)
    same_id, near_id, other_id = view.ids()
    named = view.among(GIVEN, "exact", "spelling", "similar", "swapped")
    surnamed = view.among(FAMILY, "exact", "spelling", "similar")
    born = view.among(BIRTH, "exact", "swapped")
    lives = view.among(ADDRESS, "exact", "nearly")
    contact = view.personal(EMAIL) | view.personal(PHONE)
    agreements = np.sum([named, surnamed, born, lives, contact], axis=0)
    by_id = same_id & (named | surnamed | born) & (agreements >= 2)
    by_id |= (
        same_id & born & (view.among(POSTCODE, "exact") | view.among(CITY, "exact"))
    )
    same_given = view.among(GIVEN, "exact", "swapped")
    by_contact = (contact | (born & lives) | (born & near_id)) & same_given
    differ = (
        view.among(GIVEN, "different")
        | view.among(FAMILY, "different")
        | view.among(BIRTH, "part", "different")
        | view.among(GENDER, "different")
    )
    return Safety(by_id | by_contact, other_id | (differ & ~by_id))


class _View:
    """The levels of pairs by field and key."""

    def __init__(self, people: People, pairs: Compared, values: np.ndarray) -> None:
        self._people = people
        self._pairs = pairs
        self._values = values
        self._places = {each.field: i for i, each in enumerate(pairs.comparisons)}

    def among(self, comparison: Comparison, *keys: str) -> np.ndarray:
        levels = self._pairs.levels[:, self._places[comparison.field]]
        return np.isin(levels, [comparison.place(key) for key in keys])

    def personal(self, comparison: Comparison) -> np.ndarray:
        """Where a value agrees that few enough have to be one person's."""
        values = self._values[:, self._places[comparison.field]]
        counts = value_counts(self._people, comparison.field)
        found = np.zeros(len(values), dtype=bool)
        same = np.flatnonzero(values >= 0)
        found[same] = counts[values[same]] <= PERSONAL_MAXIMUM
        return found

    def ids(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where an id of any kind is the same, nearly, and where one is another's."""
        same, near, other = np.zeros((3, len(self._pairs)), dtype=bool)
        for each in self._pairs.comparisons:
            if each.field.startswith(ID_PREFIX):
                same |= self.personal(each)
                near |= self.among(each, "digit")
                other |= self.among(each, "different")
        return same, near, other


class Clusters:
    """Persons as sets of customers, joined pair by pair.

    Two sets are joined only where none of one contradicts any of the other, so a chain
    of good pairs never makes one person of two that contradict each other.
    """

    def __init__(self, certain: Iterable[Pair], apart: Iterable[Pair]) -> None:
        self._members: dict[int, set[int]] = {}
        self._head: dict[int, int] = {}
        self._apart: dict[int, set[int]] = {}
        for one, other in apart:
            self.part(one, other)
        for one, other in sorted(certain):
            self.join(one, other)

    def part(self, one: int, other: int) -> None:
        """Say that these are two people."""
        self._apart.setdefault(one, set()).add(other)
        self._apart.setdefault(other, set()).add(one)

    def together(self, one: int, other: int) -> bool:
        """Whether they are one person already."""
        return self._head.get(one, one) == self._head.get(other, other)

    def join(self, one: int, other: int) -> bool:
        """Make them one person, unless somebody of them is known to be apart."""
        first, second = self.members(one), self.members(other)
        if self.together(one, other):
            return True
        if any(self._apart.get(each, set()) & second for each in first):
            return False
        head = min(first | second)
        self._members[head] = first | second
        for each in first | second:
            self._head[each] = head
        return True

    def members(self, one: int) -> set[int]:
        """All who are the same person, this one included."""
        return self._members.get(self._head.get(one, one), {one})

    def sets(self) -> list[set[int]]:
        """All persons of more than one, by their smallest member."""
        return [self._members[head] for head in sorted(set(self._head.values()))]

    def heads(self) -> Mapping[int, int]:
        """The smallest member by member, for persons of more than one."""
        return dict(sorted(self._head.items()))
