// Natural numbers of any size, each in a block of its own from malloc: what cfrac computes with.
//
// A number never changes; each operation returns a new one, as in the functional style in which
// symbolic programs compute, so that nearly everything is allocated to be freed at once.

#ifndef BENCH_WORKLOADS_BIGNUM_H_
#define BENCH_WORKLOADS_BIGNUM_H_

#include <cstdint>
#include <utility>

namespace workload {

class Bignum {
 public:
  explicit Bignum(uint64_t value);
  Bignum(const Bignum& other);
  Bignum(Bignum&& other) noexcept : digits_(std::exchange(other.digits_, nullptr)) {}
  Bignum& operator=(Bignum other) noexcept {
    std::swap(digits_, other.digits_);
    return *this;
  }
  ~Bignum();

  friend Bignum operator+(const Bignum& a, const Bignum& b);
  friend Bignum operator-(const Bignum& a, const Bignum& b);  // a >= b
  friend Bignum operator*(const Bignum& a, const Bignum& b);
  friend Bignum operator/(const Bignum& a, const Bignum& b) { return Divide(a, b, nullptr); }
  friend Bignum operator%(const Bignum& a, const Bignum& b);
  friend bool operator<(const Bignum& a, const Bignum& b);
  friend bool operator==(const Bignum& a, const Bignum& b);

  // The remainder of a division by `divisor`, which is not 0.
  uint32_t Modulo(uint32_t divisor) const;
  bool IsZero() const { return digits_->count == 0; }
  unsigned Bits() const;
  uint64_t Low() const;  // the value modulo 2^64

 private:
  // The digits are to the base 2^32, the lowest first; the highest is not 0.
  struct Digits {
    uint32_t count;
    uint32_t digit[];
  };

  Bignum() = default;

  static Bignum WithRoom(uint32_t count);
  static Bignum Divide(const Bignum& a, const Bignum& b, Bignum* remainder);
  void Trim();

  Digits* digits_ = nullptr;
};

// The largest number whose square is at most `number`.
Bignum SquareRoot(const Bignum& number);

}  // namespace workload

#endif  // BENCH_WORKLOADS_BIGNUM_H_
