// Llama-style folders: the numbers of an independent program in every layout and element type.

#include <cmath>
#include <limits>

#include "autograd/tape.hpp"
#include "nn/language/files.hpp"
#include "nn/language/generate.hpp"
#include "nn/layers/linear.hpp"
#include "ops/loss/loss.hpp"
#include "tests/nn/small_llama.hpp"
#include "tests/support/errors.hpp"

using namespace atto;
using namespace atto::test;

namespace {

const Tensor kTokens = Tensor::from<std::int32_t>({3, 1, 6, 0}, {4});
const Ragged kSequence = Ragged::single(4);
const ModelOptions kDouble{.seed = 1, .dtype = DType::float64};

Tensor logits_of(const LanguageModel& model) {
  const NoGrad no_grad;
  return model(kTokens, kSequence).value().to(DType::float64);
}

void check_numbers(const LanguageModel& model, bool tied, double tolerance) {
  const SmallLlamaNumbers expected = small_llama_numbers(tied);
  const Tensor logits = logits_of(model);
  for (std::size_t v = 0; v < 7; ++v) {
    INFO("token " << v);
    if (!expected.row0.empty()) CHECK(std::abs(logits.data<double>()[v] - expected.row0[v]) < tolerance);
    CHECK(std::abs(logits.data<double>()[21 + v] - expected.row3[v]) < tolerance);
  }
  CHECK(std::abs(cross_entropy(logits, next_tokens(kTokens, kSequence)).item() - expected.cross_entropy) < tolerance);
  for (const bool cache : {true, false}) {
    const auto texts = generate_tokens(model, std::vector<Tokens>{{3, 1, 6, 0}},
                                       {.tokens = 6, .sampling = {.greedy = true}, .cache = cache});
    CHECK(texts[0] == expected.greedy);
  }
}

}  // namespace

TEST_CASE("the small Llama gives the published numbers, tied and untied, in one file and in several") {
  for (const bool tied : {false, true})
    for (const int shards : {1, 3}) {
      INFO((tied ? "tied, " : "untied, ") << shards << " files");
      const TemporaryFolder folder;
      write_small_llama(folder.path(), tied, Stored::f64, shards);
      const OwnedLanguageModel owned = load_llama(folder.path(), kDouble);
      CHECK(owned.model->options().tied == tied);
      CHECK_FALSE(owned.root->training());
      check_numbers(*owned.model, tied, 1.01e-12);
    }
}

TEST_CASE("the small Llama from float32, bfloat16 and float16 storage, in float32") {
  for (const auto& [stored, tolerance] : {std::pair{Stored::f32, 1e-5}, {Stored::bf16, 0.05}, {Stored::f16, 5e-3}}) {
    const TemporaryFolder folder;
    write_small_llama(folder.path(), false, stored, 2);
    const OwnedLanguageModel owned = load_llama(folder.path());
    for (const NamedParameter& parameter : owned.root->parameters()) CHECK(parameter.value.dtype() == DType::float32);
    check_numbers(*owned.model, false, tolerance);
  }
}

TEST_CASE("16-bit numbers become the float32 numbers that they stand for") {
  const TemporaryFolder folder;
  const auto path = folder / "file";
  const auto read = [&](const std::string& type, const std::vector<std::uint16_t>& bits) {
    std::string header = R"({"a":{"dtype":")" + type + R"(","shape":[)" + std::to_string(bits.size()) +
                         R"(],"data_offsets":[0,)" + std::to_string(2 * bits.size()) + "]}}";
    std::string bytes;
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i));
    bytes += header;
    for (const std::uint16_t b : bits) bytes += {static_cast<char>(b & 255), static_cast<char>(b >> 8)};
    write_atomically(path, bytes);
    const Tensor tensor = read_safetensors(path).tensors.at(0).value;
    REQUIRE(tensor.dtype() == DType::float32);
    return std::vector<float>(tensor.values<float>().begin(), tensor.values<float>().end());
  };
  const float inf = std::numeric_limits<float>::infinity();
  CHECK(read("BF16", {0x3f80, 0xc000, 0x0000, 0x0001, 0x7f80, 0x3eab}) ==
        std::vector<float>{1, -2, 0, 0x1p-133f, inf, 0x1.56p-2f});
  CHECK(read("F16", {0x3c00, 0xc000, 0x0000, 0x0001, 0x03ff, 0x0400, 0x7bff, 0xfc00, 0x3555, 0x8001}) ==
        std::vector<float>{1, -2, 0, 0x1p-24f, 0x1.ff8p-15f, 0x1p-14f, 65504, -inf, 0x1.554p-2f, -0x1p-24f});
  CHECK(std::isnan(read("F16", {0x7e00})[0]));
  CHECK(std::signbit(read("F16", {0x8000})[0]));
}

