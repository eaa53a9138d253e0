-- expect: endless_top_level.lua
while true do end
