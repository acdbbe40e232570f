"""The analysis as a step: frames out of storage, results back with their model runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from core.clock import Clock
from core.log import get_logger
from core.model import system
from core.settings import Analysis
from core.settings import Segmentation as SegmentationSettings
from storage import analysis, rates, totals
from storage.analysis import (
    NewModelRun,
    NewRecommendation,
    NewRule,
    ResultWriter,
    StoredSegment,
)
from storage.database import Connection, Database
from storage.offers import Choice

if TYPE_CHECKING:
    import pandas as pd

    from analytics.model_run import ModelRun
    from analytics.segments import KnownSegment, Segmentation

log = get_logger("analysis")
ANALYST = system("analyst")
# Recommendations are judged on the last weeks that the data hold.
EVALUATION_DAYS = 60


@dataclass(frozen=True, slots=True)
class Analysed:
    """What the analysis found; `reasons` says why something has no result."""

    customers: int = 0
    orders: int = 0
    segments: dict[str, int] = field(default_factory=dict)
    rules: int = 0
    recommendations: int = 0
    reasons: tuple[str, ...] = ()


async def analyse_customers(
    database: Database, clock: Clock, settings: Analysis, shop_currency: str
) -> Analysed:
    """Features, segments, rules and recommendations of the data as they are now.

    Amounts are in the shop's currency (see `rates.currency_of_figures`); orders in
    another one that has no rate are left out, and told of.
    """
    from storage import feature_frames, frames

    now = clock.now()
    currency = await database.read(
        lambda c: rates.currency_of_figures(c, shop_currency)
    )
    refreshed = totals.refresh(database, ANALYST, currency, now)
    orders, newest = await database.read(lambda c: feature_frames.orders_extent(c, now))
    if newest is None or orders < settings.orders_minimum:
        reason = f"{orders} orders; an analysis needs {settings.orders_minimum}"
        count = await database.read(feature_frames.customers_count)
        return Analysed(count, orders, reasons=(reason,))
    # Data that ended long ago are judged by their own last day.
    asof = newest + timedelta(seconds=1)
    features = await database.read(lambda c: _features(c, currency, asof))
    writer = ResultWriter(database, ANALYST, now)
    writer.features(_feature_run(features, asof), _feature_rows(features))
    reasons = _about_money(refreshed.unpriced, currency, shop_currency)
    sizes: dict[str, int] = {}
    for spec in settings.segmentations:
        measured = await database.read(
            partial(_with_attributes, features=features, settings=spec)
        )
        found = _segment(database, writer, measured, spec, asof)
        sizes |= {each.name: each.size for each in found.segments}
        reasons += [found.reason] if found.reason else []
    names = [spec.name for spec in settings.segmentations]
    await database.write(
        ANALYST, partial(analysis.retire_others, kind="segments", names=names)
    )
    purchases = await database.read(frames.purchases_frame)
    rules = _mine(writer, purchases, settings, asof)
    count = _recommend(writer, purchases, settings, asof)
    log.info("analysis_done", customers=len(features), orders=orders, rules=rules)
    return Analysed(len(features), orders, sizes, rules, count, tuple(reasons))


def _features(connection: Connection, currency: str, asof: datetime) -> pd.DataFrame:
    from analytics.features import customer_features, rfm_scores
    from storage import feature_frames

    tables = feature_frames.customer_frames(connection, currency, asof)
    features = customer_features(
        tables.customers,
        tables.totals,
        tables.feedback,
        tables.conversations,
        tables.events,
        tables.figures,
        asof=asof,
    )
    return features.join(rfm_scores(features.dropna(subset=["recency_days"])))


def _with_attributes(
    connection: Connection, features: pd.DataFrame, settings: SegmentationSettings
) -> pd.DataFrame:
    """The features, and the customers' attributes that a segmentation names."""
    from storage import feature_frames

    prefix = "attributes."
    named = [name for name in settings.features if name.startswith(prefix)]
    if not named:
        return features
    names = [name.removeprefix(prefix) for name in named]
    return features.join(feature_frames.attributes_frame(connection, names))


def _about_money(unpriced: int, currency: str, shop_currency: str) -> list[str]:
    reasons = []
    if currency != shop_currency:
        words = f"amounts are in {currency}: no order is in {shop_currency}"
        reasons.append(f"{words} (shop.currency), and no rates lead there")
    if unpriced:
        words = f"{unpriced} orders in other currencies than {currency} have no rate"
        reasons.append(f"{words}: import `rates`; until then they are left out")
    return reasons


