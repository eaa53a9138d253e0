#!/usr/bin/env python3
"""Kurigram against a local DC: tests/interop-kurigram.sh runs it.

Kurigram is unmodified: it takes a connection of ours that knows the DC's address, and the DC's RSA key beside its own. People
and the bot are all Kurigram's. Prints a line for everything that was checked and exits 0, or says what does not hold and exits 1.
"""

import argparse
import asyncio

import pyrogram
from pyrogram import Client, enums, errors, raw, types
from pyrogram.connection import transport as transports
from pyrogram.connection.connection import Connection
from pyrogram.crypto import rsa
from pyrogram.handlers import CallbackQueryHandler, DeletedMessagesHandler, EditedMessageHandler, MessageHandler
from pyrogram.raw.all import layer as LAYER

from local_dc import Checks, Inbox, LocalDc

API_ID, API_HASH = 12345, "0123456789abcdef0123456789abcdef"
PHONE, OTHER_PHONE = f"49305551{LAYER}0", f"49305551{LAYER}1"

TRANSPORTS = [
    "TCPAbridged",
    "TCPAbridgedO",
    "TCPFull",
    "TCPIntermediate",
    "TCPIntermediateO",
    "TCPIntermediatePadded",
]

check = Checks(f"Kurigram {pyrogram.__version__}")
dc = LocalDc()


