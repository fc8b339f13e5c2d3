// Schoolbook arithmetic on blocks from malloc: see bignum.h.

#include "bench/workloads/bignum.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "bench/workloads/workload.h"

namespace workload {

Bignum Bignum::WithRoom(uint32_t count) {
  Bignum number;
  number.digits_ = static_cast<Digits*>(Allocate(sizeof(Digits) + count * sizeof(uint32_t)));
  number.digits_->count = count;
  return number;
}

Bignum::Bignum(uint64_t value) : digits_(static_cast<Digits*>(Allocate(sizeof(Digits) + 8))) {
  digits_->count = 2;
  digits_->digit[0] = static_cast<uint32_t>(value);
  digits_->digit[1] = static_cast<uint32_t>(value >> 32);
  Trim();
}

Bignum::Bignum(const Bignum& other) {
  const size_t size = sizeof(Digits) + other.digits_->count * sizeof(uint32_t);
  digits_ = static_cast<Digits*>(Allocate(size));
  std::memcpy(digits_, other.digits_, size);
}

Bignum::~Bignum() { std::free(digits_); }

void Bignum::Trim() {
  while (digits_->count > 0 && digits_->digit[digits_->count - 1] == 0) digits_->count--;
}

unsigned Bignum::Bits() const {
  if (IsZero()) return 0;
  const uint32_t top = digits_->digit[digits_->count - 1];
  return 32 * digits_->count - static_cast<unsigned>(std::countl_zero(top));
}

uint64_t Bignum::Low() const {
  uint64_t value = digits_->count > 0 ? digits_->digit[0] : 0;
  if (digits_->count > 1) value |= uint64_t{digits_->digit[1]} << 32;
  return value;
}

uint32_t Bignum::Modulo(uint32_t divisor) const {
  uint64_t rest = 0;
  for (uint32_t i = digits_->count; i-- > 0;) rest = (rest << 32 | digits_->digit[i]) % divisor;
  return static_cast<uint32_t>(rest);
}

Bignum operator+(const Bignum& a, const Bignum& b) {
  const uint32_t count = std::max(a.digits_->count, b.digits_->count) + 1;
  Bignum sum = Bignum::WithRoom(count);
  uint64_t carry = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (i < a.digits_->count) carry += a.digits_->digit[i];
    if (i < b.digits_->count) carry += b.digits_->digit[i];
    sum.digits_->digit[i] = static_cast<uint32_t>(carry);
    carry >>= 32;
  }
  sum.Trim();
  return sum;
}

Bignum operator-(const Bignum& a, const Bignum& b) {
  Bignum difference = Bignum::WithRoom(a.digits_->count);
  int64_t borrow = 0;
  for (uint32_t i = 0; i < a.digits_->count; i++) {
    borrow += a.digits_->digit[i];
    if (i < b.digits_->count) borrow -= b.digits_->digit[i];
    difference.digits_->digit[i] = static_cast<uint32_t>(borrow);
    borrow >>= 32;
  }
  difference.Trim();
  return difference;
}

Bignum operator*(const Bignum& a, const Bignum& b) {
  Bignum product = Bignum::WithRoom(a.digits_->count + b.digits_->count);
  std::memset(product.digits_->digit, 0, product.digits_->count * sizeof(uint32_t));
  for (uint32_t i = 0; i < a.digits_->count; i++) {
    uint64_t carry = 0;
    for (uint32_t j = 0; j < b.digits_->count; j++) {
      carry += uint64_t{a.digits_->digit[i]} * b.digits_->digit[j] + product.digits_->digit[i + j];
      product.digits_->digit[i + j] = static_cast<uint32_t>(carry);
      carry >>= 32;
    }
    product.digits_->digit[i + b.digits_->count] = static_cast<uint32_t>(carry);
  }
  product.Trim();
  return product;
}

// Long division: with the divisor's top bit moved to bit 31, a digit guessed from the two highest
// digits and the highest of the divisor is at most 2 too large. Knuth, The Art of Computer
// Programming, 4.3.1, algorithm D.
Bignum Bignum::Divide(const Bignum& a, const Bignum& b, Bignum* remainder) {
  if (a < b) {
    if (remainder != nullptr) *remainder = a;
    return Bignum(uint64_t{0});
  }
  const int shift = std::countl_zero(b.digits_->digit[b.digits_->count - 1]);
  const Bignum divisor = b * Bignum(uint64_t{1} << shift);
  const Bignum shifted = a * Bignum(uint64_t{1} << shift);
  const uint32_t n = divisor.digits_->count;
  const uint32_t m = shifted.digits_->count - n;
  Bignum rest = WithRoom(n + m + 1);
  std::memcpy(rest.digits_->digit, shifted.digits_->digit, (n + m) * sizeof(uint32_t));
  uint32_t* const r = rest.digits_->digit;
  const uint32_t* const d = divisor.digits_->digit;
  r[n + m] = 0;
  Bignum quotient = WithRoom(m + 1);
  for (uint32_t j = m + 1; j-- > 0;) {
    const uint64_t top = uint64_t{r[j + n]} << 32 | r[j + n - 1];
    uint64_t guess = std::min<uint64_t>(top / d[n - 1], UINT32_MAX);
    uint64_t carry = 0;
    int64_t borrow = 0;
    for (uint32_t i = 0; i <= n; i++) {
      carry += guess * (i < n ? d[i] : 0);
      borrow += int64_t{r[i + j]} - static_cast<uint32_t>(carry);
      r[i + j] = static_cast<uint32_t>(borrow);
      carry >>= 32;
      borrow >>= 32;
    }
    while (borrow < 0) {
      guess--;
      uint64_t back = 0;
      for (uint32_t i = 0; i <= n; i++) {
        back += uint64_t{r[i + j]} + (i < n ? d[i] : 0);
        r[i + j] = static_cast<uint32_t>(back);
        back >>= 32;
      }
      borrow += static_cast<int64_t>(back);
    }
    quotient.digits_->digit[j] = static_cast<uint32_t>(guess);
  }
  quotient.Trim();
  if (remainder != nullptr) {
    for (uint32_t i = 0; i < n; i++) {
      r[i] = static_cast<uint32_t>((uint64_t{r[i + 1]} << 32 | r[i]) >> shift);
    }
    rest.digits_->count = n;
    rest.Trim();
    *remainder = std::move(rest);
  }
  return quotient;
}

Bignum operator%(const Bignum& a, const Bignum& b) {
  Bignum remainder;
  Bignum::Divide(a, b, &remainder);
  return remainder;
}

bool operator<(const Bignum& a, const Bignum& b) {
  if (a.digits_->count != b.digits_->count) return a.digits_->count < b.digits_->count;
  for (uint32_t i = a.digits_->count; i-- > 0;) {
    if (a.digits_->digit[i] != b.digits_->digit[i])
      return a.digits_->digit[i] < b.digits_->digit[i];
  }
  return false;
}

bool operator==(const Bignum& a, const Bignum& b) {
  return a.digits_->count == b.digits_->count &&
         std::equal(a.digits_->digit, a.digits_->digit + a.digits_->count, b.digits_->digit);
}

// Newton's iteration from above.
Bignum SquareRoot(const Bignum& number) {
  Bignum root(1);
  for (unsigned i = 0; i < number.Bits() / 2 + 1; i++) root = root + root;
  for (;;) {
    Bignum next = (root + number / root) / Bignum(2);
    if (!(next < root)) return root;
    root = std::move(next);
  }
}

}  // namespace workload
