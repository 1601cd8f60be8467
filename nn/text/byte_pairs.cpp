#include "nn/text/byte_pairs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "core/error.hpp"
#include "nn/report/utf8.hpp"
#include "nn/safetensors.hpp"

namespace atto::text {

BytePairs::BytePairs(std::vector<std::string> tokens, std::vector<Merge> merges, Options options)
    : tokens_(std::move(tokens)), merges_(std::move(merges)), options_(options) {
  ids_.reserve(tokens_.size());
  for (std::size_t id = 0; id < tokens_.size(); ++id)
    if (!tokens_[id].empty()) ids_.emplace(tokens_[id], static_cast<std::int32_t>(id));
  merged_.reserve(merges_.size());
  std::string joined;
  for (std::size_t rank = 0; rank < merges_.size(); ++rank) {
    const auto [left, right] = merges_[rank];
    const std::string &a = tokens_[static_cast<std::size_t>(left)], &b = tokens_[static_cast<std::size_t>(right)];
    joined.assign(a).append(b);
    const std::int32_t id = find(joined);
    const bool is_new =
        id >= 0 && merged_.emplace(key(left, right), Merged{static_cast<std::int32_t>(rank), id}).second;
    if (!is_new)
      throw ValueError({.op = "BytePairs",
                        .argument = fmt::format("merges[{}]", rank),
                        .got = in_quotes(a) + " and " + in_quotes(b),
                        .expected = id < 0 ? "a pair whose union is in the vocabulary" : "every pair once",
                        .hint = {}});
  }
  if (options_.byte_fallback)
    for (int byte = 0; byte < 256; ++byte) byte_ids_.push_back(find(fmt::format("<0x{:02X}>", byte)));
}

std::int32_t BytePairs::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? -1 : found->second;
}

std::optional<std::size_t> BytePairs::encode(std::string_view word, Work& work, std::vector<std::int32_t>& ids) const {
  if (options_.ignore_merges)
    if (const std::int32_t id = find(word); id >= 0) {
      ids.push_back(id);
      return std::nullopt;
    }
  work.symbols.clear();
  bool was_unknown = false;
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t begin = at;
    report::next_code_point(word, at);
    const std::string_view character = word.substr(begin, at - begin);
    const std::int32_t id = find(character);
    const bool unknown = id < 0 && !(options_.byte_fallback && add_bytes(character, work));
    if (unknown && options_.unknown < 0) return begin;
    if (id >= 0) work.symbols.push_back({id, 0, 0});
    else if (unknown && !(was_unknown && options_.fuse_unknown)) work.symbols.push_back({options_.unknown, 0, 0});
    was_unknown = unknown;
  }
  if (!merged_.empty()) merge_all(work);
  for (const Work::Symbol& symbol : work.symbols)
    if (symbol.id >= 0) ids.push_back(symbol.id);
  return std::nullopt;
}

bool BytePairs::add_bytes(std::string_view character, Work& work) const {
  const auto id_of = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
  if (!std::all_of(character.begin(), character.end(), [&](char byte) { return id_of(byte) >= 0; })) return false;
  for (const char byte : character) work.symbols.push_back({id_of(byte), 0, 0});
  return true;
}

// Pairs that can be merged lie in a heap, the first of the list and of the word on top. A pair whose neighbours were
// merged meanwhile is still there and is passed over: what stands at its place is of another rank.
void BytePairs::merge_all(Work& work) const {
  std::vector<Work::Symbol>& symbols = work.symbols;
  std::vector<std::uint64_t>& heap = work.heap;
  heap.clear();
  const auto size = static_cast<std::int32_t>(symbols.size());
  for (std::int32_t i = 0; i < size; ++i) {
    symbols[static_cast<std::size_t>(i)].previous = i - 1;
    symbols[static_cast<std::size_t>(i)].next = i + 1 < size ? i + 1 : -1;
  }
  const auto at = [&](std::int32_t i) -> Work::Symbol& { return symbols[static_cast<std::size_t>(i)]; };
  const auto merged_at = [&](std::int32_t i) -> const Merged* {
    if (at(i).id < 0 || at(i).next < 0) return nullptr;
    const auto found = merged_.find(key(at(i).id, at(at(i).next).id));
    return found == merged_.end() ? nullptr : &found->second;
  };
  const auto propose = [&](std::int32_t i) {
    const Merged* merged = merged_at(i);
    if (merged == nullptr) return;
    heap.push_back((static_cast<std::uint64_t>(merged->rank) << 32) | static_cast<std::uint32_t>(i));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  for (std::int32_t i = 0; i + 1 < size; ++i) propose(i);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const std::uint64_t top = heap.back();
    heap.pop_back();
    const auto i = static_cast<std::int32_t>(top & 0xFFFFFFFFu);
    const Merged* merged = merged_at(i);
    if (merged == nullptr || static_cast<std::uint64_t>(merged->rank) != top >> 32) continue;
    Work::Symbol& left = at(i);
    Work::Symbol& right = at(left.next);
    left.id = merged->id;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) at(left.next).previous = i;
    if (left.previous >= 0) propose(left.previous);
    propose(i);
  }
}

}  // namespace atto::text
