// Draws the attention of a layer of a language model: its map, and the sparse graphs that thresholds make of it.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/parallel.hpp"
#include "examples/common/attention_page.hpp"
#include "examples/common/language_study.hpp"
#include "examples/common/main.hpp"
#include "examples/common/refuse.hpp"
#include "examples/common/resources.hpp"
#include "nn/attention/layer_socket.hpp"
#include "nn/language/files.hpp"

namespace {

using namespace atto;
using namespace atto::examples;

struct Arguments {
  std::string model, tokenizer, text, out = "results/attention_graph";
  Tokens ids;
  std::int64_t layer = 1;
  std::string head = "all";
  std::vector<double> thresholds{0, 0.1405, 0.3, 0.5, 0.7, 0.9};
  double sharpness = 10;
  std::uint64_t seed = 1;
  int threads = 0;
};

constexpr std::size_t kMostTokens = 256;  // more arcs than that show nothing

struct Subject {
  std::string name;
  OwnedLanguageModel owned;
  std::optional<Tokenizer> tokenizer;
};

// A few seconds of training on sentences in which verbs agree with far subjects.
Subject train_small_model(std::uint64_t seed) {
  LanguageSettings settings;
  settings.tokens = "pairs";
  settings.characters = 150'000;
  settings.layers = 2;
  settings.batch = 4;
  settings.epochs = 6;
  settings.schedule = "cosine";
  settings.seed = seed;
  choose_defaults(settings);
  const LanguageText text = load_text(settings);
  const LanguageModelOptions options =
      model_options(settings, language_variant("reference"), text.tokenizer.vocabulary_size());
  Subject subject{.name = "a small model of " + text.name, .owned = {}, .tokenizer = text.tokenizer};
  subject.owned.root = std::make_unique<Model>(ModelOptions{.seed = seed});
  subject.owned.model = std::make_unique<LanguageModel>(*subject.owned.root, options);
  Trainer trainer(*subject.owned.root, std::make_shared<LanguageTask>(*subject.owned.model, text.data),
                  text.data.split(), Objective::next_token(), trainer_options(settings, seed));
  while (!trainer.done()) {
    while (!trainer.epoch_over()) trainer.step();
    const MetricsRow row = trainer.finish_epoch();
    fmt::print(stderr, "epoch {}: validation perplexity {:.3f} (best possible {:.3f})\n", row.epoch, row.valid_metric,
               std::exp(text.optimum->valid));
  }
  subject.owned.root->eval();
  return subject;
}

Subject load_subject(const Arguments& a) {
  Subject subject{.name = a.model, .owned = load_language_model(a.model), .tokenizer = {}};
  const std::filesystem::path path = a.model;
  const std::filesystem::path beside =
      (std::filesystem::is_directory(path) ? path : path.parent_path()) / "tokenizer.json";
  if (!a.tokenizer.empty()) subject.tokenizer = load_tokenizer(a.tokenizer);
  else if (std::filesystem::exists(beside)) subject.tokenizer = load_tokenizer(beside);
  return subject;
}

// A token as it can be seen.
std::string shown(const std::string& token) {
  std::string result;
  for (const char c : token) result += c == ' ' ? "·" : c == '\n' ? "¶" : std::string(1, c);
  return result;
}

// Weights [E,1] of one head.
Tensor column(const Tensor& weights, std::int64_t head) {
  const std::int64_t heads = weights.size(1);
  const Tensor all = weights.to(DType::float64);
  std::vector<double> chosen;
  for (std::int64_t e = 0; e < all.size(0); ++e) chosen.push_back(all.data<double>()[e * heads + head]);
  return Tensor::from(chosen, Shape{weights.size(0), 1}).to(weights.dtype());
}

void draw(const Arguments& a) {
  const Subject subject = a.model.empty() ? train_small_model(a.seed) : load_subject(a);
  const LanguageModel& model = *subject.owned.model;
  const std::int64_t layers = model.options().layers, heads = model.options().heads;
  if (a.layer < 1 || a.layer > layers) refuse("--layer", std::to_string(a.layer), "1 to " + std::to_string(layers));
  std::int64_t head = -1;
  if (a.head != "all") {
    const bool digits = !a.head.empty() && a.head.size() < 10 && a.head.find_first_not_of("0123456789") == a.head.npos;
    head = digits ? std::stoll(a.head) - 1 : -1;
    if (head < 0 || head >= heads) refuse("--head", a.head, "all, or 1 to " + std::to_string(heads));
  }
  Tokens tokens = a.ids;
  std::string text = a.text;
  if (tokens.empty()) {
    if (!subject.tokenizer) refuse("--text", "a model without tokenizer.json beside it", "--ids, or --tokenizer FILE");
    if (text.empty()) text = "the farmers that the dog that sleeps follows sing .\n";
    tokens = subject.tokenizer->encode(text);
  }
  if (tokens.empty() || tokens.size() > kMostTokens)
    refuse("--text, --ids", std::to_string(tokens.size()) + " tokens", "1 to " + std::to_string(kMostTokens));

  std::vector<LayerSocket*> sockets;
  for (const auto& socket : subject.owned.root->sockets())
    if (auto* layer = dynamic_cast<LayerSocket*>(socket.get())) sockets.push_back(layer);
  GraphAttention& attention = *sockets.at(static_cast<std::size_t>(a.layer - 1))->attention;
  attention.keep_last_call(true);
  const NoGrad no_grad;
  model(Tensor::from(tokens), Ragged::single(static_cast<std::int64_t>(tokens.size())));
  const Tensor weights = attention.weights();

  AttentionPicture picture{.graph = attention.last_call().second.graph(),
                           .weights = head < 0 ? weights : column(weights, head),
                           .labels = {}};
  for (const std::int32_t token : tokens)
    picture.labels.push_back(subject.tokenizer ? shown(subject.tokenizer->decode({&token, 1})) : std::to_string(token));
  const std::string which = head < 0 ? fmt::format("all {} heads", heads) : fmt::format("head {}", head + 1);
  AttentionPage page{.title = fmt::format("Attention of layer {}, {}", a.layer, which),
                     .remarks = {fmt::format("{}; layer {} of {}, {}. {} tokens.", subject.name, a.layer, layers, which,
                                             tokens.size())},
                     .sharpness = a.sharpness,
                     .thresholds = a.thresholds};
  if (!text.empty()) page.remarks.push_back(text);
  const std::string html = attention_page(picture, page);
  std::filesystem::create_directories(a.out);
  const std::filesystem::path file = std::filesystem::path(a.out) / "attention.html";
  write_atomically(file, html);
  for (const ThresholdedMap& one : thresholded_maps(picture, a.sharpness, a.thresholds))
    fmt::print("threshold {}: {} edges, {:.2f} per token, {:.1f} % of the weight\n", one.threshold,
               one.map.graph.num_edges(), one.mean_degree, 100 * one.kept);
  fmt::print("Open {} in a browser.\n", file.string());
}

int run(int argc, char** argv) {
  Arguments a;
  CLI::App app{
      "Draws the attention map of a layer of a language model, the sparse graph that a threshold makes of it, and how "
      "it "
      "changes with the threshold, as one page.\n"
      "Without --model a small model learns the sentences of a grammar first, which takes seconds."};
  app.footer(
      "Examples:\n"
      "  attention_graph --head 2 --text 'the dogs that the king sees run .'\n"
      "  attention_graph --model llama --ids 1,5,9,14 --layer 2\n"
      "  attention_graph --model results/sparse_gin_finetune/pretrained/1/model.safetensors --thresholds 0,0.1405");
  app.add_option("--model", a.model,
                 "Folder with config.json and safetensors files as Llama models are published in, or a file written by "
                 "this library; empty: train one");
  app.add_option("--tokenizer", a.tokenizer, "tokenizer.json; empty: the one beside the model");
  auto* text = app.add_option("--text", a.text, "Text to read");
  auto* ids = app.add_option("--ids", a.ids, "The same as token ids, with commas between")->delimiter(',');
  text->excludes(ids);
  app.add_option("--layer", a.layer, "Layer, from 1")->capture_default_str();
  app.add_option("--head", a.head, "Head, from 1, or all: the sum of all heads, cut at 1")->capture_default_str();
  app.add_option("--thresholds", a.thresholds, "Thresholds on the combined weight, from 0 to less than 1")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--sharpness", a.sharpness, "Edges weigh sigmoid(this (a - threshold)); 0: a")->capture_default_str();
  app.add_option("--out", a.out, "Folder for attention.html")->capture_default_str();
  app.add_option("--seed", a.seed, "Seed of the small model")->capture_default_str();
  app.add_option("--threads", a.threads, "Threads; results do not depend on it; 0 means all processors")
      ->capture_default_str();
  Resources resources(app);
  if (const auto code = parse(app, argc, argv)) return *code;
  if (a.thresholds.empty()) refuse("--thresholds", "none", "at least one");
  for (const double threshold : a.thresholds)
    if (!(threshold >= 0 && threshold < 1)) refuse("--thresholds", fmt::format("{}", threshold), "0 <= threshold < 1");
  if (a.threads != 0) set_threads(a.threads);
  return resources.run([&] { draw(a); });
}

}  // namespace

int main(int argc, char** argv) {
  return atto::examples::guarded_main(run, argc, argv);
}
