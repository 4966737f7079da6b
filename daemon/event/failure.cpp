#include "event/failure.hpp"

namespace pw::event {
namespace {

using Category = FailureCategory;
using MaybeCategory = std::optional<Category>;

MaybeCategory of_error(ErrorType error) {
  switch (error) {
    case ErrorType::timeout:
      return Category::network_connectivity;
    case ErrorType::path_validation:
      return Category::path_validation;
    case ErrorType::resource_exhausted:
      return Category::resource_exhaustion;
    case ErrorType::refused:  // somebody answered: the network is well
    case ErrorType::reset:
    case ErrorType::tls:
    case ErrorType::dns:
    case ErrorType::protocol:
    case ErrorType::admission:
    case ErrorType::unknown:
      return std::nullopt;
  }
  return std::nullopt;
}

struct Sort {
  MaybeCategory operator()(const ConnectionFailed& e) const { return of_error(e.error); }
  MaybeCategory operator()(const PathChanged& e) const {
    if (e.to != PathKind::none) return std::nullopt;
    return Category::network_connectivity;
  }
  MaybeCategory operator()(const AdmissionRefused& e) const {
    if (e.reason != AdmissionRefusal::session_limit) return std::nullopt;
    return Category::resource_exhaustion;
  }
  MaybeCategory operator()(const ServiceDown& e) const {
    if (e.bootstrap && e.error != ErrorType::resource_exhausted) return Category::bootstrap_unavailable;
    return of_error(e.error);
  }
  MaybeCategory operator()(const TraversalEnded& e) const {
    if (e.result != TraversalResult::failure) return std::nullopt;
    switch (e.failure) {
      case TraversalFailure::timeout:
        return Category::nat_traversal_timeout;
      case TraversalFailure::infeasible:
      case TraversalFailure::coordination:
        return Category::hole_punching;
      case TraversalFailure::validation:
        return Category::path_validation;
      case TraversalFailure::budget:
        return Category::resource_exhaustion;
      case TraversalFailure::none:
      case TraversalFailure::no_candidates:
        return std::nullopt;
    }
    return std::nullopt;
  }
  MaybeCategory operator()(const auto&) const { return std::nullopt; }
};

}  // namespace

std::optional<FailureCategory> category_of(const Event& e) { return std::visit(Sort{}, e); }

}  // namespace pw::event
