#include "nn/checkpoint.hpp"

#include <cmath>
#include <limits>

#include "core/file.hpp"
#include "nn/layers/linear.hpp"
#include "nn/snapshot.hpp"
#include "tests/support/errors.hpp"
#include "tests/support/file_size_limit.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;
using test::TemporaryFolder;

namespace {

struct Toy {
  explicit Toy(std::uint64_t seed = 1, std::int64_t width = 3, DType dtype = DType::float32)
      : model({.seed = seed, .dtype = dtype}),
        head(model / "layers" / 0 / "head", 2, width),
        mean((model / "norm").buffer("mean", Tensor::full({width}, 0.5, dtype))) {}
  Model model;
  Linear head;
  Buffer mean;
};

std::vector<Tensor> content(const Model& model) {
  std::vector<Tensor> result;
  for (const NamedParameter& parameter : model.parameters()) result.push_back(parameter.value.value().clone());
  for (const NamedTensor& buffer : model.buffers()) result.push_back(buffer.value.clone());
  return result;
}

bool equal(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), bit_equal);
}

// One step of a toy training that draws numbers, as dropout does.
void train_step(Toy& toy, Optimiser& optimiser, Schedule& schedule) {
  optimiser.set_learning_rate_scale(schedule.factor());
  const RandomStream stream = toy.head.scope().dropout_stream();
  for (const NamedParameter& parameter : toy.model.parameters()) {
    std::uint64_t i = 0;
    for (float& g : parameter.value.grad().values<float>()) g = static_cast<float>(stream.normal(i++));
  }
  optimiser.step();
  toy.mean.tensor().values<float>()[0] += static_cast<float>(stream.uniform(1000));
  schedule.step();
}

}  // namespace

TEST_CASE("weights are saved under their names and come back bit for bit") {
  const TemporaryFolder folder;
  const auto path = folder / "model.safetensors";
  const Toy toy(1);
  save_weights(toy.model, path, {{"task", "a \"test\""}});

  const TensorFile file = read_safetensors(path);
  REQUIRE(file.tensors.size() == 3);
  CHECK(file.tensors[0].name == "layers.0.head.weight");
  CHECK(file.tensors[0].value.shape() == Shape{3, 2});
  CHECK(file.tensors[1].name == "layers.0.head.bias");
  CHECK(file.tensors[2].name == "norm.mean");

  const Toy other(2);
  REQUIRE_FALSE(equal(content(toy.model), content(other.model)));
  const LoadedWeights loaded = load_weights(other.model, path);
  CHECK(equal(content(toy.model), content(other.model)));
  CHECK(loaded.metadata.at("task") == "a \"test\"");

  // Into float64 and back again.
  const Toy wide(3, 3, DType::float64);
  load_weights(wide.model, path);
  CHECK(bit_equal(wide.head.weight().value().to(DType::float32), toy.head.weight().value()));
  save_weights(wide.model, path);
  const Toy back(4);
  load_weights(back.model, path);
  CHECK(equal(content(toy.model), content(back.model)));
}

TEST_CASE("weights that do not fit are listed all at once, and nothing is loaded") {
  const TemporaryFolder folder;
  const auto path = folder / "model.safetensors";
  Model other;
  Linear head(other / "layers" / 0 / "head", 2, 4);
  Linear extra(other / "extra", 1, 1, {.bias = false});
  save_weights(other, path);
  const Toy toy(1);
  const auto before = content(toy.model);
  for (const char* part :
       {"\"layers.0.head.weight\" is float32[4,2], expected float32[3,2]", "\"layers.0.head.bias\" is float32[4]",
        "\"norm.mean\" is missing", "\"extra.weight\" is unexpected"})
    CHECK_THAT_SAYS(FileError, load_weights(toy.model, path), part);
  CHECK(equal(before, content(toy.model)));

  // Without strictness other names are reported, other shapes still refused.
  CHECK_THAT_SAYS(FileError, load_weights(toy.model, path, {.strict = false}), "expected float32[3]");
  CHECK(equal(before, content(toy.model)));
  write_safetensors(path, std::vector<NamedTensor>{{"layers.0.head.bias", Tensor::from({1.0, 2.0, 3.0}, {3})},
                                                   {"b", Tensor::zeros({0})}});
  const LoadedWeights loaded = load_weights(toy.model, path, {.strict = false});
  CHECK(loaded.missing == std::vector<std::string>{"layers.0.head.weight", "norm.mean"});
  CHECK(loaded.unexpected == std::vector<std::string>{"b"});
  CHECK(toy.head.bias().value().values<float>()[2] == 3.0f);
}

TEST_CASE("numbers that are not finite") {
  const TemporaryFolder folder;
  const auto path = folder / "model.safetensors";
  const Toy good(1), bad(2);
  save_weights(good.model, path);
  bad.head.bias().value().values<float>()[1] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THAT_SAYS(NumericError, save_weights(bad.model, path), "layers.0.head.bias");
  const Toy loaded(3);
  load_weights(loaded.model, path);  // what was there is still there
  CHECK(equal(content(good.model), content(loaded.model)));

  std::vector<NamedTensor> tensors = read_safetensors(path).tensors;
  tensors[2].value.values<float>()[1] = std::numeric_limits<float>::infinity();
  write_safetensors(path, tensors);
  CHECK_THAT_SAYS(FileError, load_weights(loaded.model, path), "\"norm.mean\" holds a NaN or infinity at element 1");
  CHECK(equal(content(good.model), content(loaded.model)));
  load_weights(loaded.model, path, {.allow_non_finite = true});
  CHECK(std::isinf(loaded.mean.tensor().values<float>()[1]));

  tensors[2].value = Tensor::full({3}, 1e300, DType::float64);  // too large for float32
  write_safetensors(path, tensors);
  CHECK_THAT_SAYS(FileError, load_weights(good.model, path), "\"norm.mean\" holds a NaN or infinity at element 0");
}

