#pragma once

#include <string_view>

#include "nn/report/utf8.hpp"

namespace atto::text {

/// Calls each(stretch, valid) for the stretches of `text` that are UTF-8 and for those of bytes that are not, in order.
template <class Each>
void valid_stretches(std::string_view text, Each&& each) {
  std::size_t begin = 0;
  bool valid = true;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t next = at + 1;
    if (static_cast<unsigned char>(text[at]) >= 0x80) next = at, report::next_code_point(text, next);
    // Only what is no character is a single byte that is not ASCII.
    const bool now = next - at > 1 || static_cast<unsigned char>(text[at]) < 0x80;
    if (now != valid) {
      if (at > begin) each(text.substr(begin, at - begin), valid);
      begin = at;
      valid = now;
    }
    at = next;
  }
  if (begin < text.size()) each(text.substr(begin), valid);
}

/// Where the first byte stands that is not UTF-8; npos where all is.
inline std::size_t first_invalid(std::string_view text) {
  std::size_t place = std::string_view::npos;
  valid_stretches(text, [&](std::string_view stretch, bool valid) {
    if (!valid && place == std::string_view::npos) place = static_cast<std::size_t>(stretch.data() - text.data());
  });
  return place;
}

}  // namespace atto::text
