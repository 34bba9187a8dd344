#include "contract_suite.h"

namespace phalanx::comm {
namespace {

const std::vector<ContractCase> kCases{
    {"native", {0}},          {"native", {0, 0}},       {"native", {0, 1}},
    {"native", {0, 0, 0}},    {"native", {0, 1, 0, 1}}, {"native", {0, 0, 0, 1}},
    {"native", {0, 0, 1, 1}},
};
INSTANTIATE_TEST_SUITE_P(Native, Contract, testing::ValuesIn(kCases), case_name);

// To MPI a node is nothing that a group would depend on.
const std::vector<ContractCase> kMpiCases{{"mpi", {0}}, {"mpi", {0, 0}}, {"mpi", {0, 0, 0}}};
INSTANTIATE_TEST_SUITE_P(Mpi, Contract, testing::ValuesIn(kMpiCases), case_name);

}  // namespace
}  // namespace phalanx::comm
