// Allocates blocks of one size until malloc returns NULL, then frees them all and looks for the
// largest single block to be had.
//
//   fill_to_null BYTES MOST
//
// MOST bounds the payload, in bytes, in case there is no limit. Prints `payload` and `largest`.

#include "bench/limits/probe.h"

int main(int argc, char** argv) {
  const size_t size = probe::Argument(argc, argv, 1);
  const size_t most = probe::Argument(argc, argv, 2);
  probe::BlockList blocks;
  while (blocks.payload() < most && blocks.Add(size)) {
  }
  probe::Print("payload", blocks.payload());
  blocks.FreeAll();
  probe::Print("largest", probe::LargestBlock(most));
  return 0;
}
