#include "nn/report/utf8.hpp"

namespace atto::report {
namespace {

constexpr char32_t replacement = 0xFFFD;

bool in(char32_t point, char32_t first, char32_t last) {
  return first <= point && point <= last;
}

bool is_combining(char32_t p) {
  return in(p, 0x0300, 0x036F) || in(p, 0x1AB0, 0x1AFF) || in(p, 0x1DC0, 0x1DFF) || in(p, 0x200B, 0x200F) ||
         in(p, 0x20D0, 0x20FF) || in(p, 0xFE00, 0xFE0F) || in(p, 0xFE20, 0xFE2F);
}

bool is_wide(char32_t p) {
  return in(p, 0x1100, 0x115F) || in(p, 0x2E80, 0x303E) || in(p, 0x3041, 0xA4CF) || in(p, 0xAC00, 0xD7A3) ||
         in(p, 0xF900, 0xFAFF) || in(p, 0xFE30, 0xFE6F) || in(p, 0xFF00, 0xFF60) || in(p, 0xFFE0, 0xFFE6) ||
         in(p, 0x1F300, 0x1F64F) || in(p, 0x1F680, 0x1F6FF) || in(p, 0x1F900, 0x1F9FF) || in(p, 0x20000, 0x3FFFD);
}

std::size_t columns_of(char32_t point) {
  return is_combining(point) ? 0 : is_wide(point) ? 2 : 1;
}

}  // namespace

char32_t next_code_point(std::string_view text, std::size_t& position) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(position);
  if (lead < 0x80) return byte(position++);
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  // 0xC0, 0xC1 would be over-long, above 0xF4 lies beyond Unicode, below 0xC0 is a continuation byte without a lead.
  if (lead < 0xC2 || lead > 0xF4 || position + length > text.size()) return ++position, replacement;
  char32_t point = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const unsigned next = byte(position + i);
    if ((next & 0xC0u) != 0x80u) return ++position, replacement;
    point = (point << 6) | (next & 0x3Fu);
  }
  const char32_t smallest = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
  if (point < smallest || point > 0x10FFFF || in(point, 0xD800, 0xDFFF)) return ++position, replacement;
  position += length;
  return point;
}

void append_utf8(std::string& out, char32_t point) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  const auto tail = [&](int shift) { put(0x80 | ((point >> shift) & 0x3F)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | (point >> 6)), tail(0);
  } else if (point < 0x10000) {
    put(0xE0 | (point >> 12)), tail(6), tail(0);
  } else {
    put(0xF0 | (point >> 18)), tail(12), tail(6), tail(0);
  }
}

std::size_t display_columns(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size();) columns += columns_of(next_code_point(text, i));
  return columns;
}

std::string shorten_columns(std::string_view text, std::size_t columns) {
  if (display_columns(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::string out;
  std::size_t used = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char32_t point = next_code_point(text, i);
    if (used + columns_of(point) > columns - 1) break;
    used += columns_of(point);
    append_utf8(out, point);
  }
  return out + "…";
}

}  // namespace atto::report
