#include "nn/checkpoint.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "autograd/accumulate.hpp"
#include "core/error.hpp"

namespace atto {
namespace {

constexpr const char* kWeights = "attograd.weights";
constexpr const char* kCheckpoint = "attograd.checkpoint";
constexpr const char* kVersion = "1";

Metadata stamped(Metadata metadata, const char* format) {
  metadata["format"] = format;
  metadata["version"] = kVersion;
  return metadata;
}

void check_version(const std::filesystem::path& path, const Metadata& metadata, const char* format, bool required) {
  const auto value = [&](const char* key) {
    const auto at = metadata.find(key);
    return at == metadata.end() ? std::string() : at->second;
  };
  if (value("format") != format) {
    if (required)
      throw FileError(path.string(), "header",
                      "the metadata does not say that this is a " + std::string(format) + " file");
    return;
  }
  if (value("version") != kVersion)
    throw FileError(path.string(), "header",
                    "version " + in_quotes(value("version")) + " of the format, expected " + kVersion,
                    "a newer attograd may read it");
}

std::vector<NamedTensor> weights_of(const Model& model, std::string_view only = "*") {
  std::vector<NamedTensor> result;
  for (const NamedParameter& parameter : model.parameters())
    if (matches(parameter.name, only)) result.push_back({parameter.name, parameter.value.value()});
  for (const NamedTensor& buffer : model.buffers())
    if (matches(buffer.name, only)) result.push_back(buffer);
  return result;
}

std::int64_t non_finite_at(const Tensor& tensor) {
  return is_floating(tensor.dtype()) ? first_non_finite(tensor) : -1;
}

void refuse_to_write(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors) {
  for (const NamedTensor& tensor : tensors)
    if (const std::int64_t at = non_finite_at(tensor.value); at >= 0)
      throw NumericError({.op = "saving " + path.string(),
                          .argument = tensor.name,
                          .got = "a NaN or infinity at element " + std::to_string(at) + " of " + tensor.value.str(),
                          .expected = "finite numbers",
                          .hint = "the file was left as it was; training has diverged"});
}

// Collects what is wrong with a file, so that one error says it all.
class Complaints {
 public:
  void add(const std::string& text) {
    if (count_++ < kShown) text_ += (text_.empty() ? "" : "; ") + text;
  }
  void raise(const std::filesystem::path& path) const {
    if (count_ == 0) return;
    const std::string rest = count_ > kShown ? "; and " + std::to_string(count_ - kShown) + " more" : std::string();
    throw FileError(path.string(), {}, "does not fit: " + text_ + rest,
                    "nothing was loaded; was the model built with other options?");
  }

