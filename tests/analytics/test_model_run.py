import pandas as pd
import pytest

from analytics.model_run import artefact_hash

TABLE = pd.DataFrame({"customer_id": [1, 2], "segment": ["new", "loyal"]})


def test_the_same_results_have_the_same_hash():
    assert artefact_hash(TABLE.copy()) == artefact_hash(TABLE)


@pytest.mark.parametrize(
    "other",
    [
        TABLE.assign(segment=["new", "new"]),
        TABLE.rename(columns={"segment": "key"}),
        TABLE.iloc[::-1],
        TABLE.iloc[:0],
    ],
)
def test_other_results_have_another_hash(other):
    assert artefact_hash(other) != artefact_hash(TABLE)
