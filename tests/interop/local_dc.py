"""What the suites of Python clients share: where the DC is, and one printed line for each thing that was checked."""

import asyncio
import base64
import hashlib
import os
import struct


class LocalDc:
    """The DC that tests/interop/start.sh has started."""

    def __init__(self):
        self.host, _, port = os.environ["LOCAL_DC_ADDRESS"].rpartition(":")
        self.port = int(port)
        self.id = int(os.environ["LOCAL_DC_ID"])
        with open(os.environ["LOCAL_DC_KEY"], encoding="ascii") as file:
            self.pem = file.read()
        self.code = os.environ["LOCAL_DC_CODE"]
        self.bot = os.environ["LOCAL_DC_BOT"]
        self.token = os.environ["LOCAL_DC_TOKEN"]
        self.work = os.environ["LOCAL_DC_WORK"]

    def rsa_key(self):
        """Fingerprint (signed), modulus and exponent of the key, which is PKCS#1: a sequence of two integers."""
        lines = [line for line in self.pem.splitlines() if line and not line.startswith("-")]
        _, sequence, _ = _der(base64.b64decode("".join(lines)))
        _, modulus, rest = _der(sequence)
        _, exponent, _ = _der(rest)
        modulus, exponent = modulus.lstrip(b"\0"), exponent.lstrip(b"\0")
        digest = hashlib.sha1(_tl_bytes(modulus) + _tl_bytes(exponent)).digest()
        fingerprint = struct.unpack("<q", digest[-8:])[0]
        return fingerprint, int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


def _der(data):
    """Tag, content and what follows of the first DER value."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    return tag, data[start : start + length], data[start + length :]


def _tl_bytes(data):
    head = bytes([len(data)]) if len(data) < 254 else b"\xfe" + len(data).to_bytes(3, "little")
    return head + data + bytes(-(len(head) + len(data)) % 4)


class Checks:
    """Prints what holds, and ends the suite at the first thing that does not."""

    def __init__(self, client):
        self.client, self.count = client, 0

    def that(self, what, holds, found=None):
        if not holds:
            raise SystemExit(f"{self.client}: NOT {what}{'' if found is None else f': {found!r}'}")
        self.count += 1
        print(f"{self.client}: {what}", flush=True)

    def equal(self, what, found, expected):
        self.that(what, found == expected, {"found": found, "expected": expected})

    async def soon(self, what, awaitable, seconds=10):
        """The result of what must come within some seconds."""
        try:
            return await asyncio.wait_for(awaitable, seconds)
        except asyncio.TimeoutError:
            raise SystemExit(f"{self.client}: NOT {what} within {seconds} s") from None

    async def refused(self, what, awaitable, error, text=""):
        """An error of this class, with this text in it."""
        try:
            await awaitable
        except error as refusal:
            self.that(what, text in str(refusal), refusal)
            return
        raise SystemExit(f"{self.client}: NOT {what}: it was not refused")


class Inbox:
    """Events by kind, in the order they came."""

    def __init__(self):
        self.queues = {}

    def queue(self, kind):
        return self.queues.setdefault(kind, asyncio.Queue())

    def put(self, kind, event):
        self.queue(kind).put_nowait(event)

    async def next(self, kind, wanted=lambda event: True):
        """The next event of a kind that is the wanted one; others of the kind are passed over."""
        while True:
            event = await self.queue(kind).get()
            if wanted(event):
                return event
