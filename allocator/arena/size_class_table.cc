// Prints docs/size_classes.md: the size classes, their spans, and what is lost to rounding.
#include <stdio.h>

#include "allocator/arena/size_classes.h"

namespace prairie {
namespace {

double Percent(double part, double whole) { return 100.0 * part / whole; }

// Bytes of a span at the first page number that suits its alignment which no object uses.
size_t SpanWaste(const SizeClassInfo& info) {
  const size_t start = info.span_alignment.bytes() * 7;
  const size_t phase = start % info.size;
  const size_t first = phase == 0 ? 0 : info.size - phase;
  const size_t usable = info.span_pages.bytes() - first;
  return first + usable % info.size;
}

void Print() {
  printf("# Size classes\n\n");
  printf(
      "Made by `bazel run //allocator/arena:size_class_table`; a test compares it with the "
      "code.\n\n");
  printf(
      "`rounding` is the most that a request can lose: (size − smallest request) / size. `span "
      "loss` is what\n");
  printf("the slot grid leaves at the ends of a span that begins where it prefers to.\n\n");
  printf(
      "| class | size | rounding | span pages | begins at multiples of | objects | span loss | "
      "most in a magazine |\n");
  printf("|---:|---:|---:|---:|---:|---:|---:|---:|\n");
  size_t previous = 0;
  double worst = 0;
  for (int c = 1; c < kSizeClassCount; ++c) {
    const SizeClassInfo& info = kSizeClasses[c];
    const double rounding = Percent(static_cast<double>(info.size - previous - 1), info.size);
    if (info.size > kLinearLimit && rounding > worst) worst = rounding;
    const size_t waste = SpanWaste(info);
    printf("| %d | %u | %.1f%% | %u | %u | %zu | %.1f%% | %u |\n", c, info.size, rounding,
           info.span_pages.value, info.span_alignment.value,
           (info.span_pages.bytes() - waste) / info.size,
           Percent(static_cast<double>(waste), static_cast<double>(info.span_pages.bytes())),
           info.max_cached);
    previous = info.size;
  }
  printf(
      "\nAbove %zu bytes rounding loses at most %.1f%%; up to there it is the least alignment, 16 "
      "bytes, that\n",
      kLinearLimit, worst);
  printf("decides.\n");
}

}  // namespace
}  // namespace prairie

int main() { prairie::Print(); }
