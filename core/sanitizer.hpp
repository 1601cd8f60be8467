#pragma once
// What code that keeps memory for itself must know: AddressSanitizer finds errors only in memory that it hands out.

// g++ defines names of its own; clang tells when it is asked.
#if defined(__SANITIZE_ADDRESS__)
#define ATTO_ADDRESS_SANITIZER 1
#elif defined(__SANITIZE_THREAD__)
#define ATTO_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ATTO_ADDRESS_SANITIZER 1
#elif __has_feature(thread_sanitizer)
#define ATTO_THREAD_SANITIZER 1
#endif
#endif

namespace atto {

#if defined(ATTO_ADDRESS_SANITIZER)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif

}  // namespace atto
