#include "nn/text/regex.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <new>

#include "core/error.hpp"
#include "nn/report/utf8.hpp"

namespace atto::text {
namespace {

constexpr std::size_t kMostBytes = 65536;
constexpr std::uint32_t kHeapKib = 512 * 1024;

template <class T>
T* or_bad_alloc(T* pointer) {
  if (pointer == nullptr) throw std::bad_alloc();
  return pointer;
}

std::string message_of(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

PCRE2_SPTR units(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.empty() ? "" : text.data());
}

// What a search writes to: one for each thread, so that a compiled pattern is only ever read.
struct Scratch {
  pcre2_match_data* data = or_bad_alloc(pcre2_match_data_create(1, nullptr));
  pcre2_match_context* context = or_bad_alloc(pcre2_match_context_create(nullptr));
  Scratch() { pcre2_set_heap_limit(context, kHeapKib); }
  Scratch(const Scratch&) = delete;
  ~Scratch() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
  }
};

}  // namespace

struct Regex::Code {
  explicit Code(pcre2_code* compiled) : code(compiled) {}
  Code(const Code&) = delete;
  ~Code() { pcre2_code_free(code); }
  pcre2_code* code;
};

Regex::Regex(std::string_view pattern) {
  const std::string translated = from_oniguruma(pattern);
  if (translated.size() > kMostBytes)
    throw PatternError("has " + std::to_string(translated.size()) + " bytes, the limit is " +
                       std::to_string(kMostBytes));
  const std::unique_ptr<pcre2_compile_context, void (*)(pcre2_compile_context*)> context(
      or_bad_alloc(pcre2_compile_context_create(nullptr)), pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_bsr(context.get(), PCRE2_BSR_UNICODE);
  int error = 0;
  PCRE2_SIZE place = 0;
  pcre2_code* compiled =
      pcre2_compile(units(translated), translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &place, context.get());
  if (compiled == nullptr) throw PatternError(message_of(error) + " (at byte " + std::to_string(place) + ")");
  code_ = std::make_shared<const Code>(compiled);
  // Without a compiler to machine code (unsupported processor, forbidden by the system) patterns are interpreted.
  pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);
}

Regex Regex::literal(std::string_view text) {
  Regex regex;
  regex.literal_ = text;
  return regex;
}

std::optional<Regex::Match> Regex::find(std::string_view text, std::size_t from) const {
  if (!code_) {
    const std::size_t at = literal_.empty() ? std::string_view::npos : text.find(literal_, from);
    if (at == std::string_view::npos) return std::nullopt;
    return Match{at, at + literal_.size()};
  }
  thread_local const Scratch scratch;
  const std::size_t steps = 1'000'000 + std::min<std::size_t>(text.size(), 100'000'000) * 16;
  pcre2_set_match_limit(scratch.context, static_cast<std::uint32_t>(steps));
  // The caller vouches for the text: checking it again at every match would take quadratic time.
  int found =
      pcre2_match(code_->code, units(text), text.size(), from, PCRE2_NO_UTF_CHECK, scratch.data, scratch.context);
  if (found == PCRE2_ERROR_JIT_STACKLIMIT)
    found = pcre2_match(code_->code, units(text), text.size(), from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, scratch.data,
                        scratch.context);
  if (found == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (found == PCRE2_ERROR_NOMEMORY) throw std::bad_alloc();
  if (found < 0)
    throw ValueError({.op = "Tokenizer::encode",
                      .argument = "text",
                      .got = "a search from byte " + std::to_string(from) + " of " + std::to_string(text.size()) +
                             " that ended with: " + message_of(found),
                      .expected = "text that the tokeniser's pattern can be searched for in a bounded number of steps",
                      .hint = "encode shorter texts, or simplify the pattern"});
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(scratch.data);
  return Match{range[0], range[1]};
}

std::size_t Regex::next_character(std::string_view text, std::size_t at) {
  if (at >= text.size()) return at + 1;
  report::next_code_point(text, at);
  return at;
}

}  // namespace atto::text
