#include "runtime/command/picture.h"

#include <algorithm>
#include <cmath>

namespace prairie {

std::vector<double> SharesOf(const std::vector<bool>& pages, std::size_t cells) {
  cells = std::min(cells, pages.size());
  std::vector<double> shares;
  for (std::size_t cell = 0; cell < cells; ++cell) {
    // In 128 bits: pages times cells may not fit 64 for a file that does.
    const auto at = [&](std::size_t c) {
      __extension__ using Wide = unsigned __int128;
      return static_cast<std::ptrdiff_t>(static_cast<Wide>(pages.size()) * c / cells);
    };
    const auto begin = pages.begin() + at(cell), end = pages.begin() + at(cell + 1);
    shares.push_back(static_cast<double>(std::count(begin, end, true)) /
                     static_cast<double>(end - begin));
  }
  return shares;
}

std::string BarOf(const std::vector<double>& shares) {
  std::string bar;
  for (const double share : shares) {
    bar += share == 0         ? ' '
           : share <= 1.0 / 3 ? '.'
           : share <= 2.0 / 3 ? ':'
           : share < 1        ? '+'
                              : '#';
  }
  return bar;
}

namespace {

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      default:
        // Control characters may not stand in a document at all.
        escaped += static_cast<unsigned char>(c) < 32 ? '?' : c;
    }
  }
  return escaped;
}

}  // namespace

std::string SvgOf(const std::vector<bool>& pages, const std::string& title) {
  constexpr std::size_t kColumns = 64, kMostCells = 64 * 64, kSquare = 10, kTop = 24;
  const std::vector<double> shares = SharesOf(pages, kMostCells);
  const std::size_t rows = (shares.size() + kColumns - 1) / kColumns;
  const auto number = [](std::size_t n) { return std::to_string(n); };
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" +
                    number(kColumns * kSquare) + "\" height=\"" + number(kTop + rows * kSquare) +
                    "\" font-family=\"sans-serif\" font-size=\"12\">\n<title>" + Escaped(title) +
                    "</title>\n<text x=\"0\" y=\"15\">" + Escaped(title) + "</text>\n";
  for (std::size_t i = 0; i < shares.size(); ++i) {
    // From light grey to a dark green.
    const int light = 225 - static_cast<int>(std::lround(shares[i] * 190));
    svg += "<rect x=\"" + number(i % kColumns * kSquare) + "\" y=\"" +
           number(kTop + i / kColumns * kSquare) + "\" width=\"9\" height=\"9\" fill=\"rgb(" +
           std::to_string(light) + "," +
           std::to_string(225 - static_cast<int>(std::lround(shares[i] * 105))) + "," +
           std::to_string(light) + ")\"/>\n";
  }
  return svg + "</svg>\n";
}

}  // namespace prairie
