import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from analytics.features import rfm_table
from analytics.segments import KnownSegment, SegmentationSpec, kmeans_segmentation
from core.errors import DataError

RFM = ("recency_days", "frequency", "total_spent")
# Recency in days, orders, spent: four groups that anybody would name alike.
GROUPS = {
    "loyal": (5, 20, 4000),
    "at-risk": (150, 12, 2000),
    "new": (6, 1, 60),
    "lapsed": (300, 1, 50),
}


def shop(groups=GROUPS, each=60, seed=0):
    random = np.random.default_rng(seed)
    rows = np.repeat(np.array(list(groups.values()), dtype=float), each, axis=0)
    rows *= random.lognormal(0, 0.15, rows.shape)
    index = pd.Index(range(100, 100 + len(rows)), name="customer_id")
    return pd.DataFrame(rows, index=index, columns=list(RFM)).round(1)


def known(segmentation):
    return [KnownSegment(s.key, s.name, s.centre) for s in segmentation.segments]


@pytest.fixture(scope="module")
def segmentation():
    return kmeans_segmentation(shop(), SegmentationSpec(columns=RFM))


def test_clear_groups_are_found_and_named(segmentation):
    expected = np.repeat(list(GROUPS), 60).tolist()

    assert segmentation.labels.tolist() == expected
    assert segmentation.k == 4
    assert segmentation.stability == 1.0
    assert segmentation.warnings == ()


def test_names_are_words_for_people(segmentation):
    names = {segment.key: segment.name for segment in segmentation.segments}

    assert names == {
        "loyal": "Loyal big spenders",
        "at-risk": "At risk: used to buy often",
        "new": "Recent, few orders yet",
        "lapsed": "Gone quiet after few orders",
    }


def test_centres_are_in_the_features_own_units(segmentation):
    centre = segmentation.centres.loc["at-risk"]

    assert centre.to_numpy() == pytest.approx([150, 12, 2000], rel=0.1)


def test_profiles_hold_n_mean_and_sum_of_every_feature(segmentation):
    members = shop().loc[160:219]
    profile = segmentation.profile.set_index(["segment", "feature"]).loc["at-risk"]

    assert profile["n"].tolist() == [60, 60, 60]
    assert profile["sum"].to_numpy() == pytest.approx(members.sum().to_numpy())
    assert profile["mean"].to_numpy() == pytest.approx(members.mean().to_numpy())


def test_a_rule_in_words_describes_each_segment(segmentation):
    rules = {segment.key: segment.rule for segment in segmentation.segments}

    assert all(rule.covers_ratio > 0.95 for rule in rules.values())
    assert all(rule.precision_ratio > 0.95 for rule in rules.values())
    assert str(rules["at-risk"]) == "5 or more orders; at most 2,770 spent in all"


@pytest.mark.parametrize("log_transform", [False, True])
def test_age_income_and_frequency_give_the_labels_of_plain_scikit_learn(log_transform):
    random = np.random.default_rng(7)
    columns = ("age", "income", "purchase_frequency")
    people = pd.DataFrame(random.gamma(3, 20, (500, 3)), columns=list(columns))
    spec = SegmentationSpec("people", columns, 3, log_transform, 42)

    result = kmeans_segmentation(people, spec)

    plain = np.log1p(people) if log_transform else people
    rows = StandardScaler().fit_transform(plain)
    expected = KMeans(3, n_init=10, random_state=42).fit(rows).labels_
    assert result.clusters.tolist() == expected.tolist()


def test_other_features_are_named_by_what_sets_them_apart():
    random = np.random.default_rng(1)
    young, old = random.normal(25, 2, 100), random.normal(65, 2, 100)
    people = pd.DataFrame(
        {"age": np.r_[young, old], "income": np.r_[young * 900, old * 900]}
    )

    result = kmeans_segmentation(
        people, SegmentationSpec(columns=("age", "income"), k=2)
    )

    assert {segment.key for segment in result.segments} == {
        "younger-lower-income",
        "older-higher-income",
    }


def test_the_same_input_gives_the_same_result_to_the_bit(segmentation):
    again = kmeans_segmentation(shop(), SegmentationSpec(columns=RFM))

    pd.testing.assert_frame_equal(again.centres, segmentation.centres, check_exact=True)
    pd.testing.assert_series_equal(again.labels, segmentation.labels)


def test_a_known_segment_keeps_its_key_and_name(segmentation):
    before = [
        KnownSegment("vip", "Our best", segment.centre)
        if segment.key == "loyal"
        else KnownSegment(segment.key, segment.name, segment.centre)
        for segment in segmentation.segments
    ]

    after = kmeans_segmentation(shop(seed=1), SegmentationSpec(columns=RFM), before)

    assert after.labels.loc[100] == "vip"
    assert set(after.labels) == {"vip", "at-risk", "new", "lapsed"}


def test_a_key_does_not_outlive_its_meaning(segmentation):
    # Yesterday's "at-risk" stood where the loyal customers stand today.
    loyal = next(s for s in segmentation.segments if s.key == "loyal")
    before = [KnownSegment("at-risk", "At risk", loyal.centre)]

    after = kmeans_segmentation(shop(), SegmentationSpec(columns=RFM), before)

    assert after.labels.loc[100] == "loyal"
    assert after.labels.loc[160] == "at-risk"


