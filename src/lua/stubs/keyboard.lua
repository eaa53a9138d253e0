---@meta

---Keyboards for `reply_markup`, wherever a method takes it. What is wrong with a button is an error that names its row.
---
---```lua
---message:reply("Sure?", { reply_markup = keyboard.inline({ { { text = "Yes", data = "y" }, { text = "No", data = "n" } } }) })
---```
---@class keyboard
keyboard = {}

---A TL object of type `ReplyMarkup`.
---@class keyboard.markup

---@alias keyboard.style "primary"|"danger"|"success"

---A button below a message: its text, and one thing that it does.
---@class keyboard.inline_button
---@field text string
---@field data? string Sent back as `callback_query.data`: 1 to 64 bytes.
---@field url? string Opens it.
---@field web_app? string Opens a Mini App at this URL.
---@field login_url? string|keyboard.login Signs in on a website with Telegram.
---@field switch_inline? string Lets the person choose a chat, and asks this bot there.
---@field switch_inline_here? string Asks this bot in the same chat.
---@field copy? string Copies this text.
---@field user_id? integer|string|table Opens this person's profile.
---@field game? boolean The first button of a game's message.
---@field pay? boolean The first button of an invoice.
---@field style? keyboard.style
---@field icon? integer The id of a custom emoji before the text.

---@class keyboard.login
---@field url string
---@field forward_text? string What the button says in forwarded messages.
---@field bot? integer|string|table Another bot to sign in with.
---@field request_write_access? boolean Asks whether the bot may write.

---A key: its text, which it sends, or something else that it does.
---@class keyboard.reply_button
---@field text string
---@field request? "contact"|"location"|"poll"|"quiz"|"user"|"chat"|"channel" Sends it, or lets the person choose it.
---@field id? integer For `user`, `chat` and `channel`: the number that comes back with the choice (1).
---@field max? integer For `user`: how many may be chosen (1).
---@field web_app? string Opens a Mini App at this URL.
---@field style? keyboard.style
---@field icon? integer

---@class keyboard.reply_options
---@field resize? boolean As high as the keys need.
---@field one_time? boolean Goes away when a key was pressed.
---@field placeholder? string Stands in the empty input field.
---@field selective? boolean Only for who is mentioned or replied to.
---@field persistent? boolean Stays open.

---Buttons below a message: a list of rows, each a list of buttons.
---@param rows keyboard.inline_button[][]
---@return keyboard.markup
function keyboard.inline(rows) end

---Keys in place of the letters.
---
---```lua
---keyboard.reply({ { "Yes", "No" }, { { text = "My number", request = "contact" } } }, { resize = true, one_time = true })
---```
---@param rows (string|keyboard.reply_button)[][]
---@param options? keyboard.reply_options
---@return keyboard.markup
function keyboard.reply(rows, options) end

---Takes the keys away.
---@param options? { selective?: boolean }
---@return keyboard.markup
function keyboard.remove(options) end

---Opens the input field as if the person had chosen to reply.
---@param options? { placeholder?: string, selective?: boolean }
---@return keyboard.markup
function keyboard.force_reply(options) end
