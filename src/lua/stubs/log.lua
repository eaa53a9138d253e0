---@meta

---The log, with the script's name. One argument is the text; more are a format, as `string.format` has it, and what goes into
---it. A table behind either has fields, which machines find again: in the text log behind the text, with `--log-format json` as
---`fields`, itself JSON.
---
---```lua
---log.info("live")
---log.warn("%d of %d failed", failed, total)
---log.info("sold", { item = "book", price = 12.5 })
---```
---@class log
log = {}

---Shown with `--log script=debug`.
---@param text any
---@param ... any
function log.debug(text, ...) end

---@param text any
---@param ... any
function log.info(text, ...) end

---@param text any
---@param ... any
function log.warn(text, ...) end

---@param text any
---@param ... any
function log.error(text, ...) end
