// The handler of SIGBUS and SIGSEGV, in front of whatever was installed before.
//
// A fault is ours if the kernel raised it, and a guard of the faulting thread covers the address
// (see guard.h); then that access ends with an error. Everything else goes on unchanged to what was
// installed before: a handler is called with the same arguments, signal mask and stack; the default
// ends the process as if Prairie were not there. A SIGSEGV in a region that has been closed is
// reported first (see closed_regions.h).
#ifndef PRAIRIE_RUNTIME_GUARD_SIGNALS_H_
#define PRAIRIE_RUNTIME_GUARD_SIGNALS_H_

namespace prairie {

// Installs the handler for SIGBUS, once; later calls do nothing. 0 or errno. A handler that the
// program installs later must pass on what it does not know, or guards no longer work.
// Thread safety: any thread.
int InstallBusHandler();

// The same for SIGSEGV, whose only use is the report.
int InstallSegvHandler();

}  // namespace prairie

#endif  // PRAIRIE_RUNTIME_GUARD_SIGNALS_H_
