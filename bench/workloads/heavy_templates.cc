// A source file that is hard work for a C++ compiler: containers, variants, ranges, regular
// expressions and recursive templates, instantiated many times. It is compiled (never run) by the
// tests and the benchmark.

#include <algorithm>
#include <any>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <ranges>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace heavy {

// A family of distinct types: each index gives new instantiations of all that follows.
template <int N>
struct Tag {
  int value = N;
  std::string text = std::to_string(N);
  auto operator<=>(const Tag&) const = default;
};

template <int N>
using Choice = std::variant<int, double, std::string, Tag<N>, Tag<N + 1>, std::vector<Tag<N>>,
                            std::map<std::string, Tag<N>>, std::optional<Tag<N + 2>>>;

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

template <int N>
std::string Describe(const Choice<N>& left, const Choice<N>& right) {
  return std::visit(Overloaded{
                        [](int a, int b) { return std::to_string(a + b); },
                        [](const std::string& a, const std::string& b) { return a + b; },
                        [](const Tag<N>& a, const auto&) { return a.text; },
                        [](const auto&, const auto&) { return std::string("other"); },
                    },
                    left, right);
}

template <int N>
int UseContainers() {
  std::map<Tag<N>, std::set<Tag<N + 1>>> ordered;
  std::unordered_map<std::string, std::tuple<Tag<N>, std::any, std::shared_ptr<Tag<N>>>> hashed;
  std::vector<std::function<int(const Tag<N>&)>> calls;
  for (int i = 0; i < N; ++i) {
    ordered[Tag<N>{i, "k"}].insert(Tag<N + 1>{i, "v"});
    hashed.emplace(std::to_string(i),
                   std::tuple(Tag<N>{}, std::any(Tag<N>{}), std::make_shared<Tag<N>>()));
    calls.push_back([i](const Tag<N>& tag) { return tag.value + i; });
  }
  std::vector<Tag<N>> keys;
  for (const auto& [key, values] : ordered) keys.push_back(key);
  std::ranges::sort(keys, std::greater<>{}, &Tag<N>::value);
  std::stable_sort(keys.begin(), keys.end());
  auto odd =
      keys | std::views::filter([](const auto& tag) { return tag.value % 2 == 1; }) |
      std::views::transform([&](const auto& tag) { return calls.empty() ? 0 : calls[0](tag); }) |
      std::views::take(10);
  return std::accumulate(keys.begin(), keys.end(), 0,
                         [](int sum, const auto& tag) { return sum + tag.value; }) +
         static_cast<int>(std::ranges::distance(odd)) + static_cast<int>(hashed.size());
}

template <int N>
int UseRegex(const std::string& text) {
  static const std::regex pattern("(" + std::to_string(N) + "|[a-z]+)=(\\d+)");
  int sum = 0;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    sum += std::stoi((*match)[2].str());
  }
  return sum;
}

// Values computed by the compiler: a sieve as a constant expression, and a list of types folded
// over.
template <std::size_t Size>
consteval std::array<bool, Size> Sieve() {
  std::array<bool, Size> prime{};
  for (std::size_t i = 2; i < Size; ++i) prime[i] = true;
  for (std::size_t i = 2; i * i < Size; ++i) {
    for (std::size_t j = i * i; prime[i] && j < Size; j += i) prime[j] = false;
  }
  return prime;
}

template <std::size_t Size>
constexpr auto kPrimes = Sieve<Size>();

template <std::size_t... Index>
constexpr int CountPrimes(std::index_sequence<Index...>) {
  return (0 + ... + (kPrimes<sizeof...(Index)>[Index] ? 1 : 0));
}

template <int N>
struct Chain {
  using Next = typename Chain<N - 1>::Type;
  using Type = std::pair<std::integral_constant<int, N>, std::tuple<Next*, Tag<N>*>>;
  static constexpr int kSum = N + Chain<N - 1>::kSum;
};

template <>
struct Chain<0> {
  using Type = void;
  static constexpr int kSum = 0;
};

template <int... N>
int UseAll(const std::string& text, std::integer_sequence<int, N...>) {
  std::ostringstream out;
  ((out << Describe<N * 10>(Choice<N * 10>(N), Choice<N * 10>(text)) << UseContainers<N * 10>()),
   ...);
  return static_cast<int>(out.str().size()) + (0 + ... + UseRegex<N>(text));
}

}  // namespace heavy

int HeavyEntry(const std::string& text) {
  return heavy::UseAll(text, std::make_integer_sequence<int, HEAVY_COUNT>{}) +
         heavy::CountPrimes(std::make_index_sequence<500>{}) + heavy::Chain<200>::kSum;
}
