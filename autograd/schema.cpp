#include "autograd/schema.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "core/error.hpp"

namespace atto {
namespace {

std::vector<std::string_view> split_top(std::string_view text) {
  std::vector<std::string_view> parts;
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      parts.push_back(text.substr(start, i - start));
      start = i + 1;
    } else if (text[i] == '[') {
      ++depth;
    } else if (text[i] == ']') {
      --depth;
    }
  }
  return parts;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

void Dims::set(std::string_view letter, std::int64_t size) {
  const int id = schema_->letter(letter);
  if (id >= 0) sizes_[static_cast<std::size_t>(id)] = size;
}

std::int64_t Dims::operator[](std::string_view letter) const {
  const int id = schema_->letter(letter);
  return id < 0 ? -1 : sizes_[static_cast<std::size_t>(id)];
}

Schema::Schema(const Text& text) : text_(text) {
  const std::string_view inputs = text.signature.substr(0, text.signature.find("->"));
  for (std::string_view part : split_top(inputs)) {
    part = trim(part);
    if (part.empty()) continue;
    const std::size_t bracket = part.find('[');
    Argument argument;
    argument.pattern = std::string(part.substr(bracket));
    std::string_view name = part.substr(0, bracket);
    if (name.ends_with('?')) argument.optional = true, name.remove_suffix(1);
    if (name.ends_with('*')) argument.repeated = true, name.remove_suffix(1);
    argument.name = std::string(name);
    const std::string_view inside = part.substr(bracket + 1, part.size() - bracket - 2);
    for (std::string_view size : split_top(inside)) {
      size = trim(size);
      if (size.empty()) continue;
      if (size == "...") {
        argument.open = true;
        argument.open_end = !argument.sizes.empty();
      } else if (std::isdigit(static_cast<unsigned char>(size.front()))) {
        std::int64_t number = 0;
        std::from_chars(size.data(), size.data() + size.size(), number);
        argument.sizes.push_back(number);
      } else {
        int id = letter(size);
        if (id < 0) {
          id = static_cast<int>(letters_.size());
          letters_.emplace_back(size);
        }
        argument.sizes.push_back(-1 - id);
      }
    }
    arguments_.push_back(std::move(argument));
  }
  if (letters_.size() > 16)
    throw ValueError({.op = std::string(text.name),
                      .argument = "signature",
                      .got = std::to_string(letters_.size()) + " letters",
                      .expected = "at most 16",
                      .hint = {}});
}

int Schema::letter(std::string_view name) const {
  for (std::size_t i = 0; i < letters_.size(); ++i)
    if (letters_[i] == name) return static_cast<int>(i);
  return -1;
}

void Schema::check(const Inputs& inputs, Dims& dims) const {
  const bool repeated = !arguments_.empty() && arguments_.back().repeated;
  if (repeated ? inputs.size() < arguments_.size() : inputs.size() != arguments_.size())
    throw ShapeError({.op = std::string(text_.name),
                      .argument = "inputs",
                      .got = std::to_string(inputs.size()),
                      .expected = std::string(text_.signature),
                      .hint = {}});
  const Tensor* typed = nullptr;
  const Argument* next = arguments_.data();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Argument& argument = *next;
    if (!argument.repeated) ++next;
    const Tensor& input = inputs[i];
    if (!input.defined()) {
      if (argument.optional) continue;
      throw ShapeError({.op = std::string(text_.name),
                        .argument = argument.name,
                        .got = "an undefined tensor",
                        .expected = argument.pattern,
                        .hint = {}});
    }
    if (!is_floating(input.dtype()) || (typed != nullptr && typed->dtype() != input.dtype()))
      throw TypeError({.op = std::string(text_.name),
                       .argument = argument.name,
                       .got = std::string(name_of(input.dtype())),
                       .expected = typed ? std::string(name_of(typed->dtype())) : "float32 or float64",
                       .hint = "convert with to(dtype)"});
    typed = &input;
    const int rank = static_cast<int>(argument.sizes.size());
    if (argument.open && rank == 0) continue;
    const int given = input.rank();
    if (argument.open ? given < rank : given != rank) refuse(argument, input, dims);
    const std::int64_t* sizes = argument.open_end ? input.shape().begin() : input.shape().end() - rank;
    for (int d = 0; d < rank; ++d) {
      const std::int64_t wanted = argument.sizes[static_cast<std::size_t>(d)];
      if (wanted >= 0) {
        if (sizes[d] != wanted) refuse(argument, input, dims);
        continue;
      }
      std::int64_t& bound = dims.sizes_[static_cast<std::size_t>(-1 - wanted)];
      if (bound < 0) bound = sizes[d];
      else if (bound != sizes[d]) refuse(argument, input, dims);
    }
  }
}

void Schema::refuse(const Argument& argument, const Tensor& got, const Dims& dims) const {
  std::string expected = argument.pattern;
  std::string known;
  for (const std::int64_t size : argument.sizes) {
    if (size >= 0) continue;
    const auto id = static_cast<std::size_t>(-1 - size);
    if (dims.sizes_[id] >= 0)
      known += (known.empty() ? " with " : ", ") + letters_[id] + " = " + std::to_string(dims.sizes_[id]);
  }
  throw ShapeError({.op = std::string(text_.name),
                    .argument = argument.name,
                    .got = got.shape().str(),
                    .expected = expected + known,
                    .hint = "signature: " + std::string(text_.signature)});
}

}  // namespace atto
