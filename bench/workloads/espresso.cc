// espresso: small objects and the arrays that hold them, in a deep recursion.
//
// Stands for symbolic programs: a logic function of 16 variables is a cover, an array of cubes,
// each a block of its own: two bits for every variable, whether it may be 0 and whether it may
// be 1. One round draws a cover of 30 cubes and minimises it after the idea of espresso: the
// complement by Shannon's expansion, each cube expanded as long as it does not meet the complement,
// cubes that are covered by the others left out. It then checks on random points that the function
// is the same.

#include <bit>
#include <utility>

#include "bench/workloads/workload.h"

namespace {

using workload::Random;
using workload::Totals;

constexpr unsigned kVariables = 16;
constexpr unsigned kCubes = 30;
constexpr unsigned kMostCompared = 256;
constexpr uint32_t kAll = (1u << kVariables) - 1;

struct Cube {
  uint32_t zero;  // bit v: variable v may be 0
  uint32_t one;

  bool operator==(const Cube&) const = default;
  bool IsEmpty() const { return (zero | one) != kAll; }
  uint32_t Bound() const { return kAll & ~(zero & one); }  // variables that it depends on
  bool Meets(const Cube& other) const {
    return !Cube{zero & other.zero, one & other.one}.IsEmpty();
  }
  bool Contains(const Cube& other) const {
    return (other.zero & ~zero) == 0 && (other.one & ~one) == 0;
  }
  bool Contains(uint32_t point) const {
    return (point & ~one) == 0 && (~point & kAll & ~zero) == 0;
  }
};

// A growing array of cubes, all of them its own.
class Cover {
 public:
  Cover() = default;
  Cover(Cover&& other) noexcept
      : cubes_(std::exchange(other.cubes_, nullptr)),
        count_(std::exchange(other.count_, 0u)),
        room_(std::exchange(other.room_, 0u)) {}
  Cover& operator=(Cover&& other) noexcept {
    std::swap(cubes_, other.cubes_);
    std::swap(count_, other.count_);
    std::swap(room_, other.room_);
    return *this;
  }
  ~Cover() {
    for (unsigned i = 0; i < count_; i++) std::free(cubes_[i]);
    std::free(cubes_);
  }

  unsigned count() const { return count_; }
  Cube& operator[](unsigned i) { return *cubes_[i]; }
  const Cube& operator[](unsigned i) const { return *cubes_[i]; }

  void Add(const Cube& cube) {
    if (count_ == room_) {
      room_ = room_ == 0 ? 4 : 2 * room_;
      cubes_ = static_cast<Cube**>(workload::Reallocate(cubes_, room_ * sizeof(Cube*)));
    }
    cubes_[count_] = static_cast<Cube*>(workload::Allocate(sizeof(Cube)));
    *cubes_[count_++] = cube;
  }

  // Moves the last cube to where `i` was.
  void Remove(unsigned i) {
    std::free(cubes_[i]);
    cubes_[i] = cubes_[--count_];
  }

