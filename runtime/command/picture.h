// Pictures of which pages of a file are in memory: a bar of characters, and an SVG.
#ifndef PRAIRIE_RUNTIME_COMMAND_PICTURE_H_
#define PRAIRIE_RUNTIME_COMMAND_PICTURE_H_

#include <cstddef>
#include <string>
#include <vector>

namespace prairie {

// `pages` in at most `cells` parts of equal length: the share of each that is resident, 0 to 1.
std::vector<double> SharesOf(const std::vector<bool>& pages, std::size_t cells);

// One character for each share: ' ' none, '.' up to a third, ':' up to two thirds, '+' more, '#'
// all.
std::string BarOf(const std::vector<double>& shares);

// A whole SVG document: rows of 64 squares, in the order of the file, dark where it is resident.
std::string SvgOf(const std::vector<bool>& pages, const std::string& title);

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_COMMAND_PICTURE_H_