TEST_CASE("wrong conventions do not give the published numbers") {
  const TemporaryFolder folder;
  write_small_llama(folder.path(), false);
  const OwnedLanguageModel right = load_llama(folder.path(), kDouble);
  LanguageModelOptions options = right.model->options();
  options.rotary.pairs = RotaryPairs::interleaved;
  const Model root(kDouble);
  const LanguageModel wrong(root, options);
  for (const NamedParameter& parameter : root.parameters())
    parameter.value.value().copy_from(right.root->parameter(parameter.name).value());
  root.eval();
  CHECK(logits_of(wrong).data<double>()[21] == Approx(-.653325).epsilon(1e-6));

  // Heads of keys and values tiled instead of repeated in a row: rows of W_q and columns of W_o for heads 1 and 2
  // change places.
  for (const std::string layer : {"0", "1"}) {
    const Tensor q = right.root->parameter("layers." + layer + ".attention.query.weight").value();
    const Tensor o = right.root->parameter("layers." + layer + ".attention.output.weight").value();
    for (std::int64_t i = 0; i < 32; ++i) std::swap(q.data<double>()[32 + i], q.data<double>()[64 + i]);
    for (std::int64_t row = 0; row < 8; ++row)
      for (std::int64_t i = 0; i < 4; ++i)
        std::swap(o.data<double>()[16 * row + 4 + i], o.data<double>()[16 * row + 8 + i]);
  }
  CHECK(logits_of(*right.model).data<double>()[21] == Approx(-.986597).epsilon(1e-6));
}

