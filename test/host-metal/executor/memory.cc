#include <algorithm>

#include "executor.h"
#include "pages.h"

namespace mrope::metal_host {

Memory::Memory(void *data, std::size_t bytes, std::string name, Contents contents, void *mapping, std::size_t mapped)
    : data_(data), bytes_(bytes), name_(std::move(name)), mapping_(mapping), mapped_(mapped) {
  if (contents == Contents::Unwritten) markUnwritten(0, bytes_);
}

Memory::~Memory() { unmap(mapping_, mapped_); }

std::shared_ptr<Memory> Memory::allocate(std::size_t bytes, std::string name, Contents contents) {
  const GuardedPages pages = mapGuarded(bytes);
  if (pages.data == nullptr) return nullptr;
  return std::shared_ptr<Memory>(new Memory(pages.data, bytes, std::move(name), contents, pages.mapping, pages.mapped));
}

std::shared_ptr<Memory> Memory::wrap(void *data, std::size_t bytes, std::string name, Contents contents) {
  return std::shared_ptr<Memory>(new Memory(data, bytes, std::move(name), contents, nullptr, 0));
}

void Memory::markWritten(std::size_t offset, std::size_t bytes) {
  if (unwritten_.empty() || offset >= bytes_) return;
  const auto first = unwritten_.begin() + static_cast<std::ptrdiff_t>(offset);
  std::fill(first, first + static_cast<std::ptrdiff_t>(std::min(bytes, bytes_ - offset)), false);
}

void Memory::markUnwritten(std::size_t offset, std::size_t bytes) {
  if (offset >= bytes_) return;
  const std::size_t n = std::min(bytes, bytes_ - offset);
  std::memset(static_cast<char *>(data_) + offset, poison, n);
  if (unwritten_.empty()) unwritten_.resize(bytes_);
  const auto first = unwritten_.begin() + static_cast<std::ptrdiff_t>(offset);
  std::fill(first, first + static_cast<std::ptrdiff_t>(n), true);
}

bool Memory::written(std::size_t offset, std::size_t bytes) const {
  if (unwritten_.empty() || offset >= bytes_) return true;
  const auto first = unwritten_.begin() + static_cast<std::ptrdiff_t>(offset);
  const auto last = first + static_cast<std::ptrdiff_t>(std::min(bytes, bytes_ - offset));
  return std::find(first, last, true) == last;
}

Bindings &Bindings::buffer(int index, std::shared_ptr<Memory> memory, std::size_t offset) {
  buffers_[index] = {std::move(memory), offset, {}};
  return *this;
}

Bindings &Bindings::bytes(int index, const void *data, std::size_t size) {
  const auto *first = static_cast<const std::byte *>(data);
  buffers_[index] = {nullptr, 0, std::vector<std::byte>(first, first + size)};
  return *this;
}

Bindings &Bindings::threadgroup(int index, std::size_t bytes) {
  threadgroup_[index] = bytes;
  return *this;
}

}  // namespace mrope::metal_host
