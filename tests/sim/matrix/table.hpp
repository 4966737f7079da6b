// Table: what a matrix came to, for people: a line a cell, then the bars.
#pragma once

#include <ostream>

#include "sim/matrix/bars.hpp"

namespace pw::sim::matrix {

enum class Form : std::uint8_t { plain, markdown };

void print_head(std::ostream& out, Form form);
void print(std::ostream& out, Form form, const Tally& tally);
/// The shares of all cells together, those that were not reached, and what went wrong in single runs, the first of each cell.
void print_bars(std::ostream& out, const std::vector<Bar>& bars);
void print_mishaps(std::ostream& out, const Tally& tally, std::uint64_t first_seed);

}  // namespace pw::sim::matrix
