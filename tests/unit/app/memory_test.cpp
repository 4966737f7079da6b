#include "app/memory.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <memory>
#include <vector>

using namespace pw;

namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kOwnAllocator = true;
#else
constexpr bool kOwnAllocator = false;
#endif
#else
constexpr bool kOwnAllocator = false;
#endif

std::size_t resident() {
  std::ifstream file{"/proc/self/statm"};
  std::size_t size = 0;
  std::size_t pages = 0;
  file >> size >> pages;
  return pages * 4096;
}

}  // namespace

TEST_CASE("memory that was freed goes back to the kernel once it lies idle") {
  if (kOwnAllocator) SKIP("a sanitizer's allocator has its own ways");
  constexpr std::size_t kBlock = 2000;
  std::vector<std::unique_ptr<char[]>> blocks;
  for (int i = 0; i < 32'000; ++i) blocks.push_back(std::make_unique<char[]>(kBlock));
  const auto keeps_the_heap_from_shrinking = std::make_unique<char[]>(kBlock);
  blocks.clear();
  const std::size_t before = resident();
  app::MemoryTrim trim;
  Instant now{1h};
  trim.tick(now);
  CHECK(resident() > before - (8 << 20));  // too early: it may be wanted again at once
  trim.tick(now += app::MemoryTrim::kInterval / 2);
  CHECK(resident() > before - (8 << 20));
  trim.tick(now += app::MemoryTrim::kInterval);
  CHECK(resident() < before - (32 << 20));
}
