// cfrac: small, short-lived objects, by the million.
//
// Stands for arithmetic and symbolic programs: every intermediate number is a block of 8 to 48
// bytes that is freed a moment later. It looks for relations with which a number N is factored by
// the continued fraction of its square root (Morrison and Brillhart): convergents A with A^2 =
// (-1)^k Q (mod N), where Q has small prime factors only. Such a pair is kept until the end of the
// round. One round is one N of about 120 bits and 1000 convergents; the congruence is checked for
// each relation that is kept.

#include <vector>

#include "bench/workloads/bignum.h"
#include "bench/workloads/workload.h"

namespace {

using workload::Bignum;
using workload::Totals;

constexpr unsigned kConvergents = 1000;
constexpr uint32_t kPrimeLimit = 200;

struct Relation {
  Bignum convergent;
  Bignum square;
  bool negative;
};

// What is left of `number` without its factors below kPrimeLimit, tried in turn.
Bignum WithoutSmallFactors(Bignum number, const std::vector<uint32_t>& primes) {
  for (const uint32_t prime : primes) {
    while (number.Modulo(prime) == 0) number = number / Bignum(prime);
  }
  return number;
}

// Expands sqrt(N): P and Q as usual, so that each partial quotient is (root + P) / Q.
std::vector<Relation> FindRelations(const Bignum& n, const std::vector<uint32_t>& primes,
                                    Totals* totals) {
  std::vector<Relation> relations;
  const Bignum root = workload::SquareRoot(n);
  Bignum p = root;
  Bignum q = n - root * root;
  Bignum previous(1);
  Bignum convergent = root;
  for (unsigned k = 1; k <= kConvergents; k++) {
    if (WithoutSmallFactors(q, primes) < Bignum(uint64_t{1} << 32)) {
      relations.push_back({convergent, q, k % 2 == 1});
    }
    const Bignum quotient = (root + p) / q;
    Bignum next = (quotient * convergent + previous) % n;
    previous = std::move(convergent);
    convergent = std::move(next);
    p = quotient * q - p;
    q = (n - p * p) / q;
    totals->operations++;
  }
  totals->checksum += convergent.Low();
  return relations;
}

Totals Work(const workload::Arguments& arguments, unsigned index,
            const std::vector<uint32_t>& primes) {
  Totals totals;
  for (workload::Rounds rounds(arguments, index, arguments.threads); rounds.Next();) {
    workload::Random random = rounds.MakeRandom();
    // 3 modulo 4: not a square.
    const Bignum n = Bignum(random.Next() >> 8) * Bignum(uint64_t{1} << 62) * Bignum(4) +
                     Bignum(random.Next() | 3);
    for (const Relation& relation : FindRelations(n, primes, &totals)) {
      const Bignum square = relation.convergent * relation.convergent % n;
      if (!(square == (relation.negative ? n - relation.square : relation.square))) {
        workload::Fail("cfrac: a relation does not hold");
      }
      totals.checksum += relation.square.Low();
    }
  }
  return totals;
}

Totals Run(const workload::Arguments& arguments) {
  std::vector<uint32_t> primes;
  for (uint32_t candidate = 2; candidate < kPrimeLimit; candidate++) {
    bool is_prime = true;
    for (const uint32_t prime : primes) is_prime = is_prime && candidate % prime != 0;
    if (is_prime) primes.push_back(candidate);
  }
  return workload::OnThreads(arguments.threads,
                             [&](unsigned index) { return Work(arguments, index, primes); });
}

}  // namespace

int main(int argc, char** argv) {
  return workload::Main(argc, argv,
                        {.about = "Small short-lived objects: big-number arithmetic. An operation "
                                  "is one convergent, some 20 to 40 calls of malloc.",
                         .threads = 1,
                         .work = 700},
                        Run);
}
