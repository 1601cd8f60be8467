#include "nn/adapters/lora.hpp"

#include <algorithm>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "nn/adapters/scopes.hpp"
#include "nn/checkpoint.hpp"
#include "ops/arithmetic/arithmetic.hpp"
#include "ops/dropout/dropout.hpp"
#include "ops/linear/linear.hpp"
#include "ops/matmul/matmul.hpp"

namespace atto {
namespace {

const LoraOptions& checked(const LoraOptions& o) {
  if (o.rank < 1 || !(o.dropout >= 0 && o.dropout < 1))
    throw ValueError({.op = "Lora",
                      .argument = "rank, dropout",
                      .got = std::to_string(o.rank) + ", " + std::to_string(o.dropout),
                      .expected = "rank of at least 1 and 0 <= dropout < 1",
                      .hint = {}});
  return o;
}

[[noreturn]] void wrong_time(const char* got, const char* expected) {
  throw StateError({.op = "Lora", .argument = "weights", .got = got, .expected = expected, .hint = {}});
}

}  // namespace

Lora::Target::Target(const Scope& scope, const LoraOptions& options, std::shared_ptr<LinearSocket> linear)
    : socket(std::move(linear)),
      a(scope, "a", Shape{options.rank, socket->weight.size(1)}, init::kaiming_uniform(socket->weight.size(1))),
      b(scope, "b", Shape{socket->weight.size(0), options.rank}, init::zeros()) {}

Lora::Lora(const Model& model, const LoraOptions& options)
    : Module(model / checked(options).name),
      model_(model),
      options_(options),
      scale_(options.alpha / static_cast<double>(options.rank)) {
  std::vector<std::shared_ptr<LinearSocket>> chosen;
  for (const auto& offered : model.sockets()) {
    const auto socket = std::dynamic_pointer_cast<LinearSocket>(offered);
    const auto fits = [&](const std::string& pattern) { return matches(offered->path(), pattern); };
    if (!socket || std::none_of(options.targets.begin(), options.targets.end(), fits)) continue;
    if (socket->addend)
      throw StateError({.op = "Lora",
                        .argument = "targets",
                        .got = "\"" + socket->path() + "\", which has an adapter",
                        .expected = "a linear layer without one",
                        .hint = {}});
    chosen.push_back(socket);
  }
  if (chosen.empty())
    throw ValueError({.op = "Lora",
                      .argument = "targets",
                      .got = "patterns that fit no linear layer",
                      .expected = "paths, or patterns with '*' and '?'",
                      .hint = "a layer's path is the name of its weight without \".weight\""});
  // Attached only when nothing can fail any more.
  for (const auto& socket : chosen) targets_.emplace_back(scope_at(scope(), socket->path()), options_, socket);
  for (const Target& target : targets_)
    target.socket->addend = [this, &target](const Var& x) { return addend(target, x); };
}

Lora::~Lora() {
  if (merged_) unmerge();
  for (const Target& target : targets_) target.socket->addend = nullptr;
}

Var Lora::addend(const Target& target, const Var& x) const {
  const auto here = enter();
  const Var seen = training() && options_.dropout > 0 ? dropout(x, options_.dropout, scope().dropout_stream()) : x;
  return linear(linear(seen, target.a, {}), target.b, {}) * scale_;
}

void Lora::merge() {
  if (merged_) wrong_time("merged ones", "a call of unmerge() first");
  const NoGrad no_grad;
  for (Target& target : targets_) {
    const Tensor weight = target.socket->weight.value();
    target.original = weight.clone();
    weight.copy_from((target.socket->weight + matmul(target.b, target.a) * scale_).value());
    target.socket->addend = nullptr;
  }
  merged_ = true;
}

void Lora::unmerge() {
  if (!merged_) wrong_time("weights that are not merged", "a call of merge() first");
  for (Target& target : targets_) {
    target.socket->weight.value().copy_from(target.original);
    target.original = {};
    target.socket->addend = [this, &target](const Var& x) { return addend(target, x); };
  }
  merged_ = false;
}

std::vector<std::string> Lora::targets() const {
  std::vector<std::string> paths;
  for (const Target& target : targets_) paths.push_back(target.socket->path());
  return paths;
}

std::int64_t Lora::parameter_count() const {
  std::int64_t count = 0;
  for (const Target& target : targets_) count += target.a.value().numel() + target.b.value().numel();
  return count;
}

void Lora::save(const std::filesystem::path& path) const {
  save_weights(
      model_, path,
      {{"adapter", "lora"}, {"rank", std::to_string(options_.rank)}, {"alpha", std::to_string(options_.alpha)}},
      scope().path() + ".*");
}

void Lora::load(const std::filesystem::path& path) {
  if (merged_) wrong_time("merged ones", "a call of unmerge() first");
  const Metadata metadata = read_safetensors(path).metadata;
  const auto expect = [&](const char* key, const std::string& value) {
    const auto at = metadata.find(key);
    if (at == metadata.end() || at->second != value)
      throw FileError(path.string(), "header",
                      std::string(key) + " is " + (at == metadata.end() ? "missing" : in_quotes(at->second)) +
                          ", expected " + value,
                      "build the adapter with the options that it was saved with");
  };
  expect("adapter", "lora");
  expect("rank", std::to_string(options_.rank));
  expect("alpha", std::to_string(options_.alpha));
  load_weights(model_, path, {.only = scope().path() + ".*"});
}

}  // namespace atto
