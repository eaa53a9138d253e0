-- expect: endless_load_pieces.lua:
-- A source of many pieces, each of a megabyte of blanks: the time is spent in the compiler.
local blanks = (" "):rep(1000000)
tg.command("go", function(message)
  load(function() return blanks end)
end)
