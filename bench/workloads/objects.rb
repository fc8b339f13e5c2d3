# A ruby job: structs, hashes, arrays, closures, strings built and dropped.
# Usage: ruby objects.rb [SCALE]    SCALE 10 (the default) takes a second. Prints sums only.
scale = (ARGV[0] || 10).to_i

state = 1
next_number = lambda do |bound|
  state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
  (state >> 8) % bound
end

Node = Struct.new(:left, :right, :weight)

def tree(depth)
  return Node.new(nil, nil, 1) if depth.zero?
  left, right = tree(depth - 1), tree(depth - 1)
  Node.new(left, right, left.weight + right.weight)
end

weight = 0
scale.times { weight += tree(12).weight }
puts "trees #{weight}"

index = Hash.new { |hash, word| hash[word] = [] }
(8_000 * scale).times { |i| index["w#{next_number.call(9_000).to_s(36)}"] << "line #{i}" }
longest = index.max_by { |word, lines| [lines.size, word] }
puts "index #{index.size} #{longest[0]} #{longest[1].size}"

text = +''
index.keys.sort.each { |word| text << word << ' ' << index[word].first << "\n" }
changed = text.gsub(/w(\w)(\w*)/) { "#{$2}#{$1.upcase}" }
puts "text #{text.size} #{changed.sum} #{changed.scan(/\d+/).sum(&:to_i)}"

rows = Array.new(4_000 * scale) { |i| { id: i, key: next_number.call(1000), name: "n#{i % 77}" } }
groups = rows.group_by { |row| row[:name] }.transform_values { |group| group.sum { |row| row[:key] } }
puts "groups #{groups.size} #{groups.values.max}"

big = (1..150 * scale).reduce(:*)
puts "factorial #{big.to_s.size} #{big.digits.sum}"
