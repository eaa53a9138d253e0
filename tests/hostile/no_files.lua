-- expect: no_files.lua:4: 
-- Reading a global that is not there is an error of its own.
tg.command("go", function(message)
  message:answer(io.open("moongram.toml"):read("a"))
end)