class LocalConnection(Connection):
    """A connection to the local DC, whatever address Kurigram knows."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.server_address, self.port, self.ipv6 = dc.host, dc.port, ":" in dc.host


def client_for(name, transport="TCPAbridged", **options):
    options = {"in_memory": True, "no_updates": False, **options}
    return Client(
        name,
        API_ID,
        API_HASH,
        connection_factory=LocalConnection,
        protocol_factory=getattr(transports, transport),
        workdir=dc.work,
        **options,
    )


async def signed_in(client, phone, name):
    """Signs in by code, or up; then goes on as Client.start does, which would ask at the terminal."""
    await client.connect()
    sent = await client.send_phone_number_code(phone)
    await check.refused(
        f"a wrong code is refused for {name}",
        client.sign_in(phone, sent.phone_code_hash, "00000"),
        errors.PhoneCodeInvalid,
    )
    me = await client.sign_in(phone, sent.phone_code_hash, dc.code)
    if me:
        check.that(f"{name} signs in", me.first_name == name, me)
    else:
        me = await client.sign_up(phone, sent.phone_code_hash, name, "Gram")
        check.that(f"{name} signs up", (me.first_name, me.last_name) == (name, "Gram"), me)
    await client.invoke(raw.functions.updates.GetState())
    client.me = await client.get_me()
    check.equal(f"{name} is who signed in", client.me.id, me.id)
    await client.initialize()
    return me


async def with_transport(name, bot):
    """A key exchange, a sign-in by token and by code, and an answer of the bot by one transport."""
    client, second = client_for("by_transport", name), client_for("bot_by_transport", name, bot_token=dc.token)
    inbox = Inbox()
    listen(client, inbox)
    try:
        await second.start()
        check.equal(f"{name}: the bot signs in by its token", (second.me.id, second.me.is_bot), (bot.id, True))
        await second.stop()
        await signed_in(client, PHONE, "Kuri")
        text = f"by {name}: " + "§" * 3000
        await client.send_message(dc.bot, "/echo " + text)
        answer = await check.soon(f"{name}: the answer comes", inbox.next("new", lambda m: m.text == text))
        check.equal(f"{name}: the bot's answer comes", answer.from_user.id, bot.id)
        await client.log_out()
    finally:
        for client in (client, second):
            if client.is_connected:
                await client.stop()


async def serve(bot, inbox):
    """The bot: /echo, /menu, and what its buttons do."""

    async def on_message(client, message):
        inbox.put("new", message)
        text = message.text or ""
        if text.startswith("/echo "):
            await message.reply(text.removeprefix("/echo "))
        elif text == "/menu":
            button, link = types.InlineKeyboardButton("More", callback_data="more"), types.InlineKeyboardButton("Site", url="https://example.com/")
            await message.reply("Choose", reply_markup=types.InlineKeyboardMarkup([[button, link]]))
        elif text == "/ask":
            keyboard = types.ReplyKeyboardMarkup(
                [["Yes", "No"], [types.KeyboardButton("Phone", request_contact=True)]], resize_keyboard=True, placeholder="Well?"
            )
            await message.reply("Yes or no?", reply_markup=keyboard)

    async def on_press(client, query):
        inbox.put("pressed", query)
        await query.answer("more it is", show_alert=True)
        await query.edit_message_text("Chosen")

    bot.add_handler(MessageHandler(on_message))
    bot.add_handler(CallbackQueryHandler(on_press))
    await bot.start()


async def bots_commands(client, bot):
    commands = [types.BotCommand("echo", "Repeat"), types.BotCommand("menu", "Choose")]
    check.that("a bot sets its commands", await bot.set_bot_commands(commands) is True)
    told = [(command.command, command.description) for command in await bot.get_bot_commands()]
    check.equal("a bot is told its commands", told, [("echo", "Repeat"), ("menu", "Choose")])
    full = await client.invoke(raw.functions.users.GetFullUser(id=await client.resolve_peer(dc.bot)))
    told = [command.command for command in full.full_user.bot_info.commands]
    check.equal("people are told its commands", told, ["echo", "menu"])
    check.that("they can be taken back", await bot.delete_bot_commands() is True and await bot.get_bot_commands() == [])


async def keyboards(client, inbox, bot_inbox, me):
    """Both kinds of keyboard, sent and seen in this layer."""
    await client.send_message(dc.bot, "/menu")
    menu = await check.soon("an inline keyboard comes", inbox.next("new", lambda m: m.text == "Choose"))
    (more, site), = menu.reply_markup.inline_keyboard
    check.equal("an inline keyboard comes whole", (more.text, more.callback_data, site.url), ("More", "more", "https://example.com/"))
    answer = await client.request_callback_answer(menu.chat.id, menu.id, "more")
    check.equal("a pressed button is answered", (answer.message, answer.alert), ("more it is", True))
    pressed = await check.soon("the press comes", bot_inbox.next("pressed"))
    check.equal("the bot knows who pressed and what", (pressed.from_user.id, pressed.data), (me.id, "more"))
    edited = await check.soon("the edit comes", inbox.next("edited", lambda m: m.id == menu.id))
    check.equal("the bot's edit comes, without the keyboard", (edited.text, edited.reply_markup), ("Chosen", None))
    await check.refused("a button that is gone is refused", client.request_callback_answer(menu.chat.id, menu.id, "more"), errors.RPCError)

    await client.send_message(dc.bot, "/ask")
    asked = await check.soon("a reply keyboard comes", inbox.next("new", lambda m: m.text == "Yes or no?"))
    markup = asked.reply_markup
    rows = [[getattr(button, "text", button) for button in row] for row in markup.keyboard]
    check.equal("a reply keyboard comes whole", (rows, markup.resize_keyboard, markup.placeholder), ([["Yes", "No"], ["Phone"]], True, "Well?"))
    check.that("a button that asks for something says so", markup.keyboard[1][0].request_contact, markup.keyboard)


async def two_people(client, inbox, other, other_inbox, me, friend):
    peer = await client.invoke(raw.functions.contacts.ResolvePhone(phone=OTHER_PHONE))
    check.equal("a person is found by the phone number", peer.peer.user_id, friend.id)
    await client.send_chat_action(friend.id, enums.ChatAction.TYPING)
    sent = await client.send_message(friend.id, "**bold** 🦀 `code`")
    got = await check.soon("a message comes", other_inbox.next("new"))
    kinds = [entity.type for entity in got.entities]
    check.equal("a message comes with its entities", (got.text, kinds), ("bold 🦀 code", [enums.MessageEntityType.BOLD, enums.MessageEntityType.CODE]))
    check.equal("its author is known", got.from_user.id, me.id)
    await got.reply("got it")
    seen = await check.soon("a reply comes", inbox.next("new", lambda m: m.from_user.id == friend.id))
    check.equal("a reply says what it replies to", (seen.text, seen.reply_to_message_id), ("got it", sent.id))
    check.equal("and can show it", seen.reply_to_message.text, "bold 🦀 code")
    await sent.edit_text("edited")
    edited = await check.soon("an edit comes", other_inbox.next("edited"))
    check.equal("an edit comes", (edited.text, edited.id), ("edited", got.id))
    check.that("a chat is marked as read", await other.read_chat_history(me.id, got.id))
    history = [message.text async for message in client.get_chat_history(friend.id)]
    check.equal("the history is in order", history, ["got it", "edited"])
    single = await client.get_messages(friend.id, [sent.id, 999_999])
    check.that("messages are had by id, and what is not there is empty", single[0].text == "edited" and single[1].empty, single)
    check.equal("a deletion is counted", await client.delete_messages(friend.id, sent.id), 1)
    deleted = await check.soon("a deletion comes", other_inbox.next("deleted"))
    check.equal("a deletion comes", [message.id for message in deleted], [got.id])
    for number in range(25):
        await client.send_message("me", f"note {number}")
    notes = [message.text async for message in client.get_chat_history("me", limit=25)]
    check.equal("a long history is paged through", notes, [f"note {n}" for n in range(24, -1, -1)])


async def groups(client, other_inbox, bot, friend):
    title = f"Kurigram {LAYER}"
    created = await client.create_group(title, [friend.id, bot.id])
    chat = getattr(created, "chat", None) or created
    check.equal("a group is created", chat.title, title)
    told = await check.soon("its creation is told", other_inbox.next("new", lambda m: m.service is not None))
    check.equal("its creation is told to who is in it", told.chat.id, chat.id)
    members = {member.user.id: member.status async for member in client.get_chat_members(chat.id)}
    expected = {client.me.id: enums.ChatMemberStatus.OWNER, friend.id: enums.ChatMemberStatus.MEMBER, bot.id: enums.ChatMemberStatus.MEMBER}
    check.equal("its members are listed", members, expected)
    await client.send_message(chat.id, "/echo in the group")
    echoed = await check.soon("the bot answers in the group", other_inbox.next("new", lambda m: m.text == "in the group"))
    check.equal("the bot answers in the group", (echoed.chat.id, echoed.from_user.id), (chat.id, bot.id))
    dialogs = [dialog.chat.title or dialog.chat.first_name async for dialog in client.get_dialogs()]
    check.that("the dialogs are listed, the newest first", dialogs[0] == title and len(dialogs) >= 3, dialogs)


async def difference(other, me):
    """What came while a client was away comes to its handlers when it is back: Kurigram asks for the difference."""
    client, inbox = client_for(f"away_{LAYER}", "TCPFull", in_memory=False, skip_updates=False), Inbox()
    await signed_in(client, PHONE, "Kuri")
    # Where it stands Kurigram remembers from the first update on.
    listen(client, inbox)
    await other.send_message(me.id, "before")
    await check.soon("an update comes", inbox.next("new", lambda m: m.text == "before"))
    await client.stop(clear_handlers=False)
    for number in range(3):
        await other.send_message(me.id, f"while you were away {number}")
    await client.start()
    away = lambda m: (m.text or "").startswith("while")
    missed = {(await check.soon("the difference comes", inbox.next("new", away))).text for _ in range(3)}
    check.equal("the difference has what was missed", missed, {f"while you were away {n}" for n in range(3)})
    await other.send_message(me.id, "back again")
    await check.soon("updates go on", inbox.next("new", lambda m: m.text == "back again"))
    check.that("updates go on after it", True)
    return client


def listen(client, inbox):
    def into(kind):
        # Kurigram runs what is no coroutine function in a thread.
        async def put(_, event):
            inbox.put(kind, event)

        return put

    client.add_handler(MessageHandler(into("new")))
    client.add_handler(EditedMessageHandler(into("edited")))
    client.add_handler(DeletedMessagesHandler(into("deleted")))


async def run(given):
    check.equal("its layer is the one that is meant", LAYER, given.layer)
    fingerprint, modulus, exponent = dc.rsa_key()
    rsa.server_public_keys[fingerprint] = rsa.PublicKey(modulus, exponent)

    bot, bot_inbox = client_for("bot", bot_token=dc.token), Inbox()
    client, other = client_for("one", "TCPIntermediate"), client_for("other", "TCPIntermediateO")
    inbox, other_inbox = Inbox(), Inbox()
    listen(client, inbox)
    listen(other, other_inbox)
    away = None
    try:
        await serve(bot, bot_inbox)
        check.that("the bot signs in by its token", bot.me.is_bot and bot.me.username == dc.bot, bot.me)
        await check.refused("a wrong token is refused", client_for("x", bot_token="1:x").start(), errors.AccessTokenInvalid)
        for name in TRANSPORTS if given.transports == "all" else [given.transports]:
            await with_transport(name, bot.me)
        me = await signed_in(client, PHONE, "Kuri")
        friend = await signed_in(other, OTHER_PHONE, "Friend")
        await check.refused(
            "a method that is not there is named",
            client.invoke(raw.functions.messages.GetAllDrafts()),
            errors.RPCError,
            "METHOD_NOT_IMPLEMENTED_messages.getAllDrafts",
        )
        await bots_commands(client, bot)
        await keyboards(client, inbox, bot_inbox, me)
        await two_people(client, inbox, other, other_inbox, me, friend)
        await groups(client, other_inbox, bot.me, friend)
        away = await difference(other, me)
    finally:
        for each in (client, other, bot, away):
            if each is not None and each.is_connected:
                await each.stop()
    print(f"{check.client}: {check.count} checks")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Kurigram against a local DC")
    parser.add_argument("--layer", type=int, required=True, help="the layer that this release speaks")
    parser.add_argument("--transports", default="all", choices=["all", *TRANSPORTS])
    asyncio.run(run(parser.parse_args()))
