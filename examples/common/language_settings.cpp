#include "examples/common/language_settings.hpp"

#include <set>

#include "core/parallel.hpp"
#include "nn/names.hpp"

namespace atto::examples {

const char* group_of(const std::string& name) {
  static const std::set<std::string> data{"text",   "characters", "depth",  "relative",
                                          "tokens", "vocabulary", "length", "valid"};
  static const std::set<std::string> model{"layers", "channels", "heads", "hidden", "tied", "gin_dropout", "deviation"};
  static const std::set<std::string> training{"epochs",   "batch",        "accumulate", "lr",  "warmup",
                                              "schedule", "weight_decay", "clip",       "seed"};
  return data.count(name) ? "Data" : model.count(name) ? "Model" : training.count(name) ? "Training" : "Run";
}

void choose_defaults(LanguageSettings& s) {
  const auto choose = [&](auto& setting, auto brief, auto full) {
    if (!setting) setting = s.full ? full : brief;
  };
  using I = std::int64_t;
  choose(s.characters, I{150'000}, I{2'000'000});
  choose(s.length, I{128}, I{256});
  choose(s.layers, I{3}, I{6});
  choose(s.channels, I{64}, I{256});
  choose(s.heads, I{4}, I{8});
  choose(s.hidden, 4 * *s.channels, 4 * *s.channels);
  choose(s.epochs, 4, 9);
  choose(s.batch, I{16}, I{32});
  choose(s.lr, 3e-3, 3e-4);
  if (s.threads == 0) s.threads = threads();
}

TrainerOptions trainer_options(const LanguageSettings& s, std::uint64_t seed) {
  static constexpr Names<bool, 2> kSchedules{"schedule", {{{false, "constant"}, {true, "cosine"}}}};
  return {.epochs = *s.epochs,
          .batch = *s.batch,
          .accumulate = s.accumulate,
          .learning_rate = *s.lr,
          .weight_decay = s.weight_decay,
          .decoupled = true,
          .warmup = s.warmup,
          .cosine = kSchedules.parse(s.schedule),
          .clip = s.clip,
          .seed = seed};
}

}  // namespace atto::examples