 private:
  Cube** cubes_ = nullptr;
  unsigned count_ = 0;
  unsigned room_ = 0;
};

// What is left of `cover` within `space`, with the variables that `space` binds made free.
Cover Cofactor(const Cover& cover, const Cube& space) {
  Cover result;
  const uint32_t bound = space.Bound();
  for (unsigned i = 0; i < cover.count(); i++) {
    if (cover[i].Meets(space)) result.Add({cover[i].zero | bound, cover[i].one | bound});
  }
  return result;
}

// The variable on which most cubes depend.
unsigned MostBound(const Cover& cover) {
  unsigned counts[kVariables] = {};
  for (unsigned i = 0; i < cover.count(); i++) {
    for (uint32_t bound = cover[i].Bound(); bound != 0; bound &= bound - 1) {
      counts[std::countr_zero(bound)]++;
    }
  }
  unsigned best = 0;
  for (unsigned v = 1; v < kVariables; v++) {
    if (counts[v] > counts[best]) best = v;
  }
  return best;
}

bool HasFullCube(const Cover& cover) {
  for (unsigned i = 0; i < cover.count(); i++) {
    if (cover[i].Bound() == 0) return true;
  }
  return false;
}

// The two halves of the space, by the value of one variable.
Cube Half(unsigned variable, bool value) {
  const uint32_t others = kAll & ~(1u << variable);
  return value ? Cube{others, kAll} : Cube{kAll, others};
}

bool IsTautology(const Cover& cover) {
  if (HasFullCube(cover)) return true;
  if (cover.count() < 2) return false;
  double volume = 0;  // of the cubes together; below 1 they cannot cover everything
  for (unsigned i = 0; i < cover.count(); i++) {
    volume += 1.0 / static_cast<double>(1u << std::popcount(cover[i].Bound()));
  }
  if (volume < 1) return false;
  const unsigned variable = MostBound(cover);
  return IsTautology(Cofactor(cover, Half(variable, false))) &&
         IsTautology(Cofactor(cover, Half(variable, true)));
}

// Within the half, but not bound to it where the other half has the same cube: then it is left to
// that one, made free of the variable. Long covers are not searched: that would take longer than it
// saves.
void Merge(Cover& low, Cover& high, unsigned variable, Cover* result) {
  const Cube half_low = Half(variable, false);
  const Cube half_high = Half(variable, true);
  for (unsigned i = 0; i < low.count(); i++) {
    unsigned same = low.count() * high.count() > kMostCompared ? high.count() : 0;
    while (same < high.count() && !(low[i] == high[same])) same++;
    if (same < high.count()) {
      result->Add(low[i]);
      high.Remove(same);
    } else {
      result->Add({low[i].zero & half_low.zero, low[i].one & half_low.one});
    }
  }
  for (unsigned i = 0; i < high.count(); i++) {
    result->Add({high[i].zero & half_high.zero, high[i].one & half_high.one});
  }
}

Cover Complement(const Cover& cover) {
  Cover result;
  if (cover.count() == 0) {
    result.Add({kAll, kAll});
  } else if (cover.count() == 1) {
    for (uint32_t bound = cover[0].Bound(); bound != 0; bound &= bound - 1) {
      const auto v = static_cast<unsigned>(std::countr_zero(bound));
      result.Add(Half(v, (cover[0].one >> v & 1) == 0));
    }
  } else if (!HasFullCube(cover)) {
    const unsigned variable = MostBound(cover);
    Cover low = Complement(Cofactor(cover, Half(variable, false)));
    Cover high = Complement(Cofactor(cover, Half(variable, true)));
    Merge(low, high, variable, &result);
  }
  return result;
}

bool MeetsAny(const Cube& cube, const Cover& cover) {
  for (unsigned i = 0; i < cover.count(); i++) {
    if (cover[i].Meets(cube)) return true;
  }
  return false;
}

// Each cube gives up the variables that it can without meeting what the function is not.
void Expand(Cover* cover, const Cover& complement) {
  for (unsigned i = 0; i < cover->count(); i++) {
    for (uint32_t bound = (*cover)[i].Bound(); bound != 0; bound &= bound - 1) {
      const uint32_t bit = bound & -bound;
      const Cube wider = {(*cover)[i].zero | bit, (*cover)[i].one | bit};
      if (!MeetsAny(wider, complement)) (*cover)[i] = wider;
    }
  }
  for (unsigned i = cover->count(); i-- > 0;) {
    for (unsigned j = 0; j < cover->count(); j++) {
      if (j != i && (*cover)[j].Contains((*cover)[i])) {
        cover->Remove(i);
        break;
      }
    }
  }
}

// Leaves out each cube that the others cover.
void LeaveOutRedundant(Cover* cover) {
  for (unsigned i = cover->count(); i-- > 0;) {
    Cover others;
    for (unsigned j = 0; j < cover->count(); j++) {
      if (j != i) others.Add((*cover)[j]);
    }
    if (IsTautology(Cofactor(others, (*cover)[i]))) cover->Remove(i);
  }
}

bool Holds(const Cover& cover, uint32_t point) {
  for (unsigned i = 0; i < cover.count(); i++) {
    if (cover[i].Contains(point)) return true;
  }
  return false;
}

Cover Draw(Random* random) {
  Cover cover;
  while (cover.count() < kCubes) {
    Cube cube = {kAll, kAll};
    for (unsigned literals = random->Between(3, 6); literals > 0; literals--) {
      const uint32_t bit = 1u << random->Below(kVariables);
      (random->Below(2) != 0 ? cube.zero : cube.one) &= ~bit;
    }
    if (!cube.IsEmpty()) cover.Add(cube);
  }
  return cover;
}

Totals Work(const workload::Arguments& arguments, unsigned index) {
  Totals totals;
  for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
    Random random = rounds.MakeRandom();
    const Cover given = Draw(&random);
    Cover minimal;
    for (unsigned i = 0; i < given.count(); i++) minimal.Add(given[i]);
    const Cover complement = Complement(given);
    Expand(&minimal, complement);
    LeaveOutRedundant(&minimal);
    for (unsigned i = 0; i < 1000; i++) {
      const auto point = static_cast<uint32_t>(random.Next()) & kAll;
      if (Holds(given, point) != Holds(minimal, point)) workload::Fail("espresso: not the same");
      if (Holds(given, point) == Holds(complement, point))
        workload::Fail("espresso: no complement");
    }
    totals.operations++;
    totals.checksum += minimal.count() + uint64_t{complement.count()} * 1000;
    for (unsigned i = 0; i < minimal.count(); i++) {
      totals.checksum += Random(uint64_t{minimal[i].zero} << 32 | minimal[i].one).Next();
    }
  }
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  return workload::OnThreads(arguments.threads,
                             [&](unsigned index) { return Work(arguments, index); });
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(argc, argv,
                        {.about = "Small objects in a deep recursion: logic minimisation. An "
                                  "operation is one function minimised.",
                         .threads = 1,
                         .work = 600},
                        Run);
}
