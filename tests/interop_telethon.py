#!/usr/bin/env python3
"""Telethon against a local DC: signs up and in as a user, writes to a bot, waits for the reply.

Telethon is unmodified but for the DC's address and RSA key. Everything comes by options or by the environment:

    --address   LOCAL_DC_ADDRESS   127.0.0.1:4430
    --key       LOCAL_DC_KEY       a file with the RSA public key (PKCS#1 PEM)
    --code      LOCAL_DC_CODE      the sign-in code
    --bot       LOCAL_DC_BOT       the bot's username
    --phone     LOCAL_DC_PHONE     any number; an unknown one is signed up
    --text      LOCAL_DC_TEXT      what to write to the bot, /start if not given
    --expect    LOCAL_DC_EXPECT    what the reply must contain, if anything
    --timeout   LOCAL_DC_TIMEOUT   seconds to wait for the reply, 10 if not given
    --no-reply                     does not wait: nobody runs the bot

Prints the reply and exits 0, or says what went wrong and exits 1.
"""

import argparse
import asyncio
import os
import sys

from telethon import TelegramClient, errors, events, functions, types
from telethon.crypto import rsa
from telethon.sessions import MemorySession

API_ID, API_HASH, DC_ID = 12345, "0123456789abcdef0123456789abcdef", 2


def options():
    parser = argparse.ArgumentParser(description="Telethon against a local DC")
    for name, default in [
        ("address", None), ("key", None), ("code", None), ("bot", None), ("phone", "+49 30 5550100"),
        ("text", "/start"), ("expect", ""), ("timeout", "10"),
    ]:
        value = os.environ.get(f"LOCAL_DC_{name.upper()}", default)
        parser.add_argument(f"--{name}", default=value, required=value is None)
    parser.add_argument("--no-reply", action="store_true")
    return parser.parse_args()


def client_for(given):
    host, _, port = given.address.rpartition(":")
    session = MemorySession()
    session.set_dc(DC_ID, host, int(port))
    return TelegramClient(session, API_ID, API_HASH, connection_retries=3, receive_updates=True)


async def sign_up(given):
    """Telethon itself refuses to sign up, so the one call is made by hand, with a client of its own."""
    client = client_for(given)
    await client.connect()
    try:
        sent = await client.send_code_request(given.phone)
        try:
            await client.sign_in(given.phone, given.code, phone_code_hash=sent.phone_code_hash)
        except errors.PhoneNumberUnoccupiedError:
            await client(functions.auth.SignUpRequest(given.phone, sent.phone_code_hash, "Tele", "Thon"))
    finally:
        await client.disconnect()


async def sign_in(given):
    client = client_for(given)
    await client.connect()
    sent = await client.send_code_request(given.phone)
    try:
        await client.sign_in(given.phone, "00000", phone_code_hash=sent.phone_code_hash)
        raise SystemExit("a wrong code was taken")
    except errors.PhoneCodeInvalidError:
        pass
    me = await client.sign_in(given.phone, given.code, phone_code_hash=sent.phone_code_hash)
    assert (await client.get_me()).id == me.id
    return client


async def expect_a_readable_refusal(client):
    try:
        await client(functions.messages.GetAllDraftsRequest())
    except errors.RPCError as error:
        assert error.code == 501 and "METHOD_NOT_IMPLEMENTED_messages.getAllDrafts" in str(error), error
        return
    raise SystemExit("a method that is not there was answered")


async def exercise(client, bot):
    """What does not need the bot's answer: histories, edits, deletions, dialogs, groups, a difference."""
    note = await client.send_message("me", "a **note**")
    assert note.entities and note.out, note
    edited = await client.edit_message(note, "an edited note")
    assert edited.text == "an edited note", edited
    assert [m.text for m in await client.get_messages("me", limit=5)][0] == "an edited note"
    assert (await client.delete_messages("me", [note.id]))[0].pts_count == 1
    group = await client(functions.messages.CreateChatRequest(users=[bot], title="Interop"))
    chat = group.updates.chats[0]
    await client.send_message(chat, "hello, group")
    assert any(dialog.title == "Interop" for dialog in await client.get_dialogs())
    assert {user.id for user in await client.get_participants(chat)} == {bot.id, (await client.get_me()).id}
    await client.catch_up()


async def run(given):
    with open(given.key, encoding="ascii") as file:
        rsa.add_key(file.read(), old=False)
    await sign_up(given)
    client = await sign_in(given)
    try:
        await expect_a_readable_refusal(client)
        bot = await client.get_entity(given.bot)
        assert isinstance(bot, types.User) and bot.bot, bot
        replied = asyncio.get_running_loop().create_future()

        @client.on(events.NewMessage(from_users=bot.id, incoming=True))
        async def on_reply(event):
            if not replied.done() and event.is_private:
                replied.set_result(event.message)

        await client.send_message(bot, given.text)
        if given.no_reply:
            print("signed in and wrote to", given.bot)
        else:
            try:
                message = await asyncio.wait_for(replied, float(given.timeout))
            except asyncio.TimeoutError:
                raise SystemExit(f"no reply from @{given.bot} to {given.text!r} within {given.timeout} s")
            print(message.message)
            if given.expect not in message.message:
                raise SystemExit(f"the reply does not contain {given.expect!r}")
        await exercise(client, bot)
    finally:
        await client.disconnect()


if __name__ == "__main__":
    asyncio.run(run(options()))
    sys.exit(0)
