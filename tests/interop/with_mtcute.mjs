// mtcute against a local DC, with perfect forward secrecy: tests/interop-mtcute.sh runs it, beside node_modules.
//
// mtcute is unmodified: it takes the DC's address, its RSA key, and a codec of ours, which notes by which key each packet was
// encrypted. Prints a line for everything that was checked and exits 0, or says what does not hold and exits 1.

import { readFileSync } from 'node:fs'

import { IntermediatePacketCodec, MemoryStorage, ObfuscatedPacketCodec, PaddedIntermediatePacketCodec } from '@mtcute/core'
import { addPublicKey, NodeCryptoProvider } from '@mtcute/node/utils.js'
import { TcpTransport, TelegramClient } from '@mtcute/node'

const [host, port] = process.env.LOCAL_DC_ADDRESS.split(/:(?=\d+$)/)
const code = process.env.LOCAL_DC_CODE
const botName = process.env.LOCAL_DC_BOT
const dc = { id: Number(process.env.LOCAL_DC_ID), ipAddress: host, port: Number(port) }
const layer = Number(process.argv[2])

const version = JSON.parse(readFileSync(new URL('node_modules/@mtcute/core/package.json', import.meta.url))).version
const name = `mtcute ${version}`
let checks = 0

function check(what, holds, found) {
  if (!holds) {
    console.error(`${name}: NOT ${what}${found === undefined ? '' : `: ${JSON.stringify(found)}`}`)
    process.exit(1)
  }
  checks += 1
  console.log(`${name}: ${what}`)
}

const equal = (what, found, expected) =>
  check(what, JSON.stringify(found) === JSON.stringify(expected), { found, expected })

async function refused(what, promise, text) {
  try {
    await promise
  } catch (error) {
    check(what, String(error.message ?? error).includes(text) || error.text?.includes(text), String(error))
    return
  }
  check(what, false, 'it was not refused')
}

// What comes, by kind, in the order it came.
class Inbox {
  queues = {}
  waiting = {}

  put(kind, event) {
    (this.queues[kind] ??= []).push(event)
    this.waiting[kind]?.()
  }

