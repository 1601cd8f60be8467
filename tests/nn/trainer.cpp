#include "nn/train/trainer.hpp"

#include <numeric>
#include <optional>

#include "core/allocator.hpp"
#include "core/parallel.hpp"
#include "graph/readers.hpp"
#include "graph/synthetic.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/data.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace atto;

namespace {

struct Setup {
  PreparedData data;
  Split split;
  GraphModelOptions model;
  TrainerOptions training;
};

// A small two-class problem that is decided by structure.
Setup small_setup(std::int64_t graphs = 60) {
  Dataset dataset = molecule_dataset({.graphs = graphs, .seed = 4});
  const Split split = random_split(dataset.size(), dataset.labels(), {.train = 0.6, .valid = 0.2, .seed = 1});
  GraphModelOptions model;
  model.node_features = dataset.node_features;
  model.channels = 16;
  model.heads = 2;
  model.layers = 2;
  model.encoding_width = 6;
  PreparedData data(std::move(dataset), {.encoding = Encoding::rwse, .encoding_width = 6, .hops = true});
  return {.data = std::move(data), .split = split, .model = model, .training = {.epochs = 4, .batch = 8}};
}

// A trainer with a model of its own.
struct Run {
  explicit Run(const Setup& setup, std::uint64_t seed = 1)
      : root({.seed = seed}),
        model(root, setup.model),
        trainer(root, model, setup.data, setup.split, Objective::of(setup.data.dataset()), setup.training) {}
  std::vector<MetricsRow> finish() {
    std::vector<MetricsRow> rows;
    while (!trainer.done()) {
      while (!trainer.epoch_over()) trainer.step();
      rows.push_back(trainer.finish_epoch());
    }
    return rows;
  }
  Model root;
  GraphModel model;
  Trainer trainer;
};

void check_equal(const std::vector<MetricsRow>& a, const std::vector<MetricsRow>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].train_loss == b[i].train_loss);
    CHECK(a[i].valid_loss == b[i].valid_loss);
    CHECK(a[i].test_metric == b[i].test_metric);
  }
}

void check_equal_parameters(const Model& a, const Model& b) {
  for (std::size_t i = 0; i < a.parameters().size(); ++i) {
    INFO(a.parameters()[i].name);
    CHECK(bit_equal(a.parameters()[i].value.value(), b.parameters()[i].value.value()));
  }
}

}  // namespace

TEST_CASE("two runs, and runs with 1, 2 and 7 threads, give the same bits") {
  const Setup setup = small_setup();
  const int before = threads();
  Run first(setup);
  const std::vector<MetricsRow> rows = first.finish();
  for (const int count : {1, 2, 7}) {
    set_threads(count);
    Run again(setup);
    check_equal(again.finish(), rows);
    check_equal_parameters(again.root, first.root);
  }
  set_threads(before);
  Setup other_seed = setup;
  other_seed.training.seed = 2;
  Run different(other_seed);
  CHECK(different.finish()[0].train_loss != rows[0].train_loss);
}

TEST_CASE("a run interrupted at any step and resumed equals the uninterrupted one") {
  const Setup setup = small_setup(40);
  Run whole(setup);
  const std::vector<MetricsRow> rows = whole.finish();
  Run best(setup);
  best.finish();
  best.trainer.restore_best();
  const double best_loss = best.trainer.evaluate(setup.split.valid).loss;
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "checkpoint.safetensors";
  const std::int64_t steps_per_epoch = whole.trainer.batches();
  for (std::int64_t stop = 0; stop <= 2 * steps_per_epoch; ++stop) {
    INFO("stopped after " << stop << " steps");
    std::vector<MetricsRow> seen;
    {
      Run interrupted(setup);
      for (std::int64_t step = 0; step < stop; ++step) {
        if (interrupted.trainer.epoch_over()) seen.push_back(interrupted.trainer.finish_epoch());
        interrupted.trainer.step();
      }
      interrupted.trainer.save(path);
    }
    Run resumed(setup, 77);  // another seed: everything must come from the file
    resumed.trainer.load(path);
    for (const MetricsRow& row : resumed.finish()) seen.push_back(row);
    check_equal(seen, rows);
    check_equal_parameters(resumed.root, whole.root);
    resumed.trainer.restore_best();
    CHECK(resumed.trainer.evaluate(setup.split.valid).loss == best_loss);
  }
}

