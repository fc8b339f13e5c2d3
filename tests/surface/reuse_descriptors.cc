// Closes the descriptors from that of its first argument on, as programs do that go on in the
// background, and opens the file of its second argument until that has every number up to 119.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

int main(int, char** arguments) {
  for (int descriptor = atoi(arguments[1]); descriptor < 1024; ++descriptor) close(descriptor);
  for (;;) {
    const int descriptor = open(arguments[2], O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (descriptor < 0 || descriptor >= 119) return descriptor < 0;
  }
}
