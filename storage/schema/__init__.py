"""Every table, declared once. Money is integer minor units beside a currency."""

from __future__ import annotations

from storage.schema.analysis import (
    customer_features,
    memberships,
    model_runs,
    recommendations,
    rules,
    segments,
)
from storage.schema.campaigns import (
    campaign_runs,
    content_versions,
    deliveries,
    delivery_events,
)
from storage.schema.columns import metadata
from storage.schema.customers import (
    consents,
    corrections,
    customers,
    identities,
    imports,
    sources,
    suppressions,
)
from storage.schema.program import (
    audit_log,
    changes,
    installation,
    jobs,
    leases,
    occurrences,
    schedules,
    sessions,
    sign_in_attempts,
    staff,
)
from storage.schema.sales import order_lines, orders, products
from storage.schema.service import (
    conversation_events,
    conversations,
    episodes,
    feedback,
    handling_intervals,
    inbox,
    messages,
    utterances,
)

__all__ = [
    "audit_log",
    "campaign_runs",
    "changes",
    "consents",
    "content_versions",
    "conversation_events",
    "conversations",
    "corrections",
    "customer_features",
    "customers",
    "deliveries",
    "delivery_events",
    "episodes",
    "feedback",
    "handling_intervals",
    "identities",
    "imports",
    "inbox",
    "installation",
    "jobs",
    "leases",
    "memberships",
    "messages",
    "metadata",
    "model_runs",
    "occurrences",
    "order_lines",
    "orders",
    "products",
    "recommendations",
    "rules",
    "schedules",
    "segments",
    "sessions",
    "sign_in_attempts",
    "sources",
    "staff",
    "suppressions",
    "utterances",
]
