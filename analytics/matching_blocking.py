"""Which pairs of customers are worth comparing: those that share at least one key.

All pairs of 200,000 customers are 20 billion; the keys leave a few millions. A pass
is one way to make keys, and many passes make up for an error in any one field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.matching_fields import ID_PREFIX
from analytics.matching_people import People, sound

# A block of 40 has 780 pairs; a larger one is divided by further keys.
BLOCK_MAXIMUM = 40
# Within a block that no key divides, each is compared with its next ones by name.
NEIGHBOURS = 5


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs of places in `People`, `low` before `high`, ordered and distinct.

    `divided` counts the people in blocks that were too large, by pass.
    """

    low: np.ndarray
    high: np.ndarray
    divided: dict[str, int]

    def __len__(self) -> int:
        return len(self.low)


@dataclass(frozen=True, slots=True)
class _Pass:
    """One kind of key; `rows` are places in `People`, -1 in `keys` is no key."""

    name: str
    rows: np.ndarray
    keys: np.ndarray
    # What a coarse key leaves in large blocks is found by finer passes.
    coarse: bool = False


def candidates(people: People, touched: np.ndarray | None = None) -> Candidates:
    """All pairs that share a key, each once, ordered by place.

    Parameters
    ----------
    people : as `prepare` returns them
    touched : by place, whose pairs are wanted; None: everybody's

    Returns
    -------
    Candidates. The keys are: an address or id in common; the birth date with day and
    month in either order; both names by sound; birth year, postcode or city with one
    of the names; the postal address. Blocks above `BLOCK_MAXIMUM` are divided by sound
    of name, birth year and postcode; what no key divides is ordered by name, and each
    compared with its neighbours.
    """
    total = len(people)
    found = [np.empty(0, dtype=np.int64)]
    divided: dict[str, int] = {}
    finer = _finer(people)
    order = _name_order(people)
    for each in _passes(people):
        pairs, large = _Blocks(finer, order, touched).pairs(each)
        found.append(pairs)
        if large:
            divided[each.name] = divided.get(each.name, 0) + large
    whole = _distinct(np.concatenate(found))
    return Candidates(whole // max(total, 1), whole % max(total, 1), divided)


def _distinct(numbers: np.ndarray) -> np.ndarray:
    """Sorted and once each; for many equal ones sorting in place beats np.unique."""
    numbers.sort()
    first = np.ones(len(numbers), dtype=bool)
    first[1:] = numbers[1:] != numbers[:-1]
    return numbers[first]


def keys_of(*parts: np.ndarray) -> np.ndarray:
    """One number per distinct combination; -1 where a part is missing (-1)."""
    whole = np.zeros(len(parts[0]), dtype=np.int64)
    missing = np.zeros(len(parts[0]), dtype=bool)
    for part in parts:
        missing |= part < 0
        whole = whole * (int(part.max(initial=0)) + 1) + part
        # Numbered anew, so that many parts don't overflow.
        whole = np.unique(whole, return_inverse=True)[1]
    whole[missing] = -1
    return whole


def _passes(people: People) -> list[_Pass]:
    everyone = np.arange(len(people))
    keys = _keys(people)
    found = [
        _Pass(kind, shared.rows, shared.codes) for kind, shared in people.shared.items()
    ]
    found += [_Pass(name, everyone, key) for name, key in keys.items()]
    found += [_Pass("", everyone, key, coarse=True) for key in _finer(people)]
    return [each for each in found if len(each.rows)]


def _keys(people: People) -> dict[str, np.ndarray]:
    columns = people.columns
    names = _names(people)
    year, day = _year(people.birth), _day(people.birth)
    places = columns["postcode"].codes, columns["city"].codes
    street, number = columns["street"].codes, columns["number"].codes
    local = columns["email"].derived(lambda text: text.partition("@")[0])
    keys = {
        f"id {kind}": columns[f"{ID_PREFIX}{kind}"].codes for kind in people.id_kinds
    }
    keys |= {
        "birth date": keys_of(year, day),
        "e-mail name": local.codes,
        "address": columns["address"].codes,
        "street": keys_of(street, number),
        "number and postcode": keys_of(number, places[0]),
        "both names": _both(names.given_sound, names.family_sound),
        "single name": names.single,
    }
    for i, one in enumerate((names.given_sound, names.family_sound)):
        keys |= {
            f"name {i} and birth year": keys_of(one, year),
            f"name {i} and birthday": keys_of(one, day),
            f"name {i} and postcode": keys_of(one, places[0]),
            f"name {i} and city": keys_of(one, places[1]),
            f"name {i} and street": keys_of(one, street),
        }
    return keys


@dataclass(frozen=True, slots=True)
class _Names:
    given_sound: np.ndarray
    family_sound: np.ndarray
    single: np.ndarray


def _names(people: People) -> _Names:
    """Names by sound, one vocabulary for all; a single name stands in for both."""
    given, family, single = (
        people.columns[each] for each in ("given", "family", "single")
    )
    sounds = np.array([sound(value) for value in given.values] + [""], dtype=object)
    codes = np.unique(sounds.astype(str), return_inverse=True)[1]
    codes[-1] = -1
    by_sound = [codes[each.codes] for each in (given, family, single)]
    alone = by_sound[2]
    return _Names(
        np.where(by_sound[0] < 0, alone, by_sound[0]),
        np.where(by_sound[1] < 0, alone, by_sound[1]),
        single.codes,
    )


def _both(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return keys_of(np.minimum(one, other), np.maximum(one, other))


def _year(birth: np.ndarray) -> np.ndarray:
    return np.where(birth < 0, -1, birth // 10_000)


def _day(birth: np.ndarray) -> np.ndarray:
    """Day and month as one number, the same in either order."""
    month, day = birth // 100 % 100, birth % 100
    both = np.minimum(month, day) * 100 + np.maximum(month, day)
    return np.where(birth < 0, -1, both)


def _finer(people: People) -> list[np.ndarray]:
    names = _names(people)
    return [
        names.family_sound,
        names.given_sound,
        _year(people.birth),
        people.columns["postcode"].codes,
        people.columns["street"].codes,
        people.columns["city"].codes,
    ]


def _name_order(people: People) -> np.ndarray:
    """The place of each in the order of names; equal names keep the order of ids."""
    family, given, single = (
        people.columns[each].codes for each in ("family", "given", "single")
    )
    last = np.where(family < 0, single, family)
    order = np.lexsort((np.arange(len(people)), given, last))
    ranks = np.empty(len(people), dtype=np.int64)
    ranks[order] = np.arange(len(people))
    return ranks


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Makes pairs of those who share a key.

    Blocks stay whole where anybody in them is touched, so that dividing them and
    ordering them by name gives the same pairs as if everybody was.
    """

    finer: Sequence[np.ndarray]
    order: np.ndarray
    touched: np.ndarray | None

    def pairs(self, each: _Pass) -> tuple[np.ndarray, int]:
        """Pairs as low * total + high, and how many people were in blocks too large."""
        kept = each.keys >= 0
        rows, keys = self._wanted(each.rows[kept], each.keys[kept])
        small, large = _by_size(keys)
        found = [self._within(rows[small], keys[small], BLOCK_MAXIMUM - 1)]
        if each.coarse:
            return found[0], 0
        divided = int(large.sum())
        rows, keys = rows[large], keys[large]
        for part in self.finer:
            if not len(rows):
                break
            # Who lacks this key forms a block of their own rather than dropping out.
            rows, keys = self._wanted(rows, keys_of(keys, part[rows] + 1))
            small, large = _by_size(keys)
            found.append(self._within(rows[small], keys[small], BLOCK_MAXIMUM - 1))
            rows, keys = rows[large], keys[large]
        by_name = np.argsort(self.order[rows], kind="stable")
        found.append(self._within(rows[by_name], keys[by_name], NEIGHBOURS))
        return np.concatenate(found), divided

    def _wanted(
        self, rows: np.ndarray, keys: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The blocks in which somebody is touched."""
        if self.touched is None:
            return rows, keys
        kept = np.isin(keys, keys[self.touched[rows]])
        return rows[kept], keys[kept]

    def _within(self, rows: np.ndarray, keys: np.ndarray, distance: int) -> np.ndarray:
        total = len(self.order)
        pairs = _within(rows, keys, distance, total)
        if self.touched is None:
            return pairs
        return pairs[self.touched[pairs // total] | self.touched[pairs % total]]


def _by_size(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(keys):
        return np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
    _, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
    sizes = counts[places]
    return (sizes > 1) & (sizes <= BLOCK_MAXIMUM), sizes > BLOCK_MAXIMUM


def _within(
    rows: np.ndarray, keys: np.ndarray, distance: int, total: int
) -> np.ndarray:
    """All pairs of equal keys that lie at most `distance` apart in their block."""
    order = np.argsort(keys, kind="stable")
    rows, keys = rows[order], keys[order]
    found = [np.empty(0, dtype=np.int64)]
    for step in range(1, distance + 1):
        same = keys[step:] == keys[:-step]
        if not same.any():
            break
        one, other = rows[step:][same], rows[:-step][same]
        pairs = np.minimum(one, other) * total + np.maximum(one, other)
        found.append(pairs[one != other])
    return np.concatenate(found)
