#pragma once
// A small Llama with weights from a formula, written as published models are, and what an independent program computed
// from it in float64.

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "core/file.hpp"
#include "nn/safetensors.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_folder.hpp"

namespace atto::test {

/// scale times the numbers (((7 n + 3 k) mod 11) - 5) / 10, plus `shift`.
inline Tensor filler(const Shape& shape, std::int64_t k, double scale = 1, double shift = 0) {
  Tensor t = Tensor::empty(shape, DType::float64);
  for (std::int64_t n = 0; n < t.numel(); ++n)
    t.data<double>()[n] = shift + scale * (static_cast<double>((7 * n + 3 * k) % 11) - 5) / 10;
  return t;
}

/// What a file holds under its published names.
inline std::vector<NamedTensor> small_llama_tensors(bool tied) {
  std::vector<NamedTensor> all{{"model.embed_tokens.weight", filler({7, 8}, 1, 2)},
                               {"model.norm.weight", filler({8}, 2, 1, 1)}};
  if (!tied) all.push_back({"lm_head.weight", filler({7, 8}, 3)});
  for (std::int64_t l = 1; l >= 0; --l) {  // the order of a file is not that of the layers
    const std::string at = "model.layers." + std::to_string(l) + ".";
    const std::int64_t b = 10 * (l + 1);
    all.push_back({at + "mlp.down_proj.weight", filler({8, 6}, b + 8)});
    all.push_back({at + "mlp.gate_proj.weight", filler({6, 8}, b + 6)});
    all.push_back({at + "mlp.up_proj.weight", filler({6, 8}, b + 7)});
    all.push_back({at + "input_layernorm.weight", filler({8}, b, 1, 1)});
    all.push_back({at + "post_attention_layernorm.weight", filler({8}, b + 5, 1, 1)});
    all.push_back({at + "self_attn.q_proj.weight", filler({16, 8}, b + 1, 2)});
    all.push_back({at + "self_attn.k_proj.weight", filler({8, 8}, b + 2, 2)});
    all.push_back({at + "self_attn.v_proj.weight", filler({8, 8}, b + 3)});
    all.push_back({at + "self_attn.o_proj.weight", filler({8, 16}, b + 4)});
  }
  return all;
}

/// Its config.json; `more` is text such as `, "attention_bias": true`. A later key wins.
inline std::string small_llama_config(bool tied, const std::string& more = {}) {
  return std::string(R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4, "intermediate_size": 6,
    "vocab_size": 7, "rms_norm_eps": 1e-5, "hidden_act": "silu", "rope_theta": 10000.0, "rope_scaling": null,
    "torch_dtype": "float32", "tie_word_embeddings": )") +
         (tied ? "true" : "false") + more + "}";
}

enum class Stored { f64, f32, bf16, f16 };

// Round to nearest, ties to even, for numbers that are not too small or large; written from the formats' definitions.
inline std::uint16_t bits16(double value, Stored stored) {
  const float x = static_cast<float>(value);
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if (stored == Stored::bf16) return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
  if (x == 0) return 0;
  const std::uint32_t rounded = bits + 0xfff + ((bits >> 13) & 1);
  return static_cast<std::uint16_t>((bits >> 16 & 0x8000) | (((rounded >> 23 & 255) - 112) << 10) |
                                    (rounded >> 13 & 1023));
}

/// A safetensors file of our own making: the library does not write 16-bit numbers.
inline void write_stored(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors, Stored stored) {
  if (stored == Stored::f64 || stored == Stored::f32) {
    std::vector<NamedTensor> converted;
    for (const NamedTensor& t : tensors)
      converted.push_back({t.name, t.value.to(stored == Stored::f32 ? DType::float32 : DType::float64)});
    return write_safetensors(path, converted, {{"format", "pt"}});
  }
  std::string header, data;
  for (const NamedTensor& t : tensors) {
    std::string shape;
    for (const std::int64_t size : t.value.shape()) shape += (shape.empty() ? "" : ",") + std::to_string(size);
    header += (header.empty() ? "{\"" : ",\"") + t.name + R"(":{"dtype":")" +
              (stored == Stored::bf16 ? "BF16" : "F16") + R"(","shape":[)" + shape + R"(],"data_offsets":[)" +
              std::to_string(data.size()) + ",";
    for (const double value : t.value.values<double>()) {
      const std::uint16_t bits = bits16(value, stored);
      data += static_cast<char>(bits & 255);
      data += static_cast<char>(bits >> 8);
    }
    header += std::to_string(data.size()) + "]}";
  }
  header += "}";
  std::string length;
  for (int i = 0; i < 8; ++i) length += static_cast<char>(header.size() >> (8 * i));
  write_atomically(path, length + header + data);
}

/// Writes the folder; with `shards` above 1 the tensors go to so many files in turn, with an index.
inline void write_small_llama(const std::filesystem::path& folder, bool tied, Stored stored = Stored::f64,
                              int shards = 1, const std::string& more = {}) {
  write_atomically(folder / "config.json", small_llama_config(tied, more));
  const std::vector<NamedTensor> tensors = small_llama_tensors(tied);
  if (shards == 1) return write_stored(folder / "model.safetensors", tensors, stored);
  std::string map;
  for (int s = 0; s < shards; ++s) {
    const std::string file =
        "model-0000" + std::to_string(s + 1) + "-of-0000" + std::to_string(shards) + ".safetensors";
    std::vector<NamedTensor> part;
    for (std::size_t i = static_cast<std::size_t>(s); i < tensors.size(); i += static_cast<std::size_t>(shards)) {
      part.push_back(tensors[i]);
      map += (map.empty() ? "\"" : ", \"") + tensors[i].name + "\": \"" + file + "\"";
    }
    write_stored(folder / file, part, stored);
  }
  write_atomically(folder / "model.safetensors.index.json",
                   R"({"metadata": {"total_size": 1}, "weight_map": {)" + map + "}}");
}

/// What the independent program printed for tokens 3 1 6 0.
struct SmallLlamaNumbers {
  std::vector<double> row0, row3;
  double cross_entropy;
  std::vector<std::int32_t> greedy;
};
inline SmallLlamaNumbers small_llama_numbers(bool tied) {
  if (tied)
    return {.row0 = {},
            .row3 = {.371513942663, 1.477747740989, -.552663481280, -.009747921861, -.123493989259, .588985038732,
                     -1.185466374918},
            .cross_entropy = 3.630961692608,
            .greedy = {1, 5, 5, 5, 5, 5}};
  return {.row0 = {-.830692163588, -1.078317613510, .097400358973, .379124728810, -.340885771067, -.588511220989,
                   .068931374846},
          .row3 = {-.592733187459, -.649606221158, -.980175920866, 1.103714659461, .242630005030, .185756971332,
                   .738873870495},
          .cross_entropy = 1.787023669940,
          .greedy = {3, 2, 6, 1, 3, 2}};
}

}  // namespace atto::test
