#include "nn/checkpoint.hpp"

#include <algorithm>

#include "core/file.hpp"
#include "nn/snapshot.hpp"
#include "tests/fuzz/target.hpp"

namespace atto::fuzz {
namespace {

// Everything that a checkpoint keeps, as small as can be.
struct Run {
  Run()
      : weight(model.scope().parameter("w", {2}, init::normal())),
        mean(model.scope().buffer("mean", Tensor::zeros({1}))),
        optimiser(model, {.learning_rate = 0.1}),
        schedule({.warmup = 1, .total = 3}) {}

  RunState state() const { return {.model = model, .optimiser = &optimiser, .schedule = &schedule}; }
  std::vector<NamedTensor> tensors() const {
    std::vector<NamedTensor> all{{"w", weight.value()}, {"mean", mean.tensor()}};
    append(all, "o", optimiser.state());
    append(all, "s", schedule.state());
    return all;
  }
  std::vector<Tensor> content() const {
    std::vector<Tensor> copies;
    for (const NamedTensor& tensor : tensors()) copies.push_back(tensor.value.clone());
    return copies;
  }

  Model model{{.seed = 3}};
  Parameter weight;
  Buffer mean;
  AdamW optimiser;
  WarmupCosine schedule;
};

// Later than the run that files are loaded into, so that no number that is written goes unnoticed.
void advance(Run& run) {
  for (const NamedTensor& tensor : run.tensors()) tensor.value.fill(2);
  (void)run.model.scope().dropout_stream();
}

// A file that is refused changes nothing.
template <class Load>
bool load(std::string_view input, Load&& load_into) {
  static Folder& folder = *new Folder;
  const auto path = folder / "input";
  write(path, input);
  static Run& run = *new Run;
  static const std::vector<Tensor> before = run.content();
  static const Generator::State random = run.model.random_state();
  const bool accepted = accepts([&] { load_into(path, run); });
  const std::vector<NamedTensor> now = run.tensors();
  if (!accepted) {
    for (std::size_t i = 0; i < now.size(); ++i)
      require(bit_equal(now[i].value, before[i]), "a refused file changed the run");
    require(run.model.random_state() == random, "a refused file changed the random state");
  }
  for (std::size_t i = 0; i < now.size(); ++i) now[i].value.copy_from(before[i]);
  run.model.set_random_state(random);
  return accepted;
}

bool load_both(const std::filesystem::path& path, Run& run) {
  Position position;
  const bool has_position = accepts([&] { position = checkpoint_position(path); });
  const Resumed found = load_checkpoint(path, run.state());
  require(has_position && found.position == position, "two readers of one position disagree");
  require(position.fold >= 0 && position.epoch >= 0 && position.batch >= 0, "a negative position");
  return true;
}

bool run_checkpoint(std::string_view input) {
  return load(input, load_both);
}

bool run_weights(std::string_view input) {
  const bool strict = load(input, [](const auto& path, Run& run) { load_weights(run.model, path); });
  return load(input, [](const auto& path,
                        Run& run) { load_weights(run.model, path, {.strict = false, .allow_non_finite = true}); }) ||
         strict;
}

std::vector<std::string> seeds_checkpoint() {
  const test::TemporaryFolder folder;
  const auto path = folder / "seed";
  Run run;
  advance(run);
  save_checkpoint(path, run.state(), {.fold = 1, .epoch = 2, .batch = 3}, {{"note", "x"}});
  return {read_file(path)};
}

std::vector<std::string> seeds_weights() {
  const test::TemporaryFolder folder;
  const auto path = folder / "seed";
  Run run;
  advance(run);
  save_weights(run.model, path);
  std::vector<std::string> files{read_file(path)};
  write_safetensors(path,
                    std::vector<NamedTensor>{{"w", Tensor::from({1.0, 2.0}, {2})}, {"other", Tensor::zeros({1})}});
  files.push_back(read_file(path));
  return files;
}

}  // namespace

const Target detail::kCheckpoint{
    .name = "checkpoint", .folder = false, .run = run_checkpoint, .seeds = seeds_checkpoint};
const Target detail::kWeights{.name = "weights", .folder = false, .run = run_weights, .seeds = seeds_weights};

}  // namespace atto::fuzz
