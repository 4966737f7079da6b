// Which failure is told recovery as what: the table of docs/metrics.md.
#include "event/failure.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>

using namespace pw;
using namespace pw::event;
using Category = FailureCategory;
using MaybeCategory = std::optional<Category>;

namespace {

MaybeCategory of(ErrorType error) { return category_of(ConnectionFailed{std::nullopt, {}, error, {}}); }
MaybeCategory of(TraversalFailure failure, TraversalResult result = TraversalResult::failure) {
  return category_of(TraversalEnded{{}, result, TraversalMethod::punch, failure, {}, {}, Family::v4, {}, {}});
}
MaybeCategory of_server(bool bootstrap, ErrorType error) { return category_of(ServiceDown{{}, true, error, {}, bootstrap}); }

}  // namespace

TEST_CASE("a connection's failure has a category only where its error shows the cause") {
  CHECK(of(ErrorType::timeout) == Category::network_connectivity);
  CHECK(of(ErrorType::path_validation) == Category::path_validation);
  CHECK(of(ErrorType::resource_exhausted) == Category::resource_exhaustion);
  for (const auto error : {ErrorType::refused, ErrorType::reset, ErrorType::tls, ErrorType::dns, ErrorType::protocol,
                           ErrorType::admission, ErrorType::unknown})
    CHECK(of(error) == std::nullopt);
}

TEST_CASE("a bootstrap that can't be used is unavailable, whatever the error, unless a limit of ours stops it") {
  for (std::size_t i = 0; i < enum_count<ErrorType>(); ++i) {
    const auto error = static_cast<ErrorType>(i);
    const bool ours = error == ErrorType::resource_exhausted;
    CHECK(of_server(true, error) == (ours ? Category::resource_exhaustion : Category::bootstrap_unavailable));
    CHECK(of_server(false, error) == of(error));
  }
}

TEST_CASE("a look for a direct path that failed is sorted by what it failed of") {
  CHECK(of(TraversalFailure::timeout) == Category::nat_traversal_timeout);
  CHECK(of(TraversalFailure::infeasible) == Category::hole_punching);
  CHECK(of(TraversalFailure::coordination) == Category::hole_punching);
  CHECK(of(TraversalFailure::validation) == Category::path_validation);
  CHECK(of(TraversalFailure::budget) == Category::resource_exhaustion);
  CHECK(of(TraversalFailure::no_candidates) == std::nullopt);
  CHECK(of(TraversalFailure::timeout, TraversalResult::cancelled) == std::nullopt);
  CHECK(of(TraversalFailure::none, TraversalResult::success) == std::nullopt);
}

TEST_CASE("a session without a live path has lost the network, one that changes its path has not") {
  CHECK(category_of(PathChanged{{}, PathKind::direct_v4, PathKind::none, PathChangeReason::path_lost}) ==
        Category::network_connectivity);
  CHECK(category_of(PathChanged{{}, PathKind::direct_v4, PathKind::relay_quic, PathChangeReason::path_lost}) == std::nullopt);
}

TEST_CASE("no room for a session is a resource that is used up, other refusals are none") {
  for (std::size_t i = 0; i < enum_count<AdmissionRefusal>(); ++i) {
    const auto reason = static_cast<AdmissionRefusal>(i);
    const auto category = category_of(AdmissionRefused{{}, {}, reason, true});
    CHECK(category.has_value() == (reason == AdmissionRefusal::session_limit));
  }
}
