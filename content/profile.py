"""Which shipped content an installation starts with: a shop's, a bank's, a travel's.

The default's articles, campaigns and phrases stand in `templates/` itself. Those of the
others stand in `templates/profiles/NAME/`; the layout of mails is the same for all, and
phrases and reasons need to be there only where they differ.
"""

from __future__ import annotations

from pathlib import Path

from core.settings import ROOT

TEMPLATES = ROOT / "templates"
DEFAULT = "shop"
PROFILES = (DEFAULT, "bank", "travel")


def content_root(profile: str, templates: Path = TEMPLATES) -> Path:
    """The folder that holds `campaigns/` and `knowledge/` of a profile."""
    return templates if profile == DEFAULT else templates / "profiles" / profile