def _segment(
    database: Database,
    writer: ResultWriter,
    features: pd.DataFrame,
    settings: SegmentationSettings,
    asof: datetime,
) -> Segmentation:
    from analytics.segments import SegmentationSpec, kmeans_segmentation

    spec = SegmentationSpec(
        settings.name,
        tuple(settings.features),
        settings.k,
        settings.log_transform,
        settings.random_state,
    )
    previous = database.read_now(lambda c: _known_segments(c, settings.name))
    found = kmeans_segmentation(features, spec, previous)
    stored = [
        StoredSegment(
            segment.key,
            segment.name,
            None if segment.rule is None else str(segment.rule),
            segment.size,
            {"centre": dict(segment.centre), "features": _plain(segment.profile)},
        )
        for segment in found.segments
    ]
    members = zip(map(int, found.labels.index), found.labels, strict=True)
    writer.segmentation(_run(found.model_run(None, asof)), stored, members)
    return found


def _mine(
    writer: ResultWriter, purchases: pd.DataFrame, settings: Analysis, asof: datetime
) -> int:
    from analytics.rules import RulesSpec, association_rules

    spec = RulesSpec(
        settings.rules.min_support_ratio,
        settings.rules.metric,
        settings.rules.min_threshold,
    )
    found = association_rules(purchases, spec)
    writer.rules(
        _run(found.model_run(None, asof)),
        (
            NewRule(
                [int(product) for product in row["antecedent"]],
                [int(product) for product in row["consequent"]],
                float(row["support"]),
                float(row["confidence"]),
                float(row["lift"]),
                float(row["leverage"]),
                int(row["count"]),
            )
            for row in found.rules.to_dict("records")
        ),
    )
    return len(found.rules)


def _recommend(
    writer: ResultWriter, purchases: pd.DataFrame, settings: Analysis, asof: datetime
) -> int:
    """The best products for everyone, and apart from them the best new ones."""
    from analytics.recommend import evaluate_recommendations, recommend

    n = settings.recommendations_per_customer
    split_at = asof - timedelta(days=EVALUATION_DAYS)
    quality = evaluate_recommendations(purchases, split_at, EVALUATION_DAYS, n)
    recalls = {
        (row["method"], row["products"]): _number(row["recall"])
        for row in quality.to_dict("records")
    }
    count = 0
    for choice, products in ((Choice.BLEND, "all"), (Choice.NEW_PRODUCTS, "new")):
        fresh = choice is Choice.NEW_PRODUCTS
        found = recommend(purchases, asof, n, new_only=fresh)
        run = _recommendation_run(choice, found, n, asof)
        metrics = {"recall": recalls.get(("blend", products))}
        baseline = {"recall": recalls.get(("popular", products))}
        run = replace(run, metrics=metrics, baseline=baseline)
        writer.recommendations(run, _recommendations(found))
        count += len(found)
    return count


def _recommendation_run(
    choice: Choice, found: pd.DataFrame, n: int, asof: datetime
) -> NewModelRun:
    from analytics.model_run import artefact_hash

    return NewModelRun(
        kind="recommendations",
        name=choice,
        window_start=None,
        window_end=asof,
        parameters={"n": n, "evaluation_days": EVALUATION_DAYS},
        metrics={},
        baseline={},
        rows=len(found),
        artefact_hash=artefact_hash(found),
        reason=None if len(found) else "nobody has bought anything yet",
    )


def _recommendations(found: pd.DataFrame) -> Iterator[NewRecommendation]:
    for row in found.to_dict("records"):
        cause = row["reason_product_id"]
        yield NewRecommendation(
            customer_id=int(row["customer_id"]),
            rank=int(row["rank"]),
            product_id=int(row["product_id"]),
            score=float(row["score"]),
            method=str(row["method"]),
            reason=str(row["reason"]),
            reason_product_id=None if _missing(cause) else int(cause),
            reason_share_ratio=_number(row["reason_share"]),
        )


def _feature_run(features: pd.DataFrame, asof: datetime) -> NewModelRun:
    from analytics.model_run import artefact_hash

    return NewModelRun(
        kind="features",
        name="customers",
        window_start=None,
        window_end=asof,
        parameters={"columns": list(features.columns)},
        metrics={},
        baseline={},
        rows=len(features),
        artefact_hash=artefact_hash(features),
        reason=None,
    )


def _feature_rows(features: pd.DataFrame) -> Iterator[tuple[int, dict[str, Any]]]:
    names = list(features.columns)
    rows = zip(features.index, *(features[name] for name in names), strict=True)
    for customer_id, *values in rows:
        yield int(customer_id), dict(zip(names, map(_number, values), strict=True))


def _known_segments(connection: Connection, name: str) -> list[KnownSegment]:
    from analytics.segments import KnownSegment

    run = analysis.current(connection, "segments", name)
    if run is None:
        return []
    return [
        KnownSegment(each.key, each.name, each.profile["centre"])
        for each in analysis.segments_of(connection, run.id)
    ]


def _run(found: ModelRun) -> NewModelRun:
    return NewModelRun(**{name: getattr(found, name) for name in NewModelRun.__slots__})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return _number(value)


def _number(value: Any) -> Any:
    """A value as JSON takes it: not-a-number is nothing."""
    if _missing(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _missing(value: Any) -> bool:
    import pandas as pd

    return bool(pd.isna(value)) or (isinstance(value, float) and math.isinf(value))
