// Reports of what the program did wrong: one line each, without allocation or locks.
#include <algorithm>

#include "allocator/base/report.h"
#include "allocator/heap/heap.h"

namespace prairie {
namespace {

const char* NameOf(Call call) {
  switch (call) {
    case Call::kMalloc:
      return "malloc";
    case Call::kFree:
      return "free";
    case Call::kRealloc:
      return "realloc";
    case Call::kDelete:
      return "operator delete";
  }
  return "";
}

// Whether `address` is on the stack of this thread. At the end of the main thread's lie arguments,
// environment and the name of the program; at that of another glibc keeps the thread's descriptor.
// The nearer one is the end of this one. Asking pthread_getattr_np would allocate.
bool IsOnThisStack(uintptr_t address) {
  constexpr uintptr_t kLargestStack = kGiB;
  const uintptr_t here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  const uintptr_t to_end =
      std::min(MainStackEnd() - here, static_cast<uintptr_t>(pthread_self()) - here);
  return to_end < kLargestStack && address - here < to_end;
}

Report& AppendSpan(Report& report, const Span* span, const char* in = " in span ") {
  return report.Text(in)
      .Hex(heap.AddressOf(span))
      .Text(" (")
      .Decimal(span->pages.value)
      .Text(span->pages.value == 1 ? " page)" : " pages)");
}

Report& AppendObject(Report& report, const Lookup& found) {
  if (found.span->size_class != 0) {
    return report.Text(" of size class ").Decimal(found.size);
  }
  return report;
}

void Finish(Report& report, bool abort_after) {
  if (abort_after) report.EmitAndAbort();
  report.Emit();
}

}  // namespace

void Heap::ReportMisuse(Call call, const void* pointer) {
  // A free may come before the first malloc, and the options say what to do. If that fails there is
  // no arena, and they are the defaults.
  EnsureInitialized();
  const Lookup found = Find(pointer);
  const uintptr_t address = reinterpret_cast<uintptr_t>(pointer);
  Report report;
  const auto begin = [&](const char* what) -> Report& {
    return report.Text("prairie: ")
        .Text(what)
        .Text(": ")
        .Text(NameOf(call))
        .Text("(")
        .Hex(address)
        .Text("): ");
  };
  const auto arena = [&]() -> Report& {
    // To the frontier; before anything was allocated, what is reserved for it.
    size_t extent = fast.extent.load(std::memory_order_relaxed);
    if (extent == 0 && arena_.exclusive()) extent = arena_.reservation();
    return report.Text(" (arena ")
        .Hex(arena_.base())
        .Text(" to ")
        .Hex(arena_.base() + extent)
        .Text(")");
  };
  switch (found.kind) {
    case Lookup::kNull:
      return;
    case Lookup::kForeign:
      if (!options_.report_foreign) return;
      if (IsOnThisStack(address)) {
        begin("stack pointer").Text("on the stack of this thread, not from this heap");
      } else {
        begin("foreign pointer").Text("not from this heap");
      }
      arena();
      break;
    case Lookup::kInterior:
      begin("interior pointer")
          .Decimal(address - found.object)
          .Text(" bytes into the ")
          .Text(found.span->kind == SpanKind::kSmall ? "object " : "large object ")
          .Hex(found.object);
      AppendSpan(AppendObject(report, found), found.span);
      break;
    case Lookup::kFree:
    case Lookup::kObject:  // Given back twice, and handed out again in between.
      begin("double free").Text(found.span->size_class != 0 ? "object" : "large object");
      // A large object is all of its span; of a small one it is news that the others are gone too.
      AppendSpan(AppendObject(report, found), found.span,
                 found.span->size_class != 0 && found.span->kind == SpanKind::kUnused
                     ? " in freed span "
                     : " in span ")
          .Text(" is already free");
      break;
    case Lookup::kMapped:
      begin("mapped pointer")
          .Decimal(address - found.object)
          .Text(" bytes into the mapping of ")
          .Text(found.span->name)
          .Text(", not from malloc");
      break;
    case Lookup::kWild:
      begin("wild pointer").Text("inside the arena, in no live object");
      break;
  }
  Finish(report, options_.abort_on_error);
}

void Heap::ReportSmashed(SizeClass c, const void* object) {
  Report report;
  report.Text("prairie: smashed free list: malloc: ");
  const uintptr_t address = reinterpret_cast<uintptr_t>(object);
  report.Text("object ").Hex(address).Text(" of size class ").Decimal(kSizeClasses[c].size);
  if (address - fast.arena_base < fast.extent.load(std::memory_order_relaxed)) {
    const Span* const span = page_map_.span_of(arena_.PageOf(address));
    if (span != nullptr) AppendSpan(report, span);
  }
  report.Text(" was written after it was freed");
  Finish(report, options_.abort_on_error);
}

void Heap::ReportFault(const ListFault& fault) {
  if (fault) ReportMisuse(Call::kFree, fault.object);
}

}  // namespace prairie
