// A C program, without the C++ library, that loads a C++ plugin privately: operator new must find
// what it needs to throw although no global scope has it. Arguments: the plugin, and what it is to
// do.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  if (argc != 3 || dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv") != NULL) {
    fprintf(stderr, "this program must not have the C++ library\n");
    return 2;
  }
  void* early = malloc(100);
  void* plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (plugin == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  int (*run)(const char*) = (int (*)(const char*))dlsym(plugin, "RunPlugin");
  if (run == NULL) return 1;
  free(early);
  const int result = run(argv[2]);
  if (result != 0) fprintf(stderr, "the plugin failed in step %d\n", result);
  return result;
}
