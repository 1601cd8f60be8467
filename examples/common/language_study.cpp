#include "examples/common/language_study.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "autograd/tape.hpp"
#include "examples/common/training.hpp"
#include "nn/checkpoint.hpp"

namespace atto::examples {

std::vector<MetricsRow> train_language_model(const Model& root, Trainer& trainer, const LanguageRecord& record) {
  const bool begun = record.resume && std::filesystem::exists(record.folder / "checkpoint.safetensors");
  const RunFolder folder = begun ? RunFolder::resume(record.folder) : RunFolder::create(record.folder);
  if (begun) trainer.load(folder.checkpoint());
  const int epochs = static_cast<int>(trainer.position().epoch);
  MetricsLog log = begun ? MetricsLog(folder.metrics_csv(), folder.metrics_jsonl(), {.fold = 0, .epoch = epochs})
                         : MetricsLog(folder.metrics_csv(), folder.metrics_jsonl());
  if (!trainer.done())
    train_to_end(trainer, {.folder = folder,
                           .log = log,
                           .progress = record.progress,
                           .metadata = record.metadata,
                           .fold = 0,
                           .shown = record.shown});
  if (!std::filesystem::exists(folder.model())) {
    trainer.restore_best();
    save_weights(root, folder.model(), record.metadata);
    trainer.load(folder.checkpoint());
  }
  return log.rows();
}

std::vector<double> log_likelihoods(const LanguageModel& model, const std::vector<Tokens>& documents,
                                    std::size_t batch) {
  const NoGrad no_grad;
  std::vector<double> result;
  for (std::size_t begin = 0; begin < documents.size(); begin += batch) {
    const std::size_t end = std::min(begin + batch, documents.size());
    Tokens all;
    std::vector<std::int64_t> offsets{0};
    for (std::size_t d = begin; d < end; ++d) {
      all.insert(all.end(), documents[d].begin(), documents[d].end());
      offsets.push_back(static_cast<std::int64_t>(all.size()));
    }
    const Tensor logits = model(Tensor::from(all), Ragged(offsets)).value().to(DType::float64);
    const std::int64_t vocabulary = logits.size(1);
    for (std::size_t d = 0; d + 1 < offsets.size(); ++d) {
      double sum = 0;
      for (std::int64_t i = offsets[d]; i + 1 < offsets[d + 1]; ++i) {
        const double* row = logits.data<double>() + i * vocabulary;
        const double top = *std::max_element(row, row + vocabulary);
        double total = 0;
        for (std::int64_t v = 0; v < vocabulary; ++v) total += std::exp(row[v] - top);
        sum += row[all[static_cast<std::size_t>(i) + 1]] - top - std::log(total);
      }
      result.push_back(sum);
    }
  }
  return result;
}

Agreement measure_agreement(const LanguageModel& model, const Tokenizer& tokenizer,
                            const std::vector<std::string>& sentences, std::size_t most) {
  std::set<std::string> asked;
  std::vector<Tokens> right, wrong;
  std::vector<bool> other_number;
  for (const std::string& sentence : sentences) {
    if (asked.size() == most) break;
    if (!has_clause(sentence) || !asked.insert(sentence).second) continue;
    right.push_back(tokenizer.encode(sentence));
    wrong.push_back(tokenizer.encode(with_wrong_number(sentence)));
    other_number.push_back(has_other_number_between(sentence));
  }
  const std::vector<double> for_right = log_likelihoods(model, right), for_wrong = log_likelihoods(model, wrong);
  Agreement result;
  std::int64_t clauses = 0, nouns = 0;
  for (std::size_t s = 0; s < right.size(); ++s) {
    const bool agrees = for_right[s] > for_wrong[s];
    ++result.clauses, clauses += agrees;
    if (other_number[s]) ++result.nouns, nouns += agrees;
  }
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole)
                     : std::numeric_limits<double>::quiet_NaN();
  };
  result.across_clause = share(clauses, result.clauses);
  result.against_noun = share(nouns, result.nouns);
  return result;
}

}  // namespace atto::examples
