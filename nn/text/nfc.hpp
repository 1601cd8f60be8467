#pragma once

#include <string>
#include <string_view>

namespace atto::text {

/// `text` in Unicode's normalisation form C (UAX 15, Unicode 14): letters and the marks on them as one character where
/// there is one. `text` must be valid UTF-8. Time O(n), for runs of m marks O(m log m).
std::string to_nfc(std::string_view text);

}  // namespace atto::text
