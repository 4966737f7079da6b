// Fields: one table of a scenario file while it is read: what was asked for is known, what is left over is a mistake.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "config/codec.hpp"
#include "config/document.hpp"
#include "sim/net/segment.hpp"

namespace pw::sim::scenario {

class Fields {
 public:
  /// `where`: the table for messages: `[[host]] "a"`. What is no table is a problem, and then has no field.
  Fields(const config::Raw& raw, std::string where, config::Problems& problems);
  /// The file as a whole.
  Fields(const config::Raw::Table& table, std::string where, config::Problems& problems, const std::string& file);

  bool is_table() const { return table_ != nullptr; }
  bool has(const char* key) const;
  const std::string& where() const { return where_; }
  void rename(std::string where) { where_ = std::move(where); }
  const config::Place& place() const { return place_; }

  /// The raw value; from now on the key is known.
  const config::Raw* raw(const char* key);
  /// As raw(), and a problem if it is missing.
  const config::Raw* needed(const char* key);
  /// Puts a value that is there into `into`. True if it was there and good.
  template <class T>
  bool read(const char* key, const config::Codec<T>& codec, T& into) {
    const config::Raw* value = raw(key);
    if (value == nullptr) return false;
    auto read = codec.read(*value, path(key), problems_);
    if (read) into = std::move(*read);
    return read.has_value();
  }
  /// As read(); that it is missing is a problem.
  template <class T>
  bool require(const char* key, const config::Codec<T>& codec, T& into) {
    return needed(key) != nullptr && read(key, codec, into);
  }
  void problem(const std::string& what) { problems_.add(place_, where_ + ": " + what); }
  /// Of the elements of a list of tables (or of one table instead, if `single`); an absent key has none.
  std::vector<const config::Raw*> tables(const char* key, bool single);
  /// `where.key`, for messages.
  std::string path(const char* key) const { return where_ + "." + key; }
  config::Problems& problems() { return problems_; }

  /// Every key that nobody asked for is a problem. Last.
  void finish();

 private:
  const config::Raw::Table* table_ = nullptr;
  std::string where_;
  config::Place place_;
  config::Problems& problems_;
  std::vector<std::string> known_;
};

// ---- kinds of values that the configuration does not have
config::Codec<double> number(double least, double most);
config::Codec<int> whole(int least, int most);
config::Codec<std::string> text();
config::Codec<std::string> a_name();
config::Codec<std::vector<std::string>> name_list();
config::Codec<std::vector<IpAddress>> address_list();
config::Codec<std::vector<net::Prefix>> prefix_list();
config::Codec<std::vector<std::uint16_t>> port_list();

}  // namespace pw::sim::scenario