TEST_CASE("a checkpoint of another model is refused and changes nothing") {
  Setup setup = small_setup(20);
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "checkpoint.safetensors";
  Run(setup).trainer.save(path);
  setup.model.layers = 3;
  Run larger(setup);
  const Tensor before = larger.root.parameters()[0].value.value().clone();
  CHECK_THROWS_AS(larger.trainer.load(path), FileError);
  CHECK(bit_equal(before, larger.root.parameters()[0].value.value()));
}

TEST_CASE("32 graphs are learned by heart") {
  Setup setup = small_setup(32);
  setup.split = {};
  for (std::int64_t i = 0; i < 32; ++i) setup.split.train.push_back(i);
  setup.model.attention_dropout = 0;
  setup.training.epochs = 60;
  setup.training.batch = 32;
  setup.training.learning_rate = 5e-3;
  Run run(setup);
  CHECK(run.finish().back().train_metric == 1.0);
}

TEST_CASE("gradformer with an inert mask has the loss curve of GPS") {
  // No distance exceeds the start of the decay, so the mask is all ones and its gradient zero.
  Setup setup = small_setup(40);
  setup.model.hop = 50;
  setup.training.weight_decay = 0;
  Run gradformer(setup);
  setup.model.architecture = Architecture::gps;
  Run gps(setup);
  check_equal(gradformer.finish(), gps.finish());
}

TEST_CASE("the best epoch is the first with the best validation metric", "[slow]") {
  Setup setup = small_setup();
  setup.training.epochs = 12;
  Run run(setup);
  double best = -1;
  std::optional<Evaluation> expected;
  while (!run.trainer.done()) {
    while (!run.trainer.epoch_over()) run.trainer.step();
    const MetricsRow row = run.trainer.finish_epoch();
    if (row.valid_metric > best) {
      best = row.valid_metric;
      expected = Evaluation{.loss = row.test_loss, .metric = row.test_metric};
    }
  }
  run.trainer.restore_best();
  CHECK(run.trainer.evaluate(setup.split.test).loss == expected->loss);
}

TEST_CASE("training in steady state takes no memory from the system") {
  Setup setup = small_setup(40);
  setup.training.epochs = 6;
  setup.training.batch = 100;  // one batch of everything: every step has the same sizes
  Run run(setup);
  const auto epoch = [&] {
    run.trainer.step();
    run.trainer.finish_epoch();
  };
  const int threads_before = threads();
  set_threads(1);  // how much scratch is in use at once would depend on when a second one comes
  epoch();
  epoch();
  const std::int64_t before = allocator::statistics().system_calls;
  for (int i = 0; i < 4; ++i) epoch();
  CHECK(allocator::statistics().system_calls == before);
  set_threads(threads_before);
}

TEST_CASE("a loss that is not finite stops the run and leaves the parameters alone") {
  Setup setup = small_setup(20);
  setup.training.learning_rate = 1e30;
  Run run(setup);
  Tensor before;
  const auto train = [&] {
    while (true) {
      before = run.root.parameters()[1].value.value().clone();
      run.trainer.step();
      if (run.trainer.epoch_over()) run.trainer.finish_epoch();
    }
  };
  CHECK_THROWS_AS(train(), NumericError);
  CHECK(bit_equal(before, run.root.parameters()[1].value.value()));
}

