#!/usr/bin/env python3
"""Telethon against a local DC: tests/interop-telethon.sh runs it.

Telethon is unmodified but for the DC's address and RSA key. Prints a line for everything that was checked and exits 0, or
says what does not hold and exits 1.
"""

import argparse
import asyncio

import telethon
from telethon import TelegramClient, errors, events, functions, types
from telethon.crypto import rsa
from telethon.network import connection as transports
from telethon.network.connection.connection import ObfuscatedConnection
from telethon.network.connection.tcpintermediate import IntermediatePacketCodec, RandomizedIntermediatePacketCodec
from telethon.network.connection.tcpobfuscated import ObfuscatedIO
from telethon.sessions import MemorySession
from telethon.tl.alltlobjects import LAYER

from local_dc import Checks, Inbox, LocalDc

API_ID, API_HASH = 12345, "0123456789abcdef0123456789abcdef"
# Two people for each release, so that none meets the history of another.
PHONE, OTHER_PHONE = f"+49305550{LAYER}0", f"+49305550{LAYER}1"

check = Checks(f"Telethon {telethon.__version__}")
dc = LocalDc()


class ObfuscatedIntermediate(ObfuscatedConnection):
    """What Telethon does through an MTProxy, here without one."""

    obfuscated_io = ObfuscatedIO
    packet_codec = IntermediatePacketCodec


class ObfuscatedPadded(ObfuscatedConnection):
    obfuscated_io = ObfuscatedIO
    packet_codec = RandomizedIntermediatePacketCodec


TRANSPORTS = {
    "full": transports.ConnectionTcpFull,
    "intermediate": transports.ConnectionTcpIntermediate,
    "abridged": transports.ConnectionTcpAbridged,
    "obfuscated abridged": transports.ConnectionTcpObfuscated,
    "obfuscated intermediate": ObfuscatedIntermediate,
    "obfuscated padded intermediate": ObfuscatedPadded,
}


def client_for(transport="full", session=None):
    if session is None:
        session = MemorySession()
        session.set_dc(dc.id, dc.host, dc.port)
    return TelegramClient(
        session, API_ID, API_HASH, connection=TRANSPORTS[transport], connection_retries=3, receive_updates=True
    )


async def signed_in(client, phone, name):
    """Signs in by code. Telethon itself refuses to sign up, so that one call is made by hand."""
    await client.connect()
    sent = await client.send_code_request(phone)
    await check.refused(
        f"a wrong code is refused for {name}",
        client.sign_in(phone, "00000", phone_code_hash=sent.phone_code_hash),
        errors.PhoneCodeInvalidError,
    )
    try:
        me = await client.sign_in(phone, dc.code, phone_code_hash=sent.phone_code_hash)
    except errors.PhoneNumberUnoccupiedError:
        result = await client(functions.auth.SignUpRequest(phone, sent.phone_code_hash, name, "Thon"))
        me = await client._on_login(result.user)
        check.that(f"{name} signs up", me.first_name == name, me)
    else:
        check.that(f"{name} signs in", me.first_name == name, me)
    return me


async def transport(name):
    """A key exchange, a sign-in and an answer of the bot by one transport."""
    client = client_for(name)
    try:
        await signed_in(client, PHONE, "Tele")
        async with client.conversation(dc.bot, timeout=10) as conversation:
            text = f"/echo by {name}: " + "§" * 3000
            await conversation.send_message(text)
            answer = await conversation.get_response()
            check.equal(f"{name}: the bot's answer comes", answer.raw_text, text.removeprefix("/echo "))
        await client.log_out()
    finally:
        await client.disconnect()


async def errors_are_readable(client):
    await check.refused(
        "a method that is not there is named",
        client(functions.messages.GetAllDraftsRequest()),
        errors.RPCError,
        "METHOD_NOT_IMPLEMENTED_messages.getAllDrafts",
    )
    await check.refused(
        "a username that nobody has is refused",
        client(functions.contacts.ResolveUsernameRequest("nobody_at_all")),
        errors.UsernameNotOccupiedError,
    )
    try:
        await client(functions.InvokeWithLayerRequest(226, functions.help.GetNearestDcRequest()))
        raise SystemExit("layer 226 was taken")
    except errors.RPCError as error:
        check.that("a layer that is not spoken is named", "CONNECTION_LAYER_INVALID_226" in str(error), error)