TEST_CASE("a resumed run equals the uninterrupted one bit for bit") {
  const TemporaryFolder folder;
  const auto path = folder / "run.safetensors";
  Toy straight(1);
  AdamW optimiser(straight.model, {.learning_rate = 0.1, .weight_decay = 0.1});
  WarmupCosine schedule({.warmup = 2, .total = 9});
  BestSnapshot best(straight.model, false);
  WeightAverage average(straight.model, 0.5);
  for (int t = 0; t < 4; ++t) {
    train_step(straight, optimiser, schedule);
    average.update();
  }
  best.offer(0.25, 3);
  std::vector<NamedTensor> more;
  append(more, "best", best.state());
  append(more, "average", average.state());
  save_checkpoint(path, {.model = straight.model, .optimiser = &optimiser, .schedule = &schedule, .more = more},
                  {.fold = 2, .epoch = 3, .batch = 5}, {{"note", "x"}});

  Toy resumed(77);
  AdamW again(resumed.model, {.learning_rate = 0.1, .weight_decay = 0.1});
  WarmupCosine again_schedule({.warmup = 2, .total = 9});
  BestSnapshot again_best(resumed.model, false);
  WeightAverage again_average(resumed.model, 0.5);
  std::vector<NamedTensor> again_more;
  append(again_more, "best", again_best.state());
  append(again_more, "average", again_average.state());
  const RunState run{.model = resumed.model, .optimiser = &again, .schedule = &again_schedule, .more = again_more};
  const Resumed found = load_checkpoint(path, run);
  CHECK(found.position == Position{.fold = 2, .epoch = 3, .batch = 5});
  CHECK(found.metadata.at("note") == "x");
  CHECK(again_best.metric() == 0.25);
  CHECK(again_best.epoch() == 3);
  for (int t = 0; t < 5; ++t) {
    train_step(straight, optimiser, schedule);
    train_step(resumed, again, again_schedule);
    average.update();
    again_average.update();
  }
  CHECK(equal(content(straight.model), content(resumed.model)));
  CHECK(straight.model.random_state() == resumed.model.random_state());
  {
    const auto a = average.use();
    const auto b = again_average.use();
    CHECK(equal(content(straight.model), content(resumed.model)));
  }
  best.restore();
  again_best.restore();
  CHECK(equal(content(straight.model), content(resumed.model)));

  SECTION("a run of another structure refuses it, unchanged") {
    Toy other(5);
    Sgd sgd(other.model, {});
    const auto before = content(other.model);
    CHECK_THAT_SAYS(FileError, load_checkpoint(path, {.model = other.model, .optimiser = &sgd}),
                    "\"optimiser.velocity.layers.0.head.weight\" is missing");
    CHECK(equal(before, content(other.model)));
    CHECK(other.model.random_state() == Model({.seed = 5}).random_state());
  }
  SECTION("weights are not a checkpoint, and a checkpoint is no weights") {
    const auto weights = folder / "model.safetensors";
    save_weights(straight.model, weights);
    CHECK_THAT_SAYS(FileError, load_checkpoint(weights, run), "attograd.checkpoint");
    CHECK_THROWS_AS(load_weights(resumed.model, path), FileError);
  }
  SECTION("a later version of the format is refused") {
    TensorFile file = read_safetensors(path);
    file.metadata["version"] = "2";
    write_safetensors(path, file.tensors, file.metadata);
    CHECK_THAT_SAYS(FileError, load_checkpoint(path, run), "version \"2\"");
  }
  SECTION("a checkpoint is not converted") {
    TensorFile file = read_safetensors(path);
    for (NamedTensor& tensor : file.tensors)
      if (tensor.name == "model.norm.mean") tensor.value = tensor.value.to(DType::float64);
    write_safetensors(path, file.tensors, file.metadata);
    CHECK_THAT_SAYS(FileError, load_checkpoint(path, run), "\"model.norm.mean\" is float64[3], expected float32[3]");
  }
  SECTION("a run that has diverged does not overwrite it") {
    const std::string good = read_file(path);
    optimiser.state()[2].value.values<float>()[0] = std::numeric_limits<float>::infinity();
    CHECK_THAT_SAYS(NumericError, save_checkpoint(path, {.model = straight.model, .optimiser = &optimiser}, {}),
                    "optimiser.first_moment.layers.0.head.weight");
    CHECK(read_file(path) == good);
  }
  SECTION("an impossible position is refused, unchanged") {
    TensorFile file = read_safetensors(path);
    for (NamedTensor& tensor : file.tensors) {
      if (tensor.name == "position") tensor.value.fill(-1);
      if (tensor.name == "model.norm.mean") tensor.value.fill(9);
    }
    write_safetensors(path, file.tensors, file.metadata);
    CHECK_THAT_SAYS(FileError, load_checkpoint(path, run), "position");
    CHECK(resumed.mean.tensor().values<float>()[1] != 9.0f);
  }
}

TEST_CASE("a full disk leaves the old checkpoint") {
  const TemporaryFolder folder;
  const auto path = folder / "model.safetensors";
  const Toy toy(1), later(2, 5000);
  save_weights(toy.model, path);
  const std::string before = read_file(path);
  {
    const test::FileSizeLimit limit(4096);
    CHECK_THROWS_AS(save_weights(later.model, path), FileError);
  }
  CHECK(read_file(path) == before);
  CHECK(folder.entries() == 1);
}
