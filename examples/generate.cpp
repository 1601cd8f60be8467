// Continues a text, or a list of token ids, with a decoder language model.

#include "nn/language/generate.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "core/file.hpp"
#include "core/parallel.hpp"
#include "examples/common/main.hpp"
#include "examples/common/resources.hpp"
#include "nn/language/files.hpp"
#include "nn/text/tokenizer.hpp"

namespace {

using namespace atto;

struct Arguments {
  std::string model, tokenizer, prompt, logits, out;
  Tokens ids, stop;
  GenerationOptions generation;
  int threads = 0;
  bool no_cache = false;
};

// The tokeniser of a prompt: the file that was named, or the one in the model's folder.
Tokenizer tokenizer_of(const Arguments& a) {
  const std::filesystem::path model(a.model);
  const std::filesystem::path beside =
      (std::filesystem::is_directory(model) ? model : model.parent_path()) / "tokenizer.json";
  if (a.tokenizer.empty() && !std::filesystem::exists(beside))
    throw ValueError({.op = "generate",
                      .argument = "--prompt",
                      .got = "a text, and no " + beside.string(),
                      .expected = "a tokenizer.json with --tokenizer, or token ids with --ids",
                      .hint = {}});
  return load_tokenizer(a.tokenizer.empty() ? beside : std::filesystem::path(a.tokenizer));
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// One line per token: its place, the token, and the logits of the token that follows.
std::string logit_lines(std::int64_t first, const Tokens& tokens, std::size_t from, const Tensor& logits) {
  std::string lines;
  for (std::int64_t row = 0; row < logits.size(0); ++row) {
    lines += fmt::format("{},{}", first + row, tokens[from + static_cast<std::size_t>(row)]);
    for (const float logit : logits.rows(row, row + 1).values<float>()) lines += fmt::format(",{}", logit);
    lines += '\n';
  }
  return lines;
}

void run_model(const Arguments& a) {
  const OwnedLanguageModel owned = load_language_model(a.model);
  const LanguageModel& model = *owned.model;
  fmt::print(stderr, "{}: {} layers, {} parameters, {} tokens in the vocabulary\n", a.model, model.options().layers,
             owned.root->parameter_count(), model.options().vocabulary);
  std::optional<Tokenizer> tokenizer;
  if (a.ids.empty()) tokenizer = tokenizer_of(a);
  const Tokens prompt = tokenizer ? tokenizer->encode(a.prompt, {.add_special = true}) : a.ids;

  if (prompt.empty())
    throw ValueError({.op = "generate",
                      .argument = "--prompt",
                      .got = "no tokens",
                      .expected = "a text of at least one token",
                      .hint = {}});

  std::string logits;
  if (!a.logits.empty()) {
    const NoGrad no_grad;
    logits = "position,token";
    for (std::int64_t v = 0; v < model.options().vocabulary; ++v) logits += fmt::format(",logit_{}", v);
    logits += '\n';
    const Tensor read = Tensor::from(prompt);
    const Ragged all = Ragged::single(read.size(0));
    logits += logit_lines(0, prompt, 0, model(read, all).value().rows(0, read.size(0) - 1));
  }

  GenerationOptions options = a.generation;
  options.stop = a.stop;
  options.cache = !a.no_cache;
  Tokens text = prompt;
  const std::string read_text = tokenizer ? tokenizer->decode(prompt) : std::string();
  std::string shown = read_text;
  double first = 0;
  options.on_token = [&](std::int64_t, std::int32_t token, const Tensor& row) {
    if (text.size() == prompt.size()) first = seconds_now();
    if (!a.logits.empty())
      logits += logit_lines(static_cast<std::int64_t>(text.size()) - 1, text, text.size() - 1, row.reshape({1, -1}));
    const bool is_first = text.size() == prompt.size();
    text.push_back(token);
    if (tokenizer) {
      // What a token reads as depends on those before it: whether a blank stands between them.
      std::string whole = tokenizer->decode(text);
      fmt::print("{}", whole.substr(std::min(shown.size(), whole.size())));
      shown = std::move(whole);
    } else {
      fmt::print("{}{}", is_first ? "" : ",", token);
    }
    std::fflush(stdout);
  };
  const double start = seconds_now();
  const Tokens added = generate_tokens(model, std::span(&prompt, 1), options)[0];
  const double end = seconds_now();
  fmt::print("\n");
  std::fflush(stdout);
  const double reading = added.empty() ? 0 : first - start, writing = added.empty() ? 0 : end - first;
  const auto rate = [](double tokens, double seconds) { return seconds > 0 ? tokens / seconds : 0; };
  const double read_rate = rate(static_cast<double>(prompt.size()), reading),
               write_rate = rate(static_cast<double>(added.size()) - 1, writing);
  if (!added.empty())
    fmt::print(stderr, "read {} tokens in {:.3f} s ({:.1f} tokens/s), wrote {} more ({:.1f} tokens/s)\n", prompt.size(),
               reading, read_rate, added.size(), write_rate);
  if (!a.logits.empty()) write_atomically(a.logits, logits);
  if (!a.out.empty()) {
    std::filesystem::create_directories(a.out);
    nlohmann::ordered_json result{{"model", a.model},
                                  {"prompt", prompt},
                                  {"tokens", added},
                                  {"read_tokens_per_second", read_rate},
                                  {"written_tokens_per_second", write_rate}};
    if (tokenizer) result["text"] = shown.substr(std::min(read_text.size(), shown.size()));
    // A text may end within a character.
    const auto replace = nlohmann::ordered_json::error_handler_t::replace;
    write_atomically(std::filesystem::path(a.out) / "generated.json", result.dump(2, ' ', false, replace) + "\n");
  }
}

int run(int argc, char** argv) {
  Arguments a;
  GenerationOptions& generation = a.generation;
  SamplingOptions& sampling = generation.sampling;
  CLI::App app{"Continues a text with a language model and prints what it adds."};
  app.footer(
      "Examples:\n"
      "  generate --model llama --prompt 'To be, or not' --tokens 40\n"
      "  generate --model llama --ids 1,5,9 --greedy --tokens 12\n"
      "  generate --model llama --ids 1,5,9 --temperature 0.8 --top-p 0.95 --seed 3 --logits logits.csv");
  app.add_option("--model", a.model,
                 "Folder with config.json and safetensors files as Llama models are published in, or a file written by "
                 "this library")
      ->required();
  auto* prompt = app.add_option("--prompt", a.prompt, "Text to continue; prints text");
  auto* ids = app.add_option("--ids", a.ids, "The same as token ids, with commas between; prints ids")->delimiter(',');
  prompt->excludes(ids);
  app.add_option("--tokenizer", a.tokenizer, "The tokenizer.json for --prompt; empty: the one in the model's folder");
  app.add_option("--tokens", generation.tokens, "Most tokens to add")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--greedy", sampling.greedy, "Take the most likely token each time");
  app.add_option("--temperature", sampling.temperature, "Below 1 prefers likely tokens, above 1 evens out")
      ->capture_default_str();
  app.add_option("--top-k", sampling.top_k, "Draw from this many of the most likely tokens only; 0 means all")
      ->capture_default_str();
  app.add_option("--top-p", sampling.top_p, "Draw from the most likely tokens that together reach this probability")
      ->capture_default_str();
  app.add_option("--stop", a.stop, "Token ids that end the text, with commas between")->delimiter(',');
  app.add_option("--seed", generation.seed, "Seed of the draws")->capture_default_str();
  app.add_option("--threads", a.threads, "Threads; results do not depend on it; 0 means all processors")
      ->capture_default_str();
  app.add_flag("--no-cache", a.no_cache, "Read the whole text again for every token: the same result, slowly");
  app.add_option("--logits", a.logits,
                 "Write a CSV file: for every token its place, the token and the logits of the one that follows");
  app.add_option("--out", a.out, "Folder for generated.json: prompt, new tokens and speed; empty: nothing is written");
  examples::Resources resources(app);
  if (const auto code = examples::parse(app, argc, argv)) return *code;
  if (prompt->count() + ids->count() == 0 || (ids->count() > 0 && a.ids.empty()))
    throw ValueError({.op = "generate",
                      .argument = "--prompt, --ids",
                      .got = "neither",
                      .expected = "a text or token ids to continue",
                      .hint = {}});
  if (a.threads != 0) set_threads(a.threads);
  return resources.run([&] { run_model(a); });
}

}  // namespace

int main(int argc, char** argv) {
  return atto::examples::guarded_main(run, argc, argv);
}
