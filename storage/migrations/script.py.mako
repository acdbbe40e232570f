"""${message}."""

import sqlalchemy as sa
from alembic import op

from storage import dialect
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}
