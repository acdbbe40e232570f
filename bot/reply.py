"""A reply of the dialogue as text and buttons, in the customer's language."""

from __future__ import annotations

from collections.abc import Mapping

from bot.states import Choice, Reply
from content.articles import Article, fill_answer
from content.phrases import Phrases
from core.model import Button


def render_reply(
    reply: Reply,
    phrases: Phrases,
    articles: Mapping[str, Article],
    language: str | None,
    company: Mapping[str, str],
) -> tuple[str, tuple[Button, ...]]:
    """What the customer reads, and the choices under it.

    `company` holds name, support_email and url, which answers may name. A button's
    data is the dialogue's action; a channel may replace it by an opaque id.
    """
    text = phrases.render(reply.phrase, language, **reply.parameters)
    if reply.article is not None:
        shown = articles[reply.article].text(language)
        text = f"{fill_answer(shown.answer, company)}\n\n{text}"
    buttons = tuple(
        Button(_label(choice, phrases, articles, language), choice.action)
        for choice in reply.choices
    )
    return text, buttons


def _label(
    choice: Choice,
    phrases: Phrases,
    articles: Mapping[str, Article],
    language: str | None,
) -> str:
    if choice.article is not None:
        return articles[choice.article].text(language).title
    if choice.issue is not None:
        return phrases.issue(choice.issue, language)
    return phrases.render(str(choice.phrase), language)
