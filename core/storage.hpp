#pragma once
// A reference-counted block of memory. Tensors are views of it.

#include <atomic>
#include <cstddef>
#include <utility>

#include "core/device.hpp"

namespace atto {

/// Shared handle to a block of bytes; the last handle returns the block to the arena.
class Storage {
 public:
  Storage() = default;
  /// New, uninitialised memory.
  Storage(std::size_t bytes, Device device);
  Storage(const Storage& other) noexcept : block_(other.block_) {
    if (block_) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Storage(Storage&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Storage& operator=(Storage other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Storage() {
    if (block_) reset();
  }

  std::byte* data() const noexcept { return block_ ? reinterpret_cast<std::byte*>(block_ + 1) : nullptr; }
  std::size_t bytes() const noexcept { return block_ ? block_->bytes : 0; }
  Device device() const noexcept { return block_ ? block_->device : Device{}; }
  /// True when this handle is the only one: the memory may be reused in place.
  bool unique() const noexcept { return block_ && block_->references.load(std::memory_order_acquire) == 1; }
  explicit operator bool() const noexcept { return block_ != nullptr; }
  friend bool operator==(const Storage& a, const Storage& b) noexcept { return a.block_ == b.block_; }

 private:
  // Lies in front of the bytes, so that a tensor costs one allocation. Its unused end is guarded in guard mode.
  struct alignas(64) Block {
    std::atomic<std::int64_t> references;
    std::size_t bytes;
    Device device;
  };
  void reset() noexcept;

  Block* block_ = nullptr;
};

}  // namespace atto
