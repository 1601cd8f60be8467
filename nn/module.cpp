#include "nn/module.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <unordered_set>

#include "core/error.hpp"

namespace atto {

namespace detail {

struct ModelState {
  explicit ModelState(const ModelOptions& wanted) : options(wanted), random(wanted.seed) {}

  ModelOptions options;
  Generator random;
  bool training = true;
  bool replaying = false;
  std::vector<NamedParameter> parameters;
  std::vector<NamedTensor> buffers;
  std::vector<std::shared_ptr<Socket>> sockets;
  std::unordered_set<std::string> names;
  std::optional<FlatParameters> flat;

  void claim(const std::string& name, const char* what) {
    if (!names.insert(name).second)
      throw StateError(
          {.op = "Scope",
           .argument = what,
           .got = "\"" + name + "\" a second time",
           .expected = "a name of its own for each parameter and buffer",
           .hint = "to share a module pass a reference to it; to build another one give it a scope of its own"});
  }
};

}  // namespace detail

namespace {

constexpr std::int64_t kAlignment = 64;  // bytes: a cache line, and the widest vector

// FNV-1a and a finaliser, so that similar names give unrelated keys.
std::uint64_t hash(std::uint64_t seed, std::string_view text) {
  std::uint64_t state = 14695981039346656037ull ^ (seed * 0x9E3779B97F4A7C15ull);
  for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9ull;
  state = (state ^ (state >> 27)) * 0x94D049BB133111EBull;
  return state ^ (state >> 31);
}

void check_name(std::string_view name) {
  const bool good = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
  if (!good)
    throw ValueError({.op = "Scope",
                      .argument = "name",
                      .got = "\"" + std::string(name) + "\"",
                      .expected = "letters, digits, '_' and '-'",
                      .hint = "write scope / \"a\" / \"b\" for a place below a place"});
}

// The name with the longest common beginning: what a user most likely meant.
template <class Named>
std::string nearest(std::span<const Named> items, std::string_view name) {
  std::string best;
  std::size_t longest = 0;
  for (const Named& item : items) {
    const auto end = std::mismatch(item.name.begin(), item.name.end(), name.begin(), name.end()).first;
    const auto length = static_cast<std::size_t>(end - item.name.begin());
    if (best.empty() || length > longest) best = item.name;
    longest = std::max(longest, length);
  }
  return best.empty() ? std::string("the model has none") : "the nearest is \"" + best + "\"";
}

template <class Named>
const Named& find(std::span<const Named> items, std::string_view name, const char* what) {
  const auto at = std::find_if(items.begin(), items.end(), [&](const Named& item) { return item.name == name; });
  if (at == items.end())
    throw ValueError({.op = "Model",
                      .argument = what,
                      .got = "\"" + std::string(name) + "\"",
                      .expected = std::string("the name of a ") + what,
                      .hint = nearest(items, name)});
  return *at;
}

}  // namespace

// --- Scope ----------------------------------------------------------------------------------------------------------

Parameter::Parameter(const Scope& scope, std::string_view name, const Shape& shape, const Initialiser& initialiser) {
  detail::ModelState& state = *scope.state_;
  const std::string full = scope.full_name(name);
  if (state.flat)
    throw StateError({.op = "Scope",
                      .argument = "parameter",
                      .got = "\"" + full + "\" after the model was flattened",
                      .expected = {},
                      .hint = "create all modules before the first optimiser"});
  Tensor value = Tensor::empty(shape, state.options.dtype);
  Generator random(hash(state.options.seed, full));
  initialiser(value, random);
  state.claim(full, "parameter");
  var_ = Var::leaf(std::move(value), full);
  state.parameters.push_back({full, var_});
}

Buffer::Buffer(const Scope& scope, std::string_view name, const Tensor& initial) : tensor_(initial.clone()) {
  const std::string full = scope.full_name(name);
  if (!tensor_.defined())
    throw ValueError({.op = "Scope",
                      .argument = "buffer",
                      .got = "an undefined tensor for \"" + full + "\"",
                      .expected = "a tensor",
                      .hint = {}});
  scope.state_->claim(full, "buffer");
  scope.state_->buffers.push_back({full, tensor_});
}

Scope Scope::operator/(std::string_view name) const {
  return {state_, full_name(name)};
}
Scope Scope::operator/(std::int64_t index) const {
  return *this / std::string_view(std::to_string(index));
}

std::string Scope::full_name(std::string_view name) const {
  check_name(name);
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

Parameter Scope::parameter(std::string_view name, const Shape& shape, const Initialiser& initialiser) const {
  return Parameter(*this, name, shape, initialiser);
}

Buffer Scope::buffer(std::string_view name, const Tensor& initial) const {
  return Buffer(*this, name, initial);
}

void Scope::offer(const std::shared_ptr<Socket>& socket) const {
  socket->path_ = path_;
  state_->sockets.push_back(socket);
}

Generator Scope::random(std::string_view purpose) const {
  return Generator(hash(state_->options.seed, path_ + "#" + std::string(purpose)));  // '#' is in no parameter's name
}

RandomStream Scope::dropout_stream() const {
  return state_->random.stream();
}
Generator::State Scope::random_state() const {
  return state_->random.state();
}
bool Scope::replaying() const noexcept {
  return state_->replaying;
}
bool Scope::training() const noexcept {
  return state_->training;
}
DType Scope::dtype() const noexcept {
  return state_->options.dtype;
}

Replay::Replay(const Scope& scope, const Generator::State& random)
    : state_(scope.state_), random_(state_->random.state()), replaying_(std::exchange(state_->replaying, true)) {
  state_->random = Generator(random);
}
Replay::~Replay() {
  state_->random = Generator(random_);
  state_->replaying = replaying_;
}

PathScope Module::enter() const {
  static const std::string root = "the root module";
  return PathScope(scope_.path().empty() ? root : scope_.path());
}

// --- Model ----------------------------------------------------------------------------------------------------------

Model::Model(ModelOptions options) : state_(std::make_shared<detail::ModelState>(options)) {
  if (!is_floating(options.dtype))
    throw TypeError({.op = "Model",
                     .argument = "dtype",
                     .got = std::string(name_of(options.dtype)),
                     .expected = "float32 or float64",
                     .hint = {}});
}

const ModelOptions& Model::options() const noexcept {
  return state_->options;
}
std::span<const NamedParameter> Model::parameters() const noexcept {
  return state_->parameters;
}
std::span<const NamedTensor> Model::buffers() const noexcept {
  return state_->buffers;
}
std::span<const std::shared_ptr<Socket>> Model::sockets() const noexcept {
  return state_->sockets;
}
const Var& Model::parameter(std::string_view name) const {
  return find(parameters(), name, "parameter").value;
}
const Tensor& Model::buffer(std::string_view name) const {
  return find(buffers(), name, "buffer").value;
}

void Model::train(bool training) const noexcept {
  state_->training = training;
}
bool Model::training() const noexcept {
  return state_->training;
}

std::int64_t Model::freeze(std::string_view pattern, bool frozen) const {
  std::int64_t count = 0;
  for (const NamedParameter& parameter : parameters()) {
    if (!matches(parameter.name, pattern)) continue;
    parameter.value.set_requires_grad(!frozen);
    ++count;
  }
  if (count == 0)
    throw ValueError({.op = "Model::freeze",
                      .argument = "pattern",
                      .got = "\"" + std::string(pattern) + "\", which fits no parameter",
                      .expected = "a name, or a pattern with '*' and '?'",
                      .hint = nearest(parameters(), pattern)});
  return count;
}

std::int64_t Model::parameter_count() const noexcept {
  std::int64_t count = 0;
  for (const NamedParameter& parameter : parameters()) count += parameter.value.value().numel();
  return count;
}

std::int64_t Model::trainable_count() const noexcept {
  std::int64_t count = 0;
  for (const NamedParameter& parameter : parameters())
    if (parameter.value.requires_grad()) count += parameter.value.value().numel();
  return count;
}

void Model::zero_grad() const {
  if (state_->flat) return state_->flat->gradients.fill(0.0);
  for (const NamedParameter& parameter : parameters()) parameter.value.zero_grad();
}

const FlatParameters& Model::flatten() const {
  if (state_->flat) return *state_->flat;
  const DType dtype = state_->options.dtype;
  const std::int64_t step = kAlignment / static_cast<std::int64_t>(size_of(dtype));
  FlatParameters flat;
  std::int64_t size = 0;
  for (const NamedParameter& parameter : parameters()) {
    flat.offsets.push_back(size);
    size += (parameter.value.value().numel() + step - 1) / step * step;
  }
  flat.values = Tensor::zeros({size}, dtype);
  flat.gradients = Tensor::zeros({size}, dtype);
  for (std::size_t i = 0; i < flat.offsets.size(); ++i) {
    const Var& var = parameters()[i].value;
    const std::int64_t begin = flat.offsets[i];
    const std::int64_t end = begin + var.value().numel();
    const Tensor value = flat.values.rows(begin, end).reshape(var.shape());
    value.copy_from(var.value());
    const Tensor earlier = var.grad();
    var.set_value(value);
    var.set_grad_storage(flat.gradients.rows(begin, end).reshape(var.shape()));
    if (earlier.defined()) var.grad().copy_from(earlier);
  }
  state_->flat = std::move(flat);
  return *state_->flat;
}

Generator::State Model::random_state() const noexcept {
  return state_->random.state();
}
void Model::set_random_state(const Generator::State& state) const noexcept {
  state_->random = Generator(state);
}

bool matches(std::string_view name, std::string_view pattern) noexcept {
  // Greedy with one point of return: the last '*' takes one more character whenever the rest does not fit.
  std::size_t n = 0, p = 0, star = std::string_view::npos, taken = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace atto
