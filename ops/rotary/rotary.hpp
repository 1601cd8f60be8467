#pragma once
// Rotary position embedding: queries and keys turned by angles that grow with position, so that their product depends
// on how far apart they are.

#include "autograd/var.hpp"
#include "core/device.hpp"

namespace atto {

extern const Schema rotary_schema;

/// Which channels of a head turn together.
enum class RotaryPairs {
  half_split,   ///< k and k + D/2: Llama as published on Hugging Face, GPT-NeoX
  interleaved,  ///< 2k and 2k + 1: the paper, GPT-J
};

/// What becomes of the frequencies for texts longer than those of training.
struct RotaryScaling {
  enum class Kind {
    none,
    linear,  ///< w / factor: positions are squeezed (Chen et al. 2023)
    llama3,  ///< long waves divided by factor, short ones kept, and what lies between blended (Llama 3.1)
  };
  Kind kind = Kind::none;
  double factor = 1;
  double low = 1;                 ///< llama3: waves longer than original_length / low are long
  double high = 4;                ///< waves shorter than original_length / high are short
  double original_length = 8192;  ///< positions that the model was first trained on
};

/// w_k = theta^(-2k/D), k = 0 .. D/2 - 1 (Su et al. 2021, section 3.2.2), scaled; llama3 with the wave length l_k =
/// 2 pi / w_k: w_k / factor where l_k > original_length / low, w_k where l_k < original_length / high, else
/// (1 - s) w_k / factor + s w_k with s = (original_length / l_k - low) / (high - low). float64 [D/2]. ValueError unless
/// D is even, theta > 0, factor > 0 and, for llama3, 0 < low < high.
Tensor rotary_frequencies(std::int64_t width, double theta, const RotaryScaling& scaling = {});

/// cos(p w_k) and sin(p w_k) of the positions p = 0 .. count - 1: [count,2,D/2], each rounded once.
Tensor rotary_table(std::int64_t count, const Tensor& frequencies, DType dtype);

/// Every pair of channels (a, b) of the row at position p turned by the angle p w_k, in every head:
///
///     a' = a cos(p w_k) - b sin(p w_k),   b' = b cos(p w_k) + a sin(p w_k)
///
/// x[N,H,D], positions int32 or int64 [N], table [P,2,D/2] from rotary_table -> [N,H,D]. The gradient is turned back by
/// the same angle. No rows give no rows. ShapeError for sizes that do not fit, TypeError for a table of another type
/// than x, IndexError naming a position outside 0..P-1. Cost: 3 N H D FLOP, 2 N H D values moved.
Var rotary(const Var& x, const Tensor& positions, const Tensor& table, RotaryPairs pairs = RotaryPairs::half_split);

/// The same from other operations.
Var rotary_reference(const Var& x, const Tensor& positions, const Tensor& table,
                     RotaryPairs pairs = RotaryPairs::half_split);

namespace kernels {

/// y = x turned, or with `back` turned the other way.
template <class T>
void rotary(Cpu, std::int64_t rows, std::int64_t heads, std::int64_t width, const T* x, const std::int64_t* positions,
            const T* table, RotaryPairs pairs, bool back, T* y);

/// The heads of one row on the calling thread, for an instruction set. `sign` is 1, or -1 to turn back.
template <class Isa, class T>
void rotary_row(std::int64_t heads, std::int64_t half, const T* x, const T* cosine, const T* sine, bool interleaved,
                T sign, T* y);

}  // namespace kernels
}  // namespace atto
