#pragma once
// Errors about options.

#include <string>

namespace atto::examples {

/// Throws ValueError about an option.
[[noreturn]] void refuse(const char* option, std::string got, std::string expected);

/// Refuses what cannot fit before anything is built. `bytes` is a lower bound.
void require_memory(const char* option, double bytes);

}  // namespace atto::examples