def test_a_far_centre_keeps_nothing(segmentation):
    before = [
        KnownSegment("odd", "Odd", dict(zip(RFM, (1.0, 500.0, 9e6), strict=True)))
    ]

    after = kmeans_segmentation(shop(), SegmentationSpec(columns=RFM), before)

    assert "odd" not in set(after.labels)


def test_segments_of_other_columns_are_not_compared(segmentation):
    before = [KnownSegment("odd", "Odd", {"age": 30.0})]

    after = kmeans_segmentation(shop(), SegmentationSpec(columns=RFM), before)

    assert set(after.labels) == set(GROUPS)


def test_keys_stay_unique_when_many_segments_are_asked_for():
    result = kmeans_segmentation(shop(), SegmentationSpec(columns=RFM, k=20))

    keys = [segment.key for segment in result.segments]
    assert len(set(keys)) == 20
    assert {"loyal", "at-risk"} <= set(keys)


def test_an_unstable_k_is_warned_about_and_obeyed():
    random = np.random.default_rng(3)
    noise = pd.DataFrame(random.uniform(1, 9, (300, 3)), columns=list(RFM))

    result = kmeans_segmentation(noise, SegmentationSpec(columns=RFM, k=11))

    assert result.k == 11
    assert "k = 11 is unstable" in result.warnings[0]


def test_a_tiny_segment_is_warned_about():
    giants = {"many": (30, 3, 100), "giant": (1, 900, 9e8)}
    few = shop(giants, each=300).iloc[:302]

    result = kmeans_segmentation(few, SegmentationSpec(columns=RFM, k=2))

    assert any("holds 2 of 302 customers only" in text for text in result.warnings)


def test_a_missing_value_leaves_a_customer_out():
    table = shop()
    table.loc[100:109, "recency_days"] = np.nan

    result = kmeans_segmentation(table, SegmentationSpec(columns=RFM))

    assert result.left_out == 10
    assert len(result.labels) == 230
    assert 100 not in result.labels.index


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (0, "0 customers: no segments below 50"),
        (3, "3 customers: no segments below 50"),
    ],
)
def test_too_few_customers_are_a_reason_not_an_error(rows, reason):
    result = kmeans_segmentation(shop().iloc[:rows], SegmentationSpec(columns=RFM))

    assert result.reason == reason
    assert result.segments == ()
    assert result.labels.empty
    assert result.centres.columns.tolist() == list(RFM)


def test_all_values_missing_is_a_reason():
    result = kmeans_segmentation(shop() * np.nan, SegmentationSpec(columns=RFM))

    assert result.reason == "0 customers (240 more lack a value): no segments below 50"


def test_customers_who_are_all_alike_are_a_reason():
    alike = shop() * 0 + 1

    result = kmeans_segmentation(alike, SegmentationSpec(columns=RFM))

    assert result.reason == "1 different customers can't make 3 segments"


def test_a_constant_column_is_warned_about():
    table = shop().assign(frequency=1.0)

    result = kmeans_segmentation(table, SegmentationSpec(columns=RFM))

    assert "`frequency` is the same for everyone and divides nobody" in result.warnings


def test_an_unknown_column_is_named():
    with pytest.raises(DataError, match="Did you mean `recency_days`"):
        kmeans_segmentation(shop(), SegmentationSpec(columns=("recency_day",)))


def test_one_cluster_is_no_segmentation():
    with pytest.raises(ValueError, match="at least 2"):
        kmeans_segmentation(shop(), SegmentationSpec(columns=RFM, k=1))


def test_the_model_run_says_what_was_done(segmentation):
    run = segmentation.model_run(None, pd.Timestamp("2026-06-01", tz="UTC"))

    assert run.parameters["k_used"] == 4
    assert run.metrics["silhouette"] == segmentation.silhouette
    assert run.rows == 240
    assert len(run.artefact_hash) == 64


def test_a_real_shop_is_divided_into_named_and_stable_segments(data_set):
    lines = pd.read_csv(
        data_set("online_retail/online_retail_to_2011-09-09.csv.gz"),
        dtype={"InvoiceNo": "str"},
        parse_dates=["InvoiceDate"],
    ).dropna(subset="CustomerID")
    lines = lines[lines["UnitPrice"] > 0]
    lines["amount"] = lines["Quantity"] * lines["UnitPrice"]
    orders = lines.groupby("InvoiceNo").agg(
        customer_id=("CustomerID", "first"),
        ordered_at=("InvoiceDate", "min"),
        amount=("amount", "sum"),
    )
    orders["ordered_at"] = orders["ordered_at"].dt.tz_localize("UTC")
    orders["kind"] = np.where(orders.index.str.startswith("C"), "return", "sale")

    result = kmeans_segmentation(
        rfm_table(orders, orders["ordered_at"].max()), SegmentationSpec(columns=RFM)
    )

    # Worked with scikit-learn alone: k = 4 on logs has a silhouette of 0.376.
    assert result.k == 4
    assert result.silhouette == pytest.approx(0.376, abs=0.005)
    assert result.stability > 0.95
    assert set(result.labels) == {"loyal", "at-risk", "new", "lapsed"}
