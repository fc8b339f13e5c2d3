-- A lua job: tables, closures, strings built and dropped, and a binary tree made and collected.
-- Usage: lua tables.lua [SCALE]    SCALE 10 (the default) takes a second. Prints sums only.
local scale = tonumber(arg[1] or 10)

local state = 1
local function next_number(bound)
  state = (state * 1103515245 + 12345) % 2147483648
  return (state >> 8) % bound
end

local function tree(depth)
  if depth == 0 then return {} end
  return { tree(depth - 1), tree(depth - 1) }
end

local function count(node)
  if not node[1] then return 1 end
  return 1 + count(node[1]) + count(node[2])
end

local nodes = 0
for _ = 1, 4 * scale do nodes = nodes + count(tree(12)) end
print("trees", nodes)

local index, parts = {}, {}
for i = 1, 20000 * scale do
  local word = string.format("w%x", next_number(50000))
  index[word] = (index[word] or "") .. string.char(97 + i % 26)
  parts[#parts + 1] = word
end
local sum = 0
for _, value in pairs(index) do sum = sum + #value * value:byte(1) end
print("index", sum)

local text = table.concat(parts, " ")
local matches = 0
for hex in text:gmatch("w(%x+)") do matches = matches + tonumber(hex, 16) end
print("text", #text, matches, #text:gsub("w(%d)", "<%1>"))
