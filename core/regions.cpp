#include "core/regions.hpp"

#include <new>

namespace atto::allocator {
namespace {

// What is left of a block is not split off when it is so small.
constexpr std::size_t kSmallestRest = std::size_t{32} << 10;

// So many free blocks of about the right size are looked at, however many there are.
constexpr int kCandidates = 64;

Header* behind(Header* block) {
  return block->last ? nullptr : reinterpret_cast<Header*>(reinterpret_cast<std::byte*>(block) + block->size);
}

}  // namespace

void Regions::link(Header* block) {
  Header*& first = free_[bin_of(block->size)];
  block->free = true;
  block->previous = nullptr;
  block->next = first;
  if (first != nullptr) first->previous = block;
  first = block;
}

void Regions::unlink(Header* block) {
  block->free = false;
  if (block->next != nullptr) block->next->previous = block->previous;
  if (block->previous != nullptr) block->previous->next = block->next;
  else free_[bin_of(block->size)] = block->next;
}

Header* Regions::take(std::size_t size) {
  for (std::uint32_t bin = bin_of(size); bin < kBins; ++bin) {
    Header* best = nullptr;
    int left = kCandidates;
    for (Header* block = free_[bin]; block != nullptr && left > 0; block = block->next, --left)
      if (block->size >= size && (best == nullptr || block->size < best->size)) best = block;
    if (best == nullptr) continue;
    unlink(best);
    if (best->size - size >= kSmallestRest) {
      auto* rest = new (reinterpret_cast<std::byte*>(best) + size) Header{};
      rest->size = best->size - size;
      rest->before = best;
      rest->last = best->last;
      if (Header* next = behind(rest)) next->before = rest;
      best->size = size;
      best->last = false;
      link(rest);
    }
    return best;
  }
  return nullptr;
}

void Regions::put(Header* block) {
  if (Header* next = behind(block); next != nullptr && next->free) {
    unlink(next);
    block->size += next->size;
    block->last = next->last;
  }
  if (Header* before = block->before; before != nullptr && before->free) {
    unlink(before);
    before->size += block->size;
    before->last = block->last;
    block = before;
  }
  if (Header* next = behind(block)) next->before = block;
  link(block);
}

void Regions::add(void* memory, std::size_t size) {
  auto* block = new (memory) Header{};
  block->size = size;
  block->last = true;
  link(block);
}

Header* Regions::remove_free() {
  for (Header* first : free_)
    for (Header* block = first; block != nullptr; block = block->next)
      if (block->before == nullptr && block->last) {
        unlink(block);
        return block;
      }
  return nullptr;
}

}  // namespace atto::allocator
