// Names of enumerators: a closed set, written once. For an enum E counted from 0, its room provides
// `constexpr auto names(E)` returning a std::array of string_view in order (found by argument-dependent look-up).
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace pw {

template <class E>
constexpr std::size_t enum_count() {
  return names(E{}).size();
}

template <class E>
constexpr std::string_view name(E value) {
  return names(value)[static_cast<std::size_t>(value)];
}

template <class E>
constexpr std::optional<E> from_name(std::string_view text) {
  const auto all = names(E{});
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i] == text) return static_cast<E>(i);
  return std::nullopt;
}

}  // namespace pw
