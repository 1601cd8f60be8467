#pragma once
// Texts as tokens, cut into samples to train on.

#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor.hpp"
#include "graph/ragged.hpp"
#include "graph/splits.hpp"

namespace atto {

struct TokenDataOptions {
  std::int64_t length = 128;  ///< most tokens that a sample reads
  double valid = 0.1;         ///< part of the tokens (or documents) at the end that is kept for validation
};

/// Some samples side by side: what the model reads, and the token that follows each.
struct TokenBatch {
  Tensor tokens;   ///< int32 [N]
  Tensor targets;  ///< int64 [N]
  Ragged sequences;
};

/// Samples of next-token prediction. A sample is one or several pieces of text, which do not see each other; nothing is
/// padded, and every token but the first of a piece is a target exactly once.
class TokenData {
 public:
  /// Windows of one stream: `length` tokens each, the last one shorter; each begins with the last target of the one
  /// before. The validation part is the end of the stream. ValueError for options out of range or a negative token.
  static TokenData windows(std::vector<std::int32_t> tokens, const TokenDataOptions& options = {});
  /// Documents packed into samples of at most `length` tokens (best fit, longest first); longer ones are cut as a
  /// stream is, and those of fewer than two tokens have nothing to predict. The validation part is the last documents.
  static TokenData documents(std::span<const std::vector<std::int32_t>> documents,
                             const TokenDataOptions& options = {});

  std::int64_t size() const noexcept { return samples_.count(); }
  /// Training and validation samples; the test part is empty.
  const Split& split() const noexcept { return split_; }
  /// Tokens that a sample reads, which is also the number of its targets.
  std::int64_t tokens(std::int64_t sample) const;
  TokenBatch batch(std::span<const std::int64_t> chosen) const;

 private:
  struct Piece {
    std::int64_t begin, length;  // reads `length` tokens from begin on; the last target is the one behind them
  };
  void cut(std::int64_t begin, std::int64_t end, std::int64_t length, std::vector<Piece>& pieces) const;
  void add(const std::vector<std::vector<Piece>>& samples, std::vector<std::int64_t>& part);

  std::vector<std::int32_t> tokens_;
  std::vector<Piece> pieces_;
  Ragged samples_;  // over the pieces
  Split split_;
};

}  // namespace atto
