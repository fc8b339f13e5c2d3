// Fork: the child of a threaded parent has one thread and a copy of every lock. All locks are
// taken before, in rank order, so that what they guard is whole in the copy; the child then frees
// them and may allocate at once. Handlers of others may run while the locks are held, if they were
// registered before ours; they run in the thread that holds them, and may allocate too.
//
// Where there is one thread no lock is taken: the handler of a signal may fork, and what it has
// interrupted may hold one. It goes on in the parent and in the child alike.
#include <pthread.h>
#include <unistd.h>

#include "allocator/heap/heap.h"
#include "allocator/os/process.h"

namespace prairie {

void Heap::LockAll() {
  init_lock_.Lock();
  threads_.lock().Lock();
  for (TransferCache& transfer : transfers_) transfer.lock().Lock();
  for (TransferCache& transfer : transfers_) transfer.central().lock().Lock();
  page_heap_.lock().Lock();
  magazines_.lock().Lock();
  metadata_.lock().Lock();
  failures_.lock().Lock();
  pressure_handler_.lock().Lock();
  SpinLock::AllHeld();
}

void Heap::UnlockAll() {
  SpinLock::AllReleased();
  pressure_handler_.lock().Unlock();
  failures_.lock().Unlock();
  metadata_.lock().Unlock();
  magazines_.lock().Unlock();
  page_heap_.lock().Unlock();
  for (TransferCache& transfer : transfers_) transfer.central().lock().Unlock();
  for (TransferCache& transfer : transfers_) transfer.lock().Unlock();
  threads_.lock().Unlock();
  init_lock_.Unlock();
}

void Heap::ResetLocksInChild() {
  SpinLock::AllReleased();
  process_ = getpid();
  threads_.KeepOnly(OwnCache());
  background_.ForgetInChild();
  pressure_handler_.ForgetOtherThreads();
  pressure_handler_.lock().ResetAfterFork();
  failures_.lock().ResetAfterFork();
  metadata_.lock().ResetAfterFork();
  magazines_.lock().ResetAfterFork();
  page_heap_.lock().ResetAfterFork();
  for (TransferCache& transfer : transfers_) {
    transfer.central().lock().ResetAfterFork();
    transfer.lock().ResetAfterFork();
  }
  threads_.lock().ResetAfterFork();
  init_lock_.ResetAfterFork();
}

void Heap::PrepareFork() {
  fork_locks_ = !IsSingleThreaded();
  if (!fork_locks_) return;
  LockStreams();
  LockAll();
}

void Heap::AfterForkInParent() {
  if (!fork_locks_) return;
  UnlockAll();
  UnlockStreams();
}

void Heap::AfterForkInChild() {
  if (fork_locks_) {
    ResetLocksInChild();
  } else {
    process_ = getpid();
    background_.ForgetInChild();  // A handler of others may have started it meanwhile.
  }
}

void Heap::RegisterForkHandlers() {
  // If it fails (no memory) a child of a threaded program may find a lock held; nothing else is
  // lost.
  pthread_atfork([] { heap.PrepareFork(); }, [] { heap.AfterForkInParent(); },
                 [] { heap.AfterForkInChild(); });
}

}  // namespace prairie
