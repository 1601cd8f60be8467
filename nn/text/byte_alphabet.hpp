#pragma once
// How files of byte-level tokens spell bytes: each of the 256 is written as one printable character.

#include <optional>
#include <string>
#include <string_view>

namespace atto::text {

/// The character that stands for `byte` (Radford et al. 2019, the GPT-2 release): the byte's own code point where that
/// is printable and no blank (33..126, 161..172, 174..255); the others follow, in order, as U+0100, U+0101, ...
char32_t stand_in(unsigned char byte);

/// Appends `bytes` to `out`, each as its stand-in in UTF-8. Any bytes will do.
void append_spelled(std::string& out, std::string_view bytes);

/// The bytes that `spelled` stands for; nothing where one of its characters is no stand-in.
std::optional<std::string> unspelled(std::string_view spelled);

}  // namespace atto::text
