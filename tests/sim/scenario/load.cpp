#include "sim/scenario/load.hpp"

#include <algorithm>
#include <filesystem>

namespace pw::sim::scenario {
namespace {

// file → host → attach → element → link → bursts → value
constexpr int kNesting = 8;
constexpr std::size_t kLargestFile = 1 << 20;

/// What an expectation looks at by default begins with the last thing done before it.
void fill_in_after(Draft& draft) {
  for (std::size_t i = 0; i < draft.scenario.expects.size(); ++i) {
    Expect& e = draft.scenario.expects[i];
    if (!e.by || draft.after_given[i]) continue;
    for (const Do& d : draft.scenario.dos)
      if (d.at < *e.by) e.after = std::max(e.after, d.at);
  }
}

template <class T>
const T* find(const std::vector<T>& all, std::string_view name) {
  const auto found = std::ranges::find(all, name, &T::name);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

const Segment* Scenario::segment(std::string_view name_) const { return find(segments, name_); }
const Router* Scenario::router(std::string_view name_) const { return find(routers, name_); }
const Host* Scenario::host(std::string_view name_) const { return find(hosts, name_); }

Loaded load(const std::string& file, std::string_view text) {
  config::Problems problems;
  Draft draft;
  draft.scenario.name = std::filesystem::path{file}.stem().string();
  if (text.size() > kLargestFile) {
    problems.add({file, 0, 0}, "is larger than 1 MiB");
    return {{}, problems.take({file})};
  }
  const auto table = config::parse_toml(file, text, problems, kNesting);
  if (problems.empty()) {
    Fields fields{table, "the file", problems, file};
    fields.require("about", scenario::text(), draft.scenario.about);
    read_topology(fields, draft);
    read_script(fields, draft);
    if (draft.scenario.expects.empty() && !fields.has("expect")) fields.problem("has no [[expect]]: it shows nothing");
    fields.finish();
  }
  if (problems.empty()) {  // what could not be read would make what leans on it look wrong, too
    check_topology(draft, problems);
    check_script(draft, problems);
    fill_in_after(draft);
    std::ranges::stable_sort(draft.scenario.dos, {}, &Do::at);
  }
  return {std::move(draft.scenario), problems.take({file})};
}

}  // namespace pw::sim::scenario
