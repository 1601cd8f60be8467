#pragma once
// Looking at a tape.

#include <string>

#include "autograd/var.hpp"

namespace atto {

/// One line per value that `root` depends on, inputs first: number, operation or name, shape, numbers of the inputs.
std::string to_string(const Var& root);

/// The same as a Graphviz drawing: box per value with shape, range of the data where it is still there (KeepValues)
/// and, where one is kept, gradient norm.
std::string dot(const Var& root);

}  // namespace atto
