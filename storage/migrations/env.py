"""Alembic's door: runs on the connection that `storage.migrate` hands over."""

from alembic import context

from storage.dialect import Id, Json, UtcDateTime
from storage.schema import metadata


def render_item(kind, item, _):
    """Name our own types in a new migration instead of spelling them out."""
    if kind != "type":
        return False
    if isinstance(item, UtcDateTime):
        return "dialect.UtcDateTime()"
    names = {repr(Id): "dialect.Id", repr(Json): "dialect.Json"}
    return names.get(repr(item), False)


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite can roll back DDL; Alembic assumes that it can't.
    transactional_ddl=True,
    transaction_per_migration=True,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
