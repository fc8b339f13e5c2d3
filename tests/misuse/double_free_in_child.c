// The parent frees a block, forks, and the child frees it again; passes on how the child died.
#include <signal.h>
#include <sys/wait.h>

#include "misuse.h"

int main(void) {
  void* p = Get(64);
  Show("p", p);
  free(p);
  pid_t child = fork();
  if (child == 0) {
    free(p);
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return 2;
  if (WIFSIGNALED(status)) raise(WTERMSIG(status));
  return 0;
}
