"""Campaigns as versions: pushed from files, found by key, begun as runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from content.campaign import Campaign
from content.files import (
    CampaignSource,
    list_campaigns,
    read_campaign,
    read_layout,
)
from content.mail import compile_version, parse_definition
from content.profile import DEFAULT, content_root
from core.errors import CampaignError, Problem, did_you_mean
from core.settings import Settings
from outreach.policy import FIELDS
from storage import runs, schedules, versions
from storage.database import Connection
from storage.runs import Run
from storage.versions import ContentKind, Version


def push_campaign(
    connection: Connection,
    source: CampaignSource,
    languages: Sequence[str],
    now: datetime,
    base_version: int | None = None,
) -> Version:
    """The campaign's newest version, made where its files differ.

    Raises
    ------
    CampaignError, TemplateError : the files can't be used; nothing is stored
    StaleBase : somebody made a newer version since `base_version`
    """
    parse_definition(source, FIELDS)
    compile_version(source, languages)
    return versions.push(
        connection,
        ContentKind.CAMPAIGN,
        source.key,
        source.to_dict(),
        now,
        base_version,
    )


def push_starting_set(
    connection: Connection,
    templates: Path,
    languages: Sequence[str],
    now: datetime,
    profile: str = DEFAULT,
) -> int:
    """Make versions of a profile's campaigns where there are none yet."""
    if versions.counts(connection, ContentKind.CAMPAIGN):
        return 0
    root = content_root(profile, templates)
    layout = read_layout(templates)
    keys = list_campaigns(root)
    for key in keys:
        source = read_campaign(root, key)
        source = CampaignSource(key, {**source.files, **layout})
        push_campaign(connection, source, languages, now)
    return len(keys)


def newest_campaign(connection: Connection, key: str) -> tuple[Version, Campaign]:
    """The newest version of a campaign with its definition.

    Raises
    ------
    CampaignError : there is no such campaign (with the nearest)
    """
    version = versions.newest(connection, ContentKind.CAMPAIGN, key)
    if version is None:
        known = versions.keys(connection, ContentKind.CAMPAIGN)
        hint = did_you_mean(key, known) or f"There are: {', '.join(known) or 'none'}."
        raise CampaignError(Problem("unknown campaign", key, hint=hint))
    return version, parse_definition(CampaignSource(version.key, version.files))


def begin_run(
    connection: Connection, key: str, scheduled_for: datetime, now: datetime
) -> Run:
    """The run of a campaign for this moment, with its newest version frozen."""
    version, campaign = newest_campaign(connection, key)
    return runs.create(
        connection,
        key,
        version.id,
        version.content_hash,
        campaign.topic,
        campaign.on_uncertain,
        scheduled_for,
        now,
    )


def set_schedules(connection: Connection, settings: Settings, now: datetime) -> None:
    """Schedules as settings and campaigns ask: the night's analysis, pulls, runs."""
    catch_up = timedelta(hours=settings.schedule.catch_up_hours)
    zone = settings.shop.timezone
    schedules.put(
        connection,
        "pipeline",
        "pipeline",
        {"campaigns": []},
        settings.schedule.pipeline_cron,
        zone,
        catch_up,
        now,
    )
    names = ["pipeline"]
    for key in versions.keys(connection, ContentKind.CAMPAIGN):
        _, campaign = newest_campaign(connection, key)
        if campaign.schedule is None:
            continue
        name = f"campaign:{key}"
        names.append(name)
        schedules.put(
            connection,
            name,
            "pipeline",
            {"campaigns": [key]},
            campaign.schedule.cron,
            campaign.schedule.timezone or zone,
            campaign.schedule.catch_up or catch_up,
            now,
        )
    for source in settings.collect.sources:
        if not source.cron:
            continue
        name = f"source:{source.name}"
        names.append(name)
        payload = {"source": source.name}
        schedules.put(
            connection, name, "source", payload, source.cron, zone, catch_up, now
        )
    schedules.remove_others(connection, names)


def frozen_campaign(connection: Connection, run: Run) -> Campaign:
    """The definition that a run was begun with."""
    version = versions.get(connection, run.content_version_id)
    return parse_definition(CampaignSource(version.key, version.files))
