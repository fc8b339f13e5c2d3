// Whether a sanitizer's runtime is in the process, with address space and a malloc of its own.
#ifndef PRAIRIE_TESTS_SUPPORT_SANITIZERS_H_
#define PRAIRIE_TESTS_SUPPORT_SANITIZERS_H_

// gcc defines a macro, clang answers a question.
#if !defined(__has_feature)
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define PRAIRIE_TESTS_ADDRESS_SANITIZER 1
#else
#define PRAIRIE_TESTS_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define PRAIRIE_TESTS_THREAD_SANITIZER 1
#else
#define PRAIRIE_TESTS_THREAD_SANITIZER 0
#endif

namespace prairie {

inline constexpr bool kAddressSanitizer = PRAIRIE_TESTS_ADDRESS_SANITIZER != 0;
inline constexpr bool kThreadSanitizer = PRAIRIE_TESTS_THREAD_SANITIZER != 0;

}  // namespace prairie

#endif  // PRAIRIE_TESTS_SUPPORT_SANITIZERS_H_
