#pragma once
// Enumerations whose values have names on the command line and in files.

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.hpp"

namespace atto {

/// `constexpr Names<Colour, 2> kColours{"colour", {{{Colour::red, "red"}, {Colour::blue, "blue"}}}};`
template <class E, std::size_t N>
struct Names {
  std::string_view what;  ///< for messages
  std::array<std::pair<E, std::string_view>, N> entries;

  constexpr std::string_view name(E value) const {
    for (const auto& [entry, name] : entries)
      if (entry == value) return name;
    return "?";
  }
  /// ValueError listing the names when there is no such one.
  E parse(std::string_view text) const {
    std::string known;
    for (const auto& [entry, name] : entries) {
      if (name == text) return entry;
      known += (known.empty() ? "" : ", ") + std::string(name);
    }
    throw ValueError({.op = std::string(what),
                      .argument = "name",
                      .got = '"' + std::string(text) + '"',
                      .expected = "one of " + known,
                      .hint = {}});
  }
};

}  // namespace atto
