"""Our own icons: a few strokes on a grid of 16, always beside a word."""

from __future__ import annotations

from markupsafe import Markup

STROKES = {
    "inbox": "M2 9.5 4 3h8l2 6.5V13H2zM2 9.5h3.5l1 2h3l1-2H14",
    "satisfaction": "M2 13.5h12M4 11V8M7 11V5M10 11V7M13 11V3",
    "campaigns": ("M2 6.5v3h2.5L11 13V3L4.5 6.5zM13 6.5a2 2 0 0 1 0 3M5 9.5V13h2v-2.5"),
    "mailbox": "M2 4h12v8.5H2zM2 4.5l6 4.5 6-4.5",
    "settings": "M2 4.5h7M12 4.5h2M2 11.5h2M7 11.5h7M9 3v3M4 10v3",
    "data": (
        "M3 4c0-2.7 10-2.7 10 0s-10 2.7-10 0v8c0 2.7 10 2.7 10 0V4"
        "M3 8c0 2.7 10 2.7 10 0"
    ),
    "duplicates": "M6 2h8v8M2 6h8v8H2z",
    "back": "M9.5 3 4.5 8l5 5",
    "person": (
        "M8 8a2.7 2.7 0 1 0 0-5.4A2.7 2.7 0 0 0 8 8z"
        "M2.8 14c.4-3 2.4-4.3 5.2-4.3s4.8 1.3 5.2 4.3"
    ),
    "bot": "M3 6h10v7H3zM8 6V3M6 9v1M10 9v1",
    "close": "M4 4l8 8M12 4l-8 8",
    "send": "M2.5 8 13.5 3l-3 10.5-3-4.5z",
    "pause": "M5.5 3.5v9M10.5 3.5v9",
    "play": "M5 3v10l8-5z",
    "stop": "M4 4h8v8H4z",
}


def icon(name: str) -> Markup:
    """The drawing of this name; it says nothing to a screen reader."""
    return Markup(  # noqa: S704  both parts are constants of this file
        '<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">'
        f'<path d="{STROKES[name]}"/></svg>'
    )
