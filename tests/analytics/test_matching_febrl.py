"""Matching at the shipped thresholds on Febrl, whose duplicates are known."""

import pytest

from analytics.matching import match_people
from bench.febrl import febrl_people, febrl_sets
from bench.quality import DEFAULT, quality


@pytest.mark.parametrize("name", ["dataset1", "dataset3", "dataset4"])
def test_febrl_is_matched_nearly_without_fault(data_set, name):
    people, truth = febrl_people(*febrl_sets(data_set("febrl"))[name])

    found = quality(match_people(people, DEFAULT).pairs, truth)

    assert found["f1"] >= 0.99
    assert found["merge_precision"] >= 0.999
    assert found["merge_f1"] >= 0.85


def test_without_ids_febrl_is_matched_as_well(data_set):
    people, truth = febrl_people(*febrl_sets(data_set("febrl"))["dataset3"])

    found = quality(match_people(people.drop(columns="ids"), DEFAULT).pairs, truth)

    assert found["f1"] >= 0.99
    assert found["merge_precision"] >= 0.999
