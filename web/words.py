"""The words that people read for the program's codes, ready for translation."""

from __future__ import annotations

from enum import StrEnum


def N_(text: str) -> str:  # noqa: N802  gettext's own name for "translate later"
    """Mark a text for the catalogue."""
    return text


class Kind(StrEnum):
    """Which list of codes a word belongs to."""

    ROLE = "role"
    CHANNEL = "channel"
    SKIP = "skip"
    DELIVERY = "delivery"
    RUN = "run"
    ISSUE = "issue"
    SCORE = "score"
    OWNER = "owner"
    SENDER = "sender"
    MESSAGE = "message"
    ENDED = "ended"
    EVENT = "event"
    IDENTITY = "identity"
    TOPIC = "topic"
    FIELD = "field"
    COMPARED = "compared"
    LIKENESS = "likeness"
    MERGE = "merge"
    RECORD = "record"
    IMPORT = "import"


WORDS: dict[Kind, dict[str, str]] = {
    Kind.RECORD: {
        "customers": N_("Customers"),
        "products": N_("Products"),
        "orders": N_("Orders"),
        "events": N_("Events"),
        "feedback": N_("Ratings"),
        "conversations": N_("Conversations"),
        "opt_outs": N_("Opt-outs"),
        "rates": N_("Currency rates"),
    },
    Kind.IMPORT: {
        "running": N_("not finished"),
        "complete": N_("complete"),
        "closed": N_("given up"),
        "undoing": N_("being undone"),
        "undone": N_("undone"),
    },
    Kind.ROLE: {
        "agent": N_("Agent"),
        "marketer": N_("Marketer"),
        "lead": N_("Team lead"),
        "admin": N_("Administrator"),
    },
    Kind.CHANNEL: {
        "email": N_("E-mail"),
        "telegram": N_("Telegram"),
        "webchat": N_("Web chat"),
        # Of imported conversations.
        "chat": N_("Chat (imported)"),
        "mail": N_("Mail (imported)"),
        "call": N_("Call (imported)"),
        "request": N_("Request (imported)"),
    },
    Kind.SKIP: {
        "holdout": N_("Held out, to measure the effect"),
        "no_consent": N_("Did not agree to such messages"),
        "no_address": N_("No address on these channels"),
        "suppressed": N_("On the do-not-contact list"),
        "unreachable": N_("Channel switched off after a permanent error"),
        "capped": N_("Got enough messages lately"),
        "quiet_hours": N_("Quiet hours until the run expired"),
        "open_conversation": N_("Talks with service right now"),
        "low_score": N_("Gave a low score lately"),
        "outside_segment": N_("Left the segment"),
        "no_offer": N_("No fitting offer"),
        "no_quota": N_("Budget or capacity used up"),
        "render_error": N_("The message could not be written"),
        "merged": N_("Merged with another customer"),
        "erased": N_("Asked to be forgotten"),
        "mailbox_unknown": N_("No such mailbox"),
        "blocked": N_("Blocked by the receiver"),
        "deactivated": N_("Account no longer exists"),
        "chat_not_found": N_("No such chat"),
        "no_answer": N_("No answer to the last step"),
        "connection_lost": N_("Connection lost"),
        "relay_unreachable": N_("Mail server not reached"),
        "run_cancelled": N_("The run was cancelled"),
    },
    Kind.DELIVERY: {
        "planned": N_("Planned"),
        "claimed": N_("Being sent"),
        "sending": N_("Being sent"),
        "deferred": N_("Waits for another try"),
        "accepted": N_("Sent"),
        "rejected": N_("Refused by the receiver"),
        "uncertain": N_("Unknown whether it arrived"),
        "skipped": N_("Got nothing"),
        "suppressed": N_("On the do-not-contact list"),
        "expired": N_("Too late to send"),
        "cancelled": N_("Cancelled"),
    },
    Kind.RUN: {
        "draft": N_("Draft"),
        "scheduled": N_("Scheduled"),
        "planning": N_("Planning"),
        "running": N_("Running"),
        "paused": N_("Paused"),
        "finished": N_("Finished"),
        "cancelled": N_("Cancelled"),
    },
    # Issues are the lead's own list: their words stand among the bot's phrases.
    Kind.ISSUE: {},
    Kind.SCORE: {
        "1": N_("Very dissatisfied"),
        "2": N_("Dissatisfied"),
        "3": N_("Neutral"),
        "4": N_("Satisfied"),
        "5": N_("Very satisfied"),
    },
    Kind.OWNER: {
        "bot": N_("The bot answers"),
        "queue": N_("Waits for a person"),
        "agent": N_("A person answers"),
    },
    Kind.SENDER: {
        "customer": N_("Customer"),
        "bot": N_("Bot"),
        "agent": N_("Agent"),
        "system": N_("System"),
    },
    Kind.MESSAGE: {
        "received": "",
        "queued": N_("waits to be sent"),
        "sending": N_("being sent"),
        "sent": N_("sent"),
        "failed": N_("not delivered"),
        "uncertain": N_("unknown whether it arrived"),
    },
    Kind.EVENT: {
        "handed_over": N_("Handed over to the team"),
        "left_queue": N_("Went back to the bot"),
        "taken": N_("Taken over"),
        "given_back": N_("Given back to the bot"),
        "closed": N_("Closed"),
        "survey_sent": N_("Asked for a score"),
        "scored": N_("Gave a score"),
    },
    Kind.IDENTITY: {
        "email": N_("E-mail"),
        "phone": N_("Phone"),
        "telegram": N_("Telegram"),
        "webchat": N_("Web chat"),
        "external": N_("Customer number"),
    },
    Kind.TOPIC: {
        "offers": N_("offers"),
        "news": N_("news"),
        "service": N_("service"),
    },
    Kind.FIELD: {
        "name": N_("Name"),
        "language": N_("Language"),
        "gender": N_("Gender"),
        "birth_date": N_("Birth date"),
        "address": N_("Address"),
        "city": N_("City"),
        "postcode": N_("Postcode"),
        "country": N_("Country"),
        "income_minor": N_("Income a year"),
        "orders": N_("Orders"),
        "conversations": N_("Conversations"),
        "feedback": N_("Scores"),
        "created_at": N_("Customer since"),
    },
    Kind.COMPARED: {
        "given_name": N_("Given names"),
        "family_name": N_("Surnames"),
        "birth_date": N_("Birth dates"),
        "gender": N_("Genders"),
        "email": N_("E-mail addresses"),
        "phone": N_("Phone numbers"),
        "address": N_("Addresses"),
        "city": N_("Cities"),
        "postcode": N_("Postcodes"),
        "country": N_("Countries"),
        "customer": N_("Another customer"),
    },
    Kind.LIKENESS: {
        "exact": N_("the same"),
        "spelling": N_("one letter differs"),
        "nearly": N_("nearly the same"),
        "similar": N_("similar"),
        "swapped": N_("swapped"),
        "digit": N_("one digit differs"),
        "part": N_("two of three parts agree"),
        "street": N_("same street, another number"),
        "area": N_("they begin alike"),
        "different": N_("they differ"),
        "chain": N_("both are one person with a third customer"),
    },
    Kind.MERGE: {
        "same_identity": N_("An address that one proved and the other gave"),
        "probable": N_("Very probably one person"),
        "person": N_("Decided by a person"),
    },
    Kind.ENDED: {
        "resolved": N_("Answered by a person"),
        "contained": N_("Answered by the bot"),
        "abandoned": N_("Customer left without an answer"),
    },
}


def word(kind: Kind | str, code: str | None) -> str:
    """The English words for a code; an unknown code is shown readable."""
    if code is None:
        return ""
    return WORDS[Kind(kind)].get(code, code.replace("_", " "))
