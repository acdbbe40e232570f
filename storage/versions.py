"""Immutable versions of campaigns and articles: the only content that runs read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, func, insert, select

from core.errors import Problem, StaleBase
from storage import changes
from storage.database import actor_of
from storage.dialect import serialise_changes
from storage.schema import content_versions


class ContentKind(StrEnum):
    """What a version is a version of."""

    CAMPAIGN = "campaign"
    LAYOUT = "layout"
    ARTICLES = "articles"


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable state of some content; `files` maps names to texts."""

    id: int
    kind: ContentKind
    key: str
    version: int
    files: dict[str, str]
    content_hash: str
    author: str
    created_at: datetime


def hash_of(files: Mapping[str, str]) -> str:
    """The same for the same names and texts, whatever their order."""
    canonical = json.dumps(dict(sorted(files.items())), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def newest(connection: Connection, kind: ContentKind, key: str) -> Version | None:
    """The version that new runs take, or None."""
    row = connection.execute(
        select(content_versions)
        .where(content_versions.c.kind == kind, content_versions.c.key == key)
        .order_by(content_versions.c.version.desc())
        .limit(1)
    ).first()
    return None if row is None else _version(row)


def get(connection: Connection, version_id: int) -> Version:
    """One version by id."""
    row = connection.execute(
        select(content_versions).where(content_versions.c.id == version_id)
    ).one()
    return _version(row)


def keys(connection: Connection, kind: ContentKind) -> list[str]:
    """All keys of a kind, in alphabetical order."""
    return list(
        connection.scalars(
            select(content_versions.c.key)
            .where(content_versions.c.kind == kind)
            .group_by(content_versions.c.key)
            .order_by(content_versions.c.key)
        )
    )


def push(
    connection: Connection,
    kind: ContentKind,
    key: str,
    files: Mapping[str, str],
    now: datetime,
    base_version: int | None = None,
) -> Version:
    """The newest version, made where `files` differ from it.

    Raises
    ------
    StaleBase : `base_version` is given and somebody has made a newer one since
    """
    # Of two who push at the same time the second sees what the first made.
    serialise_changes(connection)
    current = newest(connection, kind, key)
    if current is not None and current.content_hash == hash_of(files):
        return current
    number = 0 if current is None else current.version
    if base_version is not None and base_version != number:
        raise StaleBase(
            Problem(
                f"{kind} `{key}` has changed since it was pulled",
                f"version {base_version}, newest is {number}",
                hint=f"Pull it again and repeat the change: rapport {kind} pull {key}",
            )
        )
    version_id = connection.execute(
        insert(content_versions)
        .values(
            kind=kind,
            key=key,
            version=number + 1,
            files=dict(files),
            content_hash=hash_of(files),
            author=actor_of(connection),
            created_at=now,
        )
        .returning(content_versions.c.id)
    ).scalar_one()
    changes.record(connection, kind, version_id, now, key=key)
    return get(connection, version_id)


def counts(connection: Connection, kind: ContentKind) -> int:
    """How many versions of a kind there are; 0 asks for the starting set."""
    return (
        connection.scalar(
            select(func.count())
            .select_from(content_versions)
            .where(content_versions.c.kind == kind)
        )
        or 0
    )


def _version(row: object) -> Version:
    fields = {name: getattr(row, name) for name in Version.__slots__}
    fields["kind"] = ContentKind(fields["kind"])
    return Version(**fields)
