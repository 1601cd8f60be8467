#include "nn/language/token_data.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "core/error.hpp"

namespace atto {
namespace {

void check(std::span<const std::int32_t> tokens, const TokenDataOptions& options) {
  const auto refuse = [](const char* argument, std::string got, const char* expected) {
    throw ValueError(
        {.op = "TokenData", .argument = argument, .got = std::move(got), .expected = expected, .hint = {}});
  };
  if (options.length < 1) refuse("length", std::to_string(options.length), "at least 1");
  if (!(options.valid >= 0 && options.valid <= 1)) refuse("valid", std::to_string(options.valid), "0 to 1");
  if (const auto at = std::find_if(tokens.begin(), tokens.end(), [](std::int32_t t) { return t < 0; });
      at != tokens.end())
    refuse("tokens", std::to_string(*at) + " at place " + std::to_string(at - tokens.begin()), "at least 0");
}

std::int64_t training_part(std::size_t count, double valid) {
  return static_cast<std::int64_t>(count) -
         static_cast<std::int64_t>(std::floor(valid * static_cast<double>(count) + 1e-9));
}

}  // namespace

void TokenData::cut(std::int64_t begin, std::int64_t end, std::int64_t length, std::vector<Piece>& pieces) const {
  for (; begin + 1 < end; begin += length)
    pieces.push_back({.begin = begin, .length = std::min(length, end - 1 - begin)});
}

void TokenData::add(const std::vector<std::vector<Piece>>& samples, std::vector<std::int64_t>& part) {
  std::vector<std::int64_t> offsets(samples_.offsets().begin(), samples_.offsets().end());
  for (const std::vector<Piece>& sample : samples) {
    part.push_back(static_cast<std::int64_t>(offsets.size()) - 1);
    pieces_.insert(pieces_.end(), sample.begin(), sample.end());
    offsets.push_back(static_cast<std::int64_t>(pieces_.size()));
  }
  samples_ = Ragged(std::move(offsets));
}

TokenData TokenData::windows(std::vector<std::int32_t> tokens, const TokenDataOptions& options) {
  check(tokens, options);
  TokenData data;
  const std::int64_t border = training_part(tokens.size(), options.valid);
  const auto end = static_cast<std::int64_t>(tokens.size());
  data.tokens_ = std::move(tokens);
  const auto one_by_one = [&](std::int64_t from, std::int64_t to) {
    std::vector<Piece> pieces;
    data.cut(from, to, options.length, pieces);
    std::vector<std::vector<Piece>> samples;
    for (const Piece& piece : pieces) samples.push_back({piece});
    return samples;
  };
  data.add(one_by_one(0, border), data.split_.train);
  data.add(one_by_one(border, end), data.split_.valid);
  return data;
}

TokenData TokenData::documents(std::span<const std::vector<std::int32_t>> documents, const TokenDataOptions& options) {
  TokenData data;
  std::vector<std::int64_t> begins{0};
  for (const std::vector<std::int32_t>& document : documents) {
    data.tokens_.insert(data.tokens_.end(), document.begin(), document.end());
    begins.push_back(static_cast<std::int64_t>(data.tokens_.size()));
  }
  check(data.tokens_, options);
  const auto packed = [&](std::int64_t from, std::int64_t to) {
    std::vector<Piece> pieces;
    for (std::int64_t d = from; d < to; ++d)
      data.cut(begins[static_cast<std::size_t>(d)], begins[static_cast<std::size_t>(d) + 1], options.length, pieces);
    std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.length > b.length; });
    std::vector<std::vector<Piece>> samples;
    std::set<std::pair<std::int64_t, std::size_t>> room;  // what is left in a sample, and its number
    for (const Piece& piece : pieces) {
      const auto tightest = room.lower_bound({piece.length, 0});
      std::size_t sample = samples.size();
      std::int64_t left = options.length;
      if (tightest == room.end()) {
        samples.emplace_back();
      } else {
        std::tie(left, sample) = *tightest;
        room.erase(tightest);
      }
      samples[sample].push_back(piece);
      room.insert({left - piece.length, sample});
    }
    return samples;
  };
  const std::int64_t border = training_part(documents.size(), options.valid);
  data.add(packed(0, border), data.split_.train);
  data.add(packed(border, static_cast<std::int64_t>(documents.size())), data.split_.valid);
  return data;
}

std::int64_t TokenData::tokens(std::int64_t sample) const {
  std::int64_t count = 0;
  for (std::int64_t p = samples_.begin(sample); p < samples_.end(sample); ++p)
    count += pieces_[static_cast<std::size_t>(p)].length;
  return count;
}

TokenBatch TokenData::batch(std::span<const std::int64_t> chosen) const {
  std::vector<std::int32_t> read;
  std::vector<std::int64_t> wanted, offsets{0};
  for (const std::int64_t sample : chosen) {
    if (sample < 0 || sample >= size())
      throw IndexError({.op = "TokenData::batch",
                        .argument = "chosen",
                        .got = std::to_string(sample),
                        .expected = "0 to " + std::to_string(size() - 1),
                        .hint = {}});
    for (std::int64_t p = samples_.begin(sample); p < samples_.end(sample); ++p) {
      const Piece& piece = pieces_[static_cast<std::size_t>(p)];
      const auto from = tokens_.begin() + piece.begin;
      read.insert(read.end(), from, from + piece.length);
      wanted.insert(wanted.end(), from + 1, from + 1 + piece.length);
      offsets.push_back(static_cast<std::int64_t>(read.size()));
    }
  }
  return {.tokens = Tensor::from(read), .targets = Tensor::from(wanted), .sequences = Ragged(std::move(offsets))};
}

}  // namespace atto