  async next(what, kind, wanted = () => true, seconds = 10) {
    const end = Date.now() + seconds * 1000
    for (;;) {
      const queue = (this.queues[kind] ??= [])
      while (queue.length > 0) {
        const event = queue.shift()
        if (wanted(event)) return event
      }
      const left = end - Date.now()
      if (left <= 0) check(what, false, `not within ${seconds} s`)
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left)
        this.waiting[kind] = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

// The ids of the auth keys by which packets were encrypted, in the order of their first use; '0…0' is the key exchange.
function recorded(codec, keys) {
  const encode = codec.encode
  codec.encode = function (frame, into) {
    const id = Buffer.from(frame.subarray(0, 8)).toString('hex')
    if (!keys.includes(id)) keys.push(id)
    return encode.call(this, frame, into)
  }
  return codec
}

const CODECS = {
  intermediate: () => new IntermediatePacketCodec(),
  'obfuscated intermediate': () => new ObfuscatedPacketCodec(new IntermediatePacketCodec()),
  'obfuscated padded intermediate': () => new ObfuscatedPacketCodec(new PaddedIntermediatePacketCodec()),
}

class Transport extends TcpTransport {
  constructor(codec, keys) {
    super()
    this.codec = codec
    this.keys = keys
  }

  packetCodec() {
    return recorded(CODECS[this.codec](), this.keys)
  }
}

const crypto = new NodeCryptoProvider()

function clientFor({ codec = 'intermediate', storage = new MemoryStorage(), keys = [] } = {}) {
  const client = new TelegramClient({
    apiId: 12345,
    apiHash: '0123456789abcdef0123456789abcdef',
    storage,
    crypto,
    transport: new Transport(codec, keys),
    defaultDcs: { main: dc, media: dc },
    network: { usePfs: true },
    updates: { catchUp: true },
    logLevel: Number(process.env.MTCUTE_LOG ?? 1),
  })
  const inbox = new Inbox()
  client.onNewMessage.add((message) => inbox.put('new', message))
  client.onEditMessage.add((message) => inbox.put('edited', message))
  client.onDeleteMessage.add((update) => inbox.put('deleted', update))
  return { client, inbox, storage, keys }
}

// Signs in by code, or up; mtcute leaves the latter to the raw call.
async function signIn({ client }, phone, first) {
  await client.connect()
  const sent = await client.sendCode({ phone })
  await refused(`a wrong code is refused for ${first}`, client.signIn({ phone, phoneCodeHash: sent.phoneCodeHash, phoneCode: '00000' }), 'PHONE_CODE_INVALID')
  const signed = { phoneNumber: phone, phoneCodeHash: sent.phoneCodeHash }
  let authorization = await client.call({ _: 'auth.signIn', ...signed, phoneCode: code })
  const isNew = authorization._ === 'auth.authorizationSignUpRequired'
  if (isNew) authorization = await client.call({ _: 'auth.signUp', ...signed, firstName: first, lastName: 'Cute' })
  await client.notifyLoggedIn(authorization)
  const me = await client.getMe()
  equal(`${first} signs ${isNew ? 'up' : 'in'}`, [me.firstName, me.lastName], [first, 'Cute'])
  await client.startUpdatesLoop()
  return me
}

// The id of a key as it stands in a packet: the last eight bytes of its SHA1.
const idOf = (key) => Buffer.from(crypto.sha1(key).subarray(-8)).toString('hex')

async function keysAreSeparate(who, { storage, keys }) {
  const permanent = idOf(await storage.authKeys.get(dc.id))
  const temporary = keys.filter((id) => id !== '0'.repeat(16))
  check(`${who}: API traffic goes by a temporary key`, temporary.length >= 1, keys)
  check(`${who}: nothing is encrypted by the permanent key`, !temporary.includes(permanent), { permanent, keys })
  return { permanent, temporary }
}

async function byCodec(codec) {
  const it = clientFor({ codec })
  await signIn(it, phone, 'Emtee')
  const text = `by ${codec}: ` + '§'.repeat(3000)
  await it.client.sendText(botName, '/echo ' + text)
  await it.inbox.next(`${codec}: the answer comes`, 'new', (message) => message.text === text)
  check(`${codec}: the bot's answer comes`, true)
  await keysAreSeparate(codec, it)
  await it.client.logOut()
  await it.client.destroy()
}

async function theBot({ client, inbox }) {
  const bot = await client.resolvePeer(botName)
  await client.sendText(botName, '/start')
  const hello = await inbox.next('the greeting comes', 'new', (message) => message.text.startsWith('Hello'))
  equal('the bot greets', hello.text, 'Hello, Emtee!')
  await client.sendText(botName, '/menu')
  const menu = await inbox.next('the keyboard comes', 'new', (message) => message.text === 'Choose')
  const rows = menu.markup.buttons.map((row) => row.map((button) => button.text))
  equal(`the keyboard is as layer ${layer} has it`, rows, [['More', 'Site']])
  equal('its buttons are of that layer\'s kinds', menu.markup.buttons[0].map((button) => button._), ['keyboardButtonCallback', 'keyboardButtonUrl'])
  const answer = await client.getCallbackAnswer({ chatId: bot, message: menu.id, data: 'more' })
  equal('a pressed button is answered', [answer.message, answer.alert], ['more it is', true])
  const edited = await inbox.next('the edit comes', 'edited', (message) => message.id === menu.id)
  equal('the bot\'s edit comes', edited.text, 'Chosen')
}

async function twoPeople(one, other, me, friend) {
  const { peer } = await one.client.call({ _: 'contacts.resolvePhone', phone: otherPhone })
  equal('a person is found by the phone number', peer.userId, friend.id)
  await one.client.sendTyping(friend.id)
  const sent = await one.client.sendText(friend.id, { text: 'bold 🦀 code', entities: [{ _: 'messageEntityBold', offset: 0, length: 4 }, { _: 'messageEntityCode', offset: 8, length: 4 }] })
  const got = await other.inbox.next('a message comes', 'new')
  equal('a message comes with its entities', [got.text, got.entities.map((entity) => entity.kind)], ['bold 🦀 code', ['bold', 'code']])
  equal('its author is known', got.sender.id, me.id)
  await other.client.replyText(got, 'got it')
  const reply = await one.inbox.next('a reply comes', 'new', (message) => message.sender.id === friend.id)
  equal('a reply says what it replies to', [reply.text, reply.replyToMessage.id], ['got it', sent.id])
  await one.client.editMessage({ chatId: friend.id, message: sent.id, text: 'edited' })
  const edited = await other.inbox.next('an edit comes', 'edited')
  equal('an edit comes', [edited.text, edited.id], ['edited', got.id])
  await other.client.readHistory(me.id, { maxId: got.id })
  const history = await one.client.getHistory(friend.id, { limit: 10 })
  equal('the history is in order', history.map((message) => message.text), ['got it', 'edited'])
  await one.client.deleteMessagesById(friend.id, [sent.id], { revoke: true })
  const deleted = await other.inbox.next('a deletion comes', 'deleted')
  equal('a deletion comes', deleted.messageIds, [got.id])
  for (let number = 0; number < 25; number += 1) await one.client.sendText('me', `note ${number}`)
  const notes = []
  for await (const note of one.client.iterHistory('me', { limit: 25, chunkSize: 10 })) notes.push(note.text)
  equal('a long history is paged through', notes, Array.from({ length: 25 }, (_, number) => `note ${24 - number}`))
}

async function groups(one, other, friend) {
  const { chat } = await one.client.createGroup({ title: 'mtcute', users: [friend.id, botName] })
  equal('a group is created', chat.title, 'mtcute')
  const told = await other.inbox.next('its creation is told', 'new', (message) => message.isService)
  equal('its creation is told to who is in it', told.chat.id, chat.id)
  const members = await one.client.getChatMembers(chat.id)
  equal('its members are listed', members.map((member) => member.status).sort(), ['creator', 'member', 'member'])
  await one.client.sendText(chat.id, '/echo in the group')
  const echoed = await other.inbox.next('the bot answers', 'new', (message) => message.text === 'in the group')
  equal('the bot answers in the group', echoed.chat.id, chat.id)
  const titles = []
  for await (const dialog of one.client.iterDialogs()) titles.push(dialog.peer.displayName)
  check('the dialogs are listed, the newest first', titles[0] === 'mtcute' && titles.length >= 3, titles)
}

// The same permanent key in a new connection: nothing goes by it there either, and what was missed is fetched.
async function again(one, other, me) {
  const { permanent } = await keysAreSeparate('before', one)
  await one.client.disconnect()
  for (const number of [0, 1, 2]) await other.client.sendText(me.id, `while you were away ${number}`)
  one.keys.length = 0
  await one.client.connect()
  await one.client.startUpdatesLoop()
  const texts = []
  for (const _ of [0, 1, 2]) texts.push((await one.inbox.next('the difference comes', 'new', (message) => message.text.startsWith('while'))).text)
  equal('the difference has what was missed', texts.sort(), [0, 1, 2].map((number) => `while you were away ${number}`))
  await other.client.sendText(me.id, 'back again')
  await one.inbox.next('updates go on', 'new', (message) => message.text === 'back again')
  check('updates go on after it', true)
  const after = await keysAreSeparate('after a reconnection', one)
  equal('the permanent key is the same', after.permanent, permanent)
}

const phone = `49305552${layer}0`
const otherPhone = `49305552${layer}1`

addPublicKey(crypto, readFileSync(process.env.LOCAL_DC_KEY, 'ascii'))
await crypto.initialize?.()
const schema = JSON.parse(readFileSync(new URL('node_modules/@mtcute/core/tl/api-schema.json', import.meta.url)))
equal('its layer is the one that is meant', schema.l, layer)

for (const codec of Object.keys(CODECS)) await byCodec(codec)
const one = clientFor()
const other = clientFor({ codec: 'obfuscated intermediate' })
const me = await signIn(one, phone, 'Emtee')
const friend = await signIn(other, otherPhone, 'Friend')
await refused('a method that is not there is named', one.client.call({ _: 'messages.getAllDrafts' }, { maxRetryCount: 0 }), 'METHOD_NOT_IMPLEMENTED_messages.getAllDrafts')
await theBot(one)
await twoPeople(one, other, me, friend)
await groups(one, other, friend)
await again(one, other, me)
await one.client.destroy()
await other.client.destroy()
console.log(`${name}: ${checks} checks`)
process.exit(0)