TEST_CASE("old and new spellings of a configuration mean the same, and absent keys have their meaning") {
  const auto options = [](const std::string& text) { return llama_options(text, "config.json"); };
  const LanguageModelOptions old = options(small_llama_config(false, R"(, "rope_theta": 5e5, "rope_scaling":
    {"rope_type": "llama3", "factor": 32, "low_freq_factor": 1, "high_freq_factor": 4,
     "original_max_position_embeddings": 8192})"));
  const LanguageModelOptions newer = options(small_llama_config(false, R"(, "rope_theta": null, "rope_parameters":
    {"rope_theta": 5e5, "rope_type": "llama3", "factor": 32, "low_freq_factor": 1, "high_freq_factor": 4,
     "original_max_position_embeddings": 8192})"));
  const LanguageModelOptions mixed = options(small_llama_config(false, R"(, "rope_theta": 5e5, "rope_parameters":
    {"rope_type": "llama3", "factor": 32, "low_freq_factor": 1, "high_freq_factor": 4,
     "original_max_position_embeddings": 8192})"));
  for (const LanguageModelOptions& o : {old, newer, mixed}) {
    CHECK(o.rotary.theta == 5e5);
    CHECK(o.rotary.scaling.kind == RotaryScaling::Kind::llama3);
    CHECK(o.rotary.scaling.factor == 32);
    CHECK(o.rotary.scaling.low == 1);
    CHECK(o.rotary.scaling.high == 4);
    CHECK(o.rotary.scaling.original_length == 8192);
    CHECK(o.head_width == 4);
    CHECK(o.epsilon == 1e-5);
  }
  const LanguageModelOptions linear =
      options(small_llama_config(false, R"(, "rope_scaling": {"type": "linear", "factor": 2.5})"));
  CHECK(linear.rotary.scaling.kind == RotaryScaling::Kind::linear);
  CHECK(linear.rotary.scaling.factor == 2.5);
  const LanguageModelOptions least = options(
      R"({"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 6, "vocab_size": 7,
          "head_dim": null})");
  CHECK(least.head_width == 0);
  CHECK(least.key_heads == 0);
  CHECK_FALSE(least.tied);
  CHECK_FALSE(least.attention_bias);
  CHECK(least.rotary.theta == 10000);
  CHECK(least.epsilon == 1e-6);
}

TEST_CASE("biases of the attention and the feed-forward block are read") {
  const TemporaryFolder folder;
  std::vector<NamedTensor> tensors = small_llama_tensors(true);
  for (const std::string layer : {"0", "1"}) {
    const std::string at = "model.layers." + layer + ".";
    for (const auto& [name, size] : {std::pair<std::string, std::int64_t>{"self_attn.q_proj", 16},
                                     {"self_attn.k_proj", 8},
                                     {"self_attn.v_proj", 8},
                                     {"self_attn.o_proj", 8},
                                     {"mlp.gate_proj", 6},
                                     {"mlp.up_proj", 6},
                                     {"mlp.down_proj", 8}})
      tensors.push_back({at + name + ".bias", filler({size}, size)});
  }
  tensors.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", filler({2}, 1)});
  write_atomically(folder / "config.json", small_llama_config(true, R"(, "attention_bias": true, "mlp_bias": true)"));
  write_stored(folder / "model.safetensors", tensors, Stored::f64);
  const OwnedLanguageModel owned = load_llama(folder.path(), kDouble);
  CHECK(bit_equal(owned.root->parameter("layers.1.attention.output.bias").value(), filler({8}, 8)));
  CHECK(bit_equal(owned.root->parameter("layers.0.feed_forward.gate.bias").value(), filler({6}, 6)));
  CHECK(std::abs(logits_of(*owned.model).data<double>()[21] - small_llama_numbers(true).row3[0]) > 1e-3);
}

TEST_CASE("a language model saved by the library comes back with its options") {
  const TemporaryFolder folder;
  const auto path = folder / "model.safetensors";
  for (const char* kind : {"swiglu", "linear", "shallow", "halfway_gin", "multi_hop", "none"}) {
    INFO(kind);
    const Model root({.seed = 5, .dtype = DType::float32});
    LanguageModelOptions options{.vocabulary = 7, .channels = 8, .layers = 2, .heads = 2, .key_heads = 1, .hidden = 12};
    options.feed_forward = feed_forward(kind);
    options.rotary = {
        .theta = 100, .pairs = RotaryPairs::interleaved, .scaling = {.kind = RotaryScaling::Kind::linear, .factor = 3}};
    const LanguageModel model(root, options);
    root.eval();
    save_language_model(path, root, model);
    const OwnedLanguageModel again = load_language_model(path);
    CHECK(bit_equal(logits_of(*again.model), logits_of(model)));
    CHECK(to_json(again.model->options()) == to_json(model.options()));
    if (std::string(kind) == "swiglu") {
      std::string bytes = read_file(path);
      bytes.replace(bytes.find("\\\"hidden\\\":12"), 13, "\\\"hidden\\\":99");
      write_atomically(folder / "damaged", bytes);
      CHECK_THAT_SAYS(FileError, load_language_model(folder / "damaged"), "larger than the file");
    }
  }
  const Model root({.seed = 5, .dtype = DType::float32});
  LanguageModelOptions options{.vocabulary = 7, .channels = 8, .layers = 1, .heads = 2};
  options.attention = [](AttentionOptions&, std::int64_t) {};
  const LanguageModel special(root, options);
  CHECK_THROWS_AS(save_language_model(path, root, special), ValueError);
  const Model other({.seed = 5, .dtype = DType::float32});
  const Linear linear(other / "linear", 2, 2);
  write_safetensors(path, {});
  CHECK_THAT_SAYS(FileError, load_language_model(path), "does not hold the options");
  CHECK_THAT_SAYS(FileError, load_language_model(folder / "nowhere"), "cannot read");
}
