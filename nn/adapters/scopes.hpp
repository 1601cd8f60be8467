#pragma once
// Places by their paths.

#include <string_view>

#include "nn/scope.hpp"

namespace atto {

/// `scope` / "layers" / "0" / "query" for "layers.0.query"; the scope itself for an empty path.
inline Scope scope_at(Scope scope, std::string_view path) {
  while (!path.empty()) {
    const std::size_t dot = path.find('.');
    scope = scope / path.substr(0, dot);
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  }
  return scope;
}

}  // namespace atto
