#include "nn/language/task.hpp"

#include <algorithm>

#include "autograd/tape.hpp"
#include "core/error.hpp"
#include "nn/metrics.hpp"
#include "ops/loss/loss.hpp"

namespace atto {

Prediction predict(const LanguageModel& model, const TokenData& data, std::span<const std::int64_t> chosen,
                   std::int64_t batch) {
  if (batch < 1)
    throw ValueError(
        {.op = "predict", .argument = "batch", .got = std::to_string(batch), .expected = "at least 1", .hint = {}});
  const NoGrad no_grad;
  RunningMean mean;
  std::int64_t tokens = 0;
  for (std::size_t begin = 0; begin < chosen.size(); begin += static_cast<std::size_t>(batch)) {
    const TokenBatch part =
        data.batch(chosen.subspan(begin, std::min(static_cast<std::size_t>(batch), chosen.size() - begin)));
    mean.add(cross_entropy(model(part.tokens, part.sequences), part.targets).item(), part.targets.size(0));
    tokens += part.targets.size(0);
  }
  return {.loss = mean.value(), .tokens = tokens};
}

}  // namespace atto
