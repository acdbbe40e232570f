"""The methods of the Bot API that our bot uses, and a few that clients call."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from tests.servers.bot_api.answers import Json, bad_request
from tests.servers.bot_api.formatting import outgoing_text
from tests.servers.bot_api.keyboards import inline_keyboard
from tests.servers.bot_api.params import Params
from tests.servers.bot_api.world import Chat, World

Method = Callable[[World, Params], Any]
_COMMAND_NAME = re.compile(r"[a-z0-9_]{1,32}")
_CONTENT = ("text", "entities")
_ACTIONS = {"typing", "upload_photo", "upload_document", "find_location"}
_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are "
    "exactly the same as a current content and reply markup of the message"
)
_OLD_QUERY = "query is too old and response timeout expired or query ID is invalid"


def get_me(world: World, _: Params) -> Json:
    return {
        **world.me,
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def send_message(world: World, params: Params) -> Json:
    chat = world.open_chat(params)
    content = outgoing_text(params)
    markup = inline_keyboard(params)
    if markup:
        content["reply_markup"] = markup
    replied = _replied(chat, params)
    if replied:
        content["reply_to_message"] = replied
    return world.write(chat, world.me, **content)


def _replied(chat: Chat, params: Params) -> Json | None:
    reply = params.tree("reply_parameters", {})
    number = reply.get("message_id") or params.integer("reply_to_message_id")
    if not number:
        return None
    message = chat.messages.get(number)
    if message is None and not reply.get("allow_sending_without_reply"):
        raise bad_request("message to be replied not found")
    # Telegram shows one step back, not the whole chain of replies.
    return message and {k: v for k, v in message.items() if k != "reply_to_message"}


def edit_message_text(world: World, params: Params) -> Json:
    message = _own_message(world, params)
    return _edit(message, params, outgoing_text(params))


def edit_message_reply_markup(world: World, params: Params) -> Json:
    message = _own_message(world, params)
    kept: Json = {key: message[key] for key in _CONTENT if key in message}
    return _edit(message, params, kept)


def _own_message(world: World, params: Params) -> Json:
    chat = world.open_chat(params)
    message = chat.messages.get(params.integer("message_id"))
    if message is None:
        raise bad_request("message to edit not found")
    if message["from"]["id"] != world.me["id"]:
        raise bad_request("message can't be edited")
    return message


def _edit(message: Json, params: Params, content: Json) -> Json:
    """Replace text and keyboard; a call without a keyboard takes it away."""
    markup = inline_keyboard(params)
    new = {**content, "reply_markup": markup} if markup else content
    old = {key: message[key] for key in (*_CONTENT, "reply_markup") if key in message}
    if new == old:
        raise bad_request(_NOT_MODIFIED)
    for key in old:
        del message[key]
    message.update(new, edit_date=int(time.time()))
    return message


def delete_message(world: World, params: Params) -> bool:
    chat = world.open_chat(params)
    if chat.messages.pop(params.integer("message_id"), None) is None:
        raise bad_request("message to delete not found")
    return True


def answer_callback_query(world: World, params: Params) -> bool:
    press = world.presses.get(params.text("callback_query_id"))
    if press is None or press.answer is not None:
        raise bad_request(_OLD_QUERY)
    press.answer = {
        "text": params.text("text"),
        "show_alert": params.flag("show_alert"),
    }
    return True


def send_chat_action(world: World, params: Params) -> bool:
    world.open_chat(params)
    if params.text("action") not in _ACTIONS:
        raise bad_request("wrong parameter action in request")
    return True


def get_chat(world: World, params: Params) -> Json:
    return {
        **world.open_chat(params).as_json(),
        "accent_color_id": 1,
        "max_reaction_count": 11,
        "accepted_gift_types": {
            "unlimited_gifts": True,
            "limited_gifts": True,
            "unique_gifts": True,
            "premium_subscription": True,
            "gifts_from_channels": True,
        },
    }


def _commands_key(params: Params) -> tuple[str, str]:
    scope = params.tree("scope", {"type": "default"})
    return repr(sorted(scope.items())), params.text("language_code")


def set_my_commands(world: World, params: Params) -> bool:
    commands = params.tree("commands", [])
    for command in commands:
        if not _COMMAND_NAME.fullmatch(command["command"]):
            raise bad_request("BOT_COMMAND_INVALID")
        if not command.get("description"):
            raise bad_request("command description is empty")
    world.commands[_commands_key(params)] = commands
    return True


def get_my_commands(world: World, params: Params) -> list[Json]:
    return world.commands.get(_commands_key(params), [])


def delete_my_commands(world: World, params: Params) -> bool:
    world.commands.pop(_commands_key(params), None)
    return True


def set_webhook(world: World, params: Params) -> bool:
    """Kept, so that polling is refused; updates are not posted to it."""
    url = params.text("url")
    if url and not url.startswith("https://"):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    world.webhook = {
        "url": url,
        "max_connections": params.integer("max_connections", 40),
    }
    _use_webhook(world, params, url)
    return True


def delete_webhook(world: World, params: Params) -> bool:
    world.webhook = {}
    _use_webhook(world, params, "")
    return True


def _use_webhook(world: World, params: Params, url: str) -> None:
    world.updates.webhook_url = url
    world.updates.allow(params)
    if params.flag("drop_pending_updates"):
        world.updates.drop_all()


def get_webhook_info(world: World, _: Params) -> Json:
    return {
        "url": "",
        "has_custom_certificate": False,
        "pending_update_count": world.updates.pending_count,
        **world.webhook,
    }


def log_out(world: World, _: Params) -> bool:
    world.logged_out = True
    return True


def close(_: World, __: Params) -> bool:
    return True


# Telegram takes the names of methods in any case.
METHODS: dict[str, Method] = {
    "getme": get_me,
    "sendmessage": send_message,
    "editmessagetext": edit_message_text,
    "editmessagereplymarkup": edit_message_reply_markup,
    "deletemessage": delete_message,
    "answercallbackquery": answer_callback_query,
    "sendchataction": send_chat_action,
    "getchat": get_chat,
    "setmycommands": set_my_commands,
    "getmycommands": get_my_commands,
    "deletemycommands": delete_my_commands,
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": get_webhook_info,
    "logout": log_out,
    "close": close,
}