async def the_bot(client, inbox):
    """The bot of `moongram run`: its answer, its keyboard, its edit. Its own layer is 230."""
    bot = await client.get_entity(dc.bot)
    check.that("the bot is found by its username", isinstance(bot, types.User) and bot.bot, bot)
    full = await client(functions.users.GetFullUserRequest(bot))
    check.equal("its profile is a bot's", full.full_user.bot_info.user_id, bot.id)

    await client.send_message(bot, "/start")
    answer = await check.soon("the greeting comes", inbox.next("new", lambda e: e.is_private and not e.out))
    check.equal("the bot greets", answer.raw_text, "Hello, Tele!")

    await client.send_message(bot, "/menu")
    menu = await check.soon("the keyboard comes", inbox.next("new", lambda e: e.raw_text == "Choose"))
    texts = [[button.text for button in row] for row in menu.buttons]
    expected = [["More", "Site"], ["Off"]] if LAYER >= 229 else [["More", "Site"]]
    check.equal(f"the keyboard is as layer {LAYER} has it", texts, expected)
    if LAYER < 229:
        more, site = menu.buttons[0]
        check.that(
            "its buttons are of that layer's kinds",
            isinstance(more.button, types.KeyboardButtonCallback) and isinstance(site.button, types.KeyboardButtonUrl),
            menu.buttons,
        )
        check.equal("the link of a button is kept", site.url, "https://example.com/")
    pressed = await client(functions.messages.GetBotCallbackAnswerRequest(bot, menu.id, data=b"more"))
    check.that("a pressed button is answered", pressed.alert and pressed.message == "more it is", pressed)
    edited = await check.soon("the bot edits", inbox.next("edited", lambda e: e.id == menu.id))
    check.equal("the bot's edit comes", edited.raw_text, "Chosen")
    await check.refused(
        "a button that is not there is refused",
        client(functions.messages.GetBotCallbackAnswerRequest(bot, menu.id, data=b"less")),
        errors.RPCError,
    )


async def two_people(client, inbox, other, other_inbox, me):
    """What one does, the other is told."""
    resolved = await client(functions.contacts.ResolvePhoneRequest(OTHER_PHONE.lstrip("+")))
    peer = await client.get_input_entity(resolved.users[0])
    await client(functions.messages.SetTypingRequest(peer, types.SendMessageTypingAction()))
    sent = await client.send_message(peer, "**bold** 🦀 `code`")
    got = await check.soon("a message comes", other_inbox.next("new", lambda e: e.is_private))
    kinds = [type(entity).__name__ for entity in got.message.entities]
    check.equal("a message comes with its entities", (got.raw_text, kinds), ("bold 🦀 code", ["MessageEntityBold", "MessageEntityCode"]))
    check.equal("its author is known", (await got.get_sender()).id, me.id)

    reply = await got.reply("got it")
    seen = await check.soon("a reply comes", inbox.next("new", lambda e: not e.out))
    check.equal("a reply says what it replies to", (seen.raw_text, seen.reply_to_msg_id), ("got it", sent.id))
    check.equal("who replied sees the same text", reply.raw_text, "got it")

    await client.edit_message(peer, sent.id, "edited")
    edited = await check.soon("an edit comes", other_inbox.next("edited"))
    check.equal("an edit comes", (edited.raw_text, edited.id), ("edited", got.id))

    await other.send_read_acknowledge(await got.get_input_chat(), max_id=got.id)
    read = await check.soon("a read mark comes", inbox.next("read", lambda e: e.outbox))
    check.that("a read mark comes", read.max_id >= sent.id, read)

    history = await client.get_messages(peer, limit=10)
    check.equal("the history is in order", [m.raw_text for m in history], ["got it", "edited"])
    searched = await client.get_messages(peer, ids=[sent.id, 999_999])
    check.that("messages are had by id, and what is not there is empty", searched[0].id == sent.id and searched[1] is None, searched)

    affected = await client.delete_messages(peer, [sent.id], revoke=True)
    check.equal("a deletion is counted", affected[0].pts_count, 1)
    deleted = await check.soon("a deletion comes", other_inbox.next("deleted"))
    check.equal("a deletion comes", deleted.deleted_ids, [got.id])


async def saved_messages(client):
    note = await client.send_message("me", "a **note**")
    check.that("a note to oneself is kept", note.entities and note.out, note)
    edited = await client.edit_message(note, "an edited note")
    check.equal("it can be edited", edited.text, "an edited note")
    for number in range(25):
        await client.send_message("me", f"note {number}")
    texts = [m.text async for m in client.iter_messages("me", limit=30)]
    check.equal("a long history is paged through", texts, [f"note {n}" for n in range(24, -1, -1)] + ["an edited note"])


