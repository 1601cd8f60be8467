#include "core/storage.hpp"

#include <new>

#include "core/allocator.hpp"

namespace atto {

static_assert(sizeof(std::atomic<std::int64_t>) + sizeof(std::size_t) + sizeof(Device) <= 32,
              "the end of a block belongs to the allocator's guard");

Storage::Storage(std::size_t bytes, Device device)
    : block_(new (allocator::allocate(sizeof(Block) + bytes, sizeof(Block)))
                 Block{.references = 1, .bytes = bytes, .device = device}) {}

void Storage::reset() noexcept {
  // The only handle needs no atomic step: nobody else is there to change the count.
  if (unique() || block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    block_->~Block();
    allocator::release(block_);
  }
  block_ = nullptr;
}

}  // namespace atto