 private:
  static constexpr std::size_t kShown = 40;
  std::string text_;
  std::size_t count_ = 0;
};

struct Copy {
  Tensor from, to;
};

struct Match {
  std::vector<Copy> copies;
  std::vector<std::string> missing, unexpected;
};

// Pairs the tensors of a file with those that they go to. All checks come before the first write, so that a bad file
// changes nothing. `finite(name)` tells where a NaN is refused.
template <class Finite>
Match match(const std::filesystem::path& path, const TensorFile& file, const std::vector<NamedTensor>& targets,
            bool strict, bool convert, Finite&& finite) {
  std::unordered_map<std::string, const Tensor*> by_name;
  for (const NamedTensor& tensor : file.tensors) by_name.emplace(tensor.name, &tensor.value);
  Match result;
  Complaints complaints;
  for (const NamedTensor& target : targets) {
    const auto found = by_name.find(target.name);
    if (found == by_name.end()) {
      if (strict) complaints.add(in_quotes(target.name) + " is missing");
      result.missing.push_back(target.name);
      continue;
    }
    Tensor value = *found->second;
    by_name.erase(found);
    const bool convertible = convert && is_floating(value.dtype()) && is_floating(target.value.dtype());
    if (value.shape() != target.value.shape() || (value.dtype() != target.value.dtype() && !convertible)) {
      complaints.add(in_quotes(target.name) + " is " + value.str() + ", expected " + target.value.str());
      continue;
    }
    value = value.to(target.value.dtype());
    if (finite(target.name))
      if (const std::int64_t at = non_finite_at(value); at >= 0)
        complaints.add(in_quotes(target.name) + " holds a NaN or infinity at element " + std::to_string(at));
    result.copies.push_back({value, target.value});
  }
  for (const NamedTensor& tensor : file.tensors) {
    if (by_name.count(tensor.name) == 0) continue;
    if (strict) complaints.add(in_quotes(tensor.name) + " is unexpected");
    result.unexpected.push_back(tensor.name);
  }
  complaints.raise(path);
  return result;
}

void write_all(const Match& match) {
  for (const Copy& copy : match.copies) copy.to.copy_from(copy.from);
}

Tensor random_tensor(const Generator::State& state) {
  return Tensor::from({std::bit_cast<std::int64_t>(state.seed), std::bit_cast<std::int64_t>(state.position),
                       std::bit_cast<std::int64_t>(state.next_stream)},
                      {3});
}

struct Parts {
  std::vector<NamedTensor> tensors;
  Tensor random, position;
};

Parts parts_of(const RunState& run, Position position) {
  Parts parts;
  append(parts.tensors, "model", weights_of(run.model));
  if (run.optimiser) append(parts.tensors, "optimiser", run.optimiser->state());
  if (run.schedule) append(parts.tensors, "schedule", run.schedule->state());
  append(parts.tensors, "more", run.more);
  parts.random = random_tensor(run.model.random_state());
  parts.position = Tensor::from({position.fold, position.epoch, position.batch}, {3});
  parts.tensors.push_back({"random", parts.random});
  parts.tensors.push_back({"position", parts.position});
  return parts;
}

// What the caller stores may be infinite for a reason (a best loss before the first epoch).
bool must_be_finite(const std::string& name) {
  return name.rfind("model.", 0) == 0 || name.rfind("optimiser.", 0) == 0;
}

}  // namespace

void append(std::vector<NamedTensor>& all, const std::string& prefix, const std::vector<NamedTensor>& part) {
  for (const NamedTensor& tensor : part) all.push_back({prefix + "." + tensor.name, tensor.value});
}

void save_weights(const Model& model, const std::filesystem::path& path, const Metadata& metadata,
                  std::string_view only) {
  const std::vector<NamedTensor> weights = weights_of(model, only);
  refuse_to_write(path, weights);
  write_safetensors(path, weights, stamped(metadata, kWeights));
}

LoadedWeights load_weights(const Model& model, const std::filesystem::path& path, LoadOptions options) {
  TensorFile file = read_safetensors(path);
  check_version(path, file.metadata, kWeights, false);
  Match found = match(path, file, weights_of(model, options.only), options.strict, true,
                      [&](const std::string&) { return !options.allow_non_finite; });
  write_all(found);
  return {.missing = std::move(found.missing),
          .unexpected = std::move(found.unexpected),
          .metadata = std::move(file.metadata)};
}

void save_checkpoint(const std::filesystem::path& path, const RunState& run, Position position,
                     const Metadata& metadata) {
  const Parts parts = parts_of(run, position);
  std::vector<NamedTensor> checked;
  std::copy_if(parts.tensors.begin(), parts.tensors.end(), std::back_inserter(checked),
               [](const NamedTensor& tensor) { return must_be_finite(tensor.name); });
  refuse_to_write(path, checked);
  write_safetensors(path, parts.tensors, stamped(metadata, kCheckpoint));
}

Position checkpoint_position(const std::filesystem::path& path) {
  const TensorFile file = read_safetensors(path);
  check_version(path, file.metadata, kCheckpoint, true);
  for (const NamedTensor& tensor : file.tensors) {
    if (tensor.name != "position" || tensor.value.dtype() != DType::int64 || tensor.value.shape() != Shape{3}) continue;
    const auto values = tensor.value.values<std::int64_t>();
    if (std::all_of(values.begin(), values.end(), [](std::int64_t value) { return value >= 0; }))
      return {.fold = values[0], .epoch = values[1], .batch = values[2]};
  }
  throw FileError(path.string(), {}, "holds no position to go on from");
}

Resumed load_checkpoint(const std::filesystem::path& path, const RunState& run) {
  TensorFile file = read_safetensors(path);
  check_version(path, file.metadata, kCheckpoint, true);
  const Parts parts = parts_of(run, {});
  const Match found = match(path, file, parts.tensors, true, false, must_be_finite);
  for (const Copy& copy : found.copies)
    if (copy.to.storage() == parts.position.storage())
      for (const std::int64_t value : copy.from.values<std::int64_t>())
        if (value < 0) throw FileError(path.string(), {}, "the position is negative");
  write_all(found);
  const auto random = parts.random.values<std::int64_t>();
  run.model.set_random_state({.seed = std::bit_cast<std::uint64_t>(random[0]),
                              .position = std::bit_cast<std::uint64_t>(random[1]),
                              .next_stream = std::bit_cast<std::uint64_t>(random[2])});
  const auto position = parts.position.values<std::int64_t>();
  return {.position = {.fold = position[0], .epoch = position[1], .batch = position[2]},
          .metadata = std::move(file.metadata)};
}

}  // namespace atto
