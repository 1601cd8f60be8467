// What an error says, for tests that check its type and its text at once:
//
//     CHECK_THAT_SAYS(StateError, model.flatten(), "a second time");
#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"
#include "tests/support/catch.hpp"

namespace atto::test {

/// The text of the error of type E that f throws; a note in its place when f throws nothing. Other errors pass through.
template <class E, class F>
std::string error_text(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace atto::test

#define CHECK_THAT_SAYS(type, expression, part)                                                             \
  do {                                                                                                      \
    const std::string text_of_error = atto::test::error_text<type>([&] { static_cast<void>(expression); }); \
    INFO(text_of_error);                                                                                    \
    CHECK(atto::test::contains(text_of_error, part));                                                       \
  } while (false)
