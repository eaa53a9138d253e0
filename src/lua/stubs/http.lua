---@meta

---HTTP and HTTPS, to the hosts that the configuration grants:
---
---```toml
---[script.weather]
---allow = ["http:api.example.com", "http:*.example.org", "http:127.0.0.1:8080"]
---```
---
---A grant is a host, everything below one (`*.example.org`), an address, a network (`192.168.0.0/16`) or all hosts (`*`), at any
---port or at one (`host:8443`). It is checked before each step of a redirect, and again for the addresses that a name leads to:
---those of this machine or of a private network need a grant as an address or network; `http:localhost` reaches this machine by
---that name.
---
---Each function waits, so none can be called at the top level; the updates of this handler's chat wait, too. A request ends
---with its handler or version. At most 20 are open at once (`limits.requests`), and a body counts towards the script's memory.
---
---What the server says is an answer, also `404`: look at `response.ok`. What keeps it from answering is raised, with a name
---for `err:is`: `HTTP_NOT_ALLOWED` (the message names the grant), `HTTP_TIMEOUT`, `HTTP_CONNECT`, `HTTP_REDIRECTS`,
---`HTTP_TOO_LARGE`, `HTTP_FILE`, or `HTTP_FAILED` for an answer that broke off or is none.
---
---```lua
---local response = http.get("https://api.example.com/v1/weather", { query = { city = "Berlin" }, timeout = 10 })
---if response.ok then message:reply(response:json().summary) end
---```
---@class http
http = {}

---@alias http.value string|number|boolean

---@class http.options
---@field headers? table<string, http.value|http.value[]> A list sends the header more than once.
---@field query? table<string, http.value|http.value[]> Added to the URL, escaped.
---@field body? string
---@field json? any The body as JSON, with its `content-type`.
---@field form? table<string, http.value|http.value[]> The body as a web form sends it.
---@field bearer? string The token of an `Authorization: Bearer` header.
---@field user? string With `password`: `Authorization: Basic`. A URL may have both, too.
---@field password? string
---@field timeout? number Seconds until the whole answer is there, redirects included: 30, at most 600. Ten of them for the connection.
---@field redirects? integer How many are followed: 5, at most 20. With 0 a redirect is the answer. To another host, neither `authorization` nor `cookie` is sent along.
---@field max_body? integer Bytes of the body, unpacked: 8 MiB, or 256 MiB into a file.
---@field to? string A file in the script's data folder that the body goes to, as it comes. It stands there once it is whole, and only if the answer is a success (2xx).

---@class http.request: http.options
---@field url string
---@field method? string `GET`, or `POST` where there is a body.

---@class http.response
---@field status integer
---@field ok boolean Whether the status is 2xx.
---@field headers table<string, string> By name, in any case. What came more than once is joined with `, `; cookies are lines.
---@field body string? Unpacked. Nil where it went to a file.
---@field file string? The file that it went to.
---@field size integer Bytes of the body.
---@field url string Where the last redirect led; without a login.
local Response = {}

---The body as JSON, as `json.decode` reads it.
---@return any
function Response:json() end

---@async
---@param url string
---@param options? http.options
---@return http.response
function http.get(url, options) end

---@async
---@param url string
---@param options? http.options
---@return http.response
function http.post(url, options) end

---Any method: `http.request{ url = …, method = "DELETE" }`.
---@async
---@param options http.request
---@return http.response
function http.request(options) end
