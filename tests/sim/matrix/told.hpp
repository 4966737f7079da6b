// Whether what a node tells of its NAT, of its path and of its attempts is so. That its metrics tell the same as its
// events is a rule of every world (check/truth.hpp).
#pragma once

#include <string>

#include "sim/matrix/cell.hpp"
#include "sim/matrix/watch.hpp"

namespace pw::sim::matrix {

/// What is not so at this end, or nothing. `lossless`: then nothing has to be tried twice, nor at all where addresses
/// answer by themselves.
std::string told_wrongly(const World& world, const Host& host, const Host& other, const Watch& watch, const Cell& cell,
                         bool lossless);

}  // namespace pw::sim::matrix