async def groups(client, other_inbox, friend):
    bot = await client.get_entity(dc.bot)
    resolved = await client(functions.contacts.ResolvePhoneRequest(OTHER_PHONE.lstrip("+")))
    friend_input = await client.get_input_entity(resolved.users[0])
    created = await client(functions.messages.CreateChatRequest(users=[friend_input, bot], title="Interop"))
    chat = created.updates.chats[0]
    check.equal("a group is created", (chat.title, chat.participants_count), ("Interop", 3))
    members = {user.id for user in await client.get_participants(chat)}
    check.equal("its members are listed", members, {bot.id, friend.id, (await client.get_me()).id})
    action = await check.soon("its creation is told", other_inbox.next("action"))
    check.that("its creation is told to who is in it", action.created, action)

    await client.send_message(chat, "/echo in the group")
    echoed = await check.soon("the bot answers in it", other_inbox.next("new", lambda e: e.raw_text == "in the group"))
    check.equal("the bot answers in the group", echoed.sender_id, bot.id)
    removed = await client.kick_participant(chat, friend_input)
    check.equal("a member is removed", removed.action.user_id, friend.id)
    gone = await check.soon("a removal is told", other_inbox.next("action", lambda e: e.user_kicked))
    check.equal("who is removed is told", gone.user_id, friend.id)
    titles = [dialog.title for dialog in await client.get_dialogs()]
    check.that("the dialogs are listed, the newest first", titles[0] == "Interop" and len(titles) >= 3, titles)


async def difference(client, other, me):
    """What was missed while away comes from updates.getDifference."""
    peer = await other.get_input_entity(me.id)
    before = await client(functions.updates.GetStateRequest())
    session = client.session
    await client.disconnect()
    for number in range(3):
        await other.send_message(peer, f"while you were away {number}")
    again, missed = client_for(session=session), Inbox()
    listen(again, missed)
    await again.connect()
    found = await again(functions.updates.GetDifferenceRequest(before.pts, before.date, before.qts))
    texts = [message.message for message in found.new_messages]
    check.equal("the difference has what was missed", texts, [f"while you were away {n}" for n in range(3)])
    check.equal("and says where it ends", found.state.pts, before.pts + 3)
    await other.send_message(peer, "back again")
    came = await check.soon("updates go on", missed.next("new", lambda e: e.raw_text == "back again"))
    check.that("the same key goes on with updates after a reconnection", came.is_private, came)
    return again


def listen(client, inbox):
    client.add_event_handler(lambda e: _put(inbox, "new", e), events.NewMessage())
    client.add_event_handler(lambda e: _put(inbox, "edited", e), events.MessageEdited())
    client.add_event_handler(lambda e: _put(inbox, "deleted", e), events.MessageDeleted())
    client.add_event_handler(lambda e: _put(inbox, "read", e), events.MessageRead(inbox=False))
    client.add_event_handler(lambda e: _put(inbox, "action", e), events.ChatAction())


async def _put(inbox, kind, event):
    inbox.put(kind, event)


async def run(given):
    check.equal("its layer is the one that is meant", LAYER, given.layer)
    rsa.add_key(dc.pem, old=False)
    for name in TRANSPORTS if given.transports == "all" else [given.transports]:
        await transport(name)

    client, other = client_for("abridged"), client_for("obfuscated padded intermediate")
    inbox, other_inbox = Inbox(), Inbox()
    listen(client, inbox)
    listen(other, other_inbox)
    try:
        me = await signed_in(client, PHONE, "Tele")
        friend = await signed_in(other, OTHER_PHONE, "Friend")
        check.equal("the account is one's own", (await client.get_me()).id, me.id)
        await errors_are_readable(client)
        await the_bot(client, inbox)
        await two_people(client, inbox, other, other_inbox, me)
        await saved_messages(client)
        await groups(client, other_inbox, friend)
        client = await difference(client, other, me)
        await client(functions.auth.LogOutRequest())
        await check.refused("who has signed out is refused", client(functions.updates.GetStateRequest()), errors.UnauthorizedError)
    finally:
        await client.disconnect()
        await other.disconnect()
    print(f"{check.client}: {check.count} checks")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Telethon against a local DC")
    parser.add_argument("--layer", type=int, required=True, help="the layer that this release speaks")
    parser.add_argument("--transports", default="all", choices=["all", *TRANSPORTS])
    asyncio.run(run(parser.parse_args()))