TEST_CASE("generated data sets are learned", "[slow]") {
  const auto final_test_metric = [](Dataset dataset, const GraphModelOptions& model_options,
                                    const TrainerOptions& training, bool balanced) {
    const Split split = dataset.split ? *dataset.split : random_split(dataset.size(), dataset.labels(), {.seed = 1});
    const PreparedData data(std::move(dataset),
                            {.encoding = model_options.encoding_width > 0 ? Encoding::rwse : Encoding::none,
                             .encoding_width = std::max<std::int64_t>(1, model_options.encoding_width),
                             .hops = true});
    const Model root({.seed = 1});
    const GraphModel model(root, model_options);
    Trainer trainer(root, model, data, split, Objective::of(data.dataset(), balanced), training);
    while (!trainer.done()) {
      while (!trainer.epoch_over()) trainer.step();
      trainer.finish_epoch();
    }
    trainer.restore_best();
    return trainer.evaluate(split.test).metric;
  };
  SECTION("molecules") {
    Dataset dataset = molecule_dataset({.graphs = 300});
    GraphModelOptions options;
    options.node_features = dataset.node_features;
    options.channels = 32;
    options.layers = 2;
    options.encoding_width = 8;
    CHECK(final_test_metric(std::move(dataset), options, {.epochs = 25, .batch = 32}, false) >= 0.85);
  }
  const auto community_options = [](const Dataset& dataset, std::int64_t layers) {
    GraphModelOptions options;
    options.local = Local::gatedgcn;
    options.node_features = dataset.node_features;
    options.channels = 32;
    options.layers = layers;
    options.gamma = 0.3;
    options.hop = 0;
    options.slope = 0.1;
    options.outputs = dataset.num_outputs;
    options.pooling = Pooling::none;
    return options;
  };
  const TrainerOptions training{
      .epochs = 10, .batch = 8, .learning_rate = 3e-3, .decoupled = true, .warmup = 1, .cosine = true};
  SECTION("PATTERN") {
    Dataset dataset = pattern_dataset({.train = 240, .valid = 48, .test = 48});
    const GraphModelOptions options = community_options(dataset, 2);
    CHECK(final_test_metric(std::move(dataset), options, training, true) >= 0.82);
  }
  SECTION("CLUSTER") {
    Dataset dataset = cluster_dataset({.train = 240, .valid = 48, .test = 48});
    const GraphModelOptions options = community_options(dataset, 3);
    TrainerOptions longer = training;
    longer.epochs = 14;
    CHECK(final_test_metric(std::move(dataset), options, longer, false) >= 0.45);
  }
}

TEST_CASE("on IMDB-BINARY the default mask is all ones, and Gradformer is GPS", "[data]") {
  const auto folder = test::data_folder();
  if (!folder) return test::skip_data();
  Dataset dataset = read_tu(*folder / "tu" / "IMDB-BINARY");
  Setup setup{
      .data = PreparedData(std::move(dataset), {.encoding = Encoding::rwse, .encoding_width = 20, .hops = true}),
      .split = {},
      .model = {},
      .training = {.epochs = 2}};
  setup.split = random_split(setup.data.size(), setup.data.dataset().labels(), {.seed = 1});
  setup.model.node_features = setup.data.dataset().node_features;
  setup.model.encoding_width = 20;
  Run gradformer(setup);
  setup.model.architecture = Architecture::gps;
  Run gps(setup);
  check_equal(gradformer.finish(), gps.finish());
}

TEST_CASE("MUTAG is learned", "[data]") {
  const auto folder = test::data_folder();
  if (!folder) return test::skip_data();
  Setup setup{.data = PreparedData(read_tu(*folder / "tu" / "MUTAG"),
                                   {.encoding = Encoding::rwse, .encoding_width = 20, .hops = true}),
              .split = {},
              .model = {},
              .training = {.epochs = 40, .batch = 32}};
  double sum = 0;
  const std::vector<Split> folds = k_fold(setup.data.size(), setup.data.dataset().labels(), 5, 1);
  for (const Split& fold : folds) {
    setup.split = with_validation(fold, setup.data.dataset().labels(), 1.0 / 9.0, 1);
    setup.model.node_features = setup.data.dataset().node_features;
    setup.model.encoding_width = 20;
    setup.model.gamma = 0.6;
    Run run(setup);
    run.finish();
    run.trainer.restore_best();
    sum += run.trainer.evaluate(setup.split.test).metric;
  }
  CHECK(sum / 5 > 0.75);  // the larger class is 66.5 % of the set
}
