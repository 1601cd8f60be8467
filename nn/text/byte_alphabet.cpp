#include "nn/text/byte_alphabet.hpp"

#include <array>

#include "nn/report/utf8.hpp"

namespace atto::text {
namespace {

constexpr char32_t kEnd = 0x144;  // behind the last stand-in

struct Alphabet {
  std::array<char32_t, 256> of_byte{};
  std::array<int, kEnd> byte{};
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  alphabet.byte.fill(-1);
  char32_t further = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    const char32_t point = printable ? static_cast<char32_t>(byte) : further++;
    alphabet.of_byte[static_cast<std::size_t>(byte)] = point;
    alphabet.byte[point] = byte;
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

char32_t stand_in(unsigned char byte) {
  return kAlphabet.of_byte[byte];
}

void append_spelled(std::string& out, std::string_view bytes) {
  for (const char byte : bytes) report::append_utf8(out, stand_in(static_cast<unsigned char>(byte)));
}

std::optional<std::string> unspelled(std::string_view spelled) {
  std::string bytes;
  for (std::size_t i = 0; i < spelled.size();) {
    const char32_t point = report::next_code_point(spelled, i);
    if (point >= kEnd || kAlphabet.byte[point] < 0) return std::nullopt;
    bytes += static_cast<char>(static_cast<unsigned char>(kAlphabet.byte[point]));
  }
  return bytes;
}

}  // namespace atto::text
