#pragma once
// Every operation of the library, for explain() and for the test suite, which refuses an operation without a test case.

#include <span>
#include <string>
#include <string_view>

#include "autograd/schema.hpp"

namespace atto {

/// The schemas of all operations, in alphabetical order.
std::span<const Schema* const> op_table();

/// Signature, formula, backward formula and cost of an operation as text; ValueError with the nearest names when there
/// is none.
std::string explain(std::string_view op);

}  // namespace atto
