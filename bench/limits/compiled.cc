// A small program with the headers that most have: what g++ compiles in scripts/limits-matrix.

#include <map>
#include <string>
#include <vector>

int main() {
  std::map<std::string, std::vector<int>> numbers;
  numbers["one"].push_back(1);
  return static_cast<int>(numbers.size()) - 1;
}
