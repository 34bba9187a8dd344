#include "contract_suite.h"

namespace phalanx::comm {
namespace {

const std::vector<ContractCase> kCases{
    {"native", {0, 0, 0, 0}},
    {"native", {0, 1, 2, 3}},
    {"native", {0, 0, 1, 1, 1}},
    {"native", {2, 0, 1, 0, 2}},
    {"native", {0, 0, 0, 0, 0, 0, 0, 0}},
    {"native", {0, 0, 0, 0, 1, 1, 1, 1}},
    {"native", {0, 0, 1, 1, 2, 2, 3, 3}},
    {"native", {0, 1, 2, 3, 3, 2, 1, 0}},
};
INSTANTIATE_TEST_SUITE_P(Native, Contract, testing::ValuesIn(kCases), case_name);

const std::vector<ContractCase> kMpiCases{
    {"mpi", {0, 0, 0, 0}}, {"mpi", {0, 0, 1, 1, 1}}, {"mpi", {0, 0, 0, 0, 1, 1, 1, 1}}};
INSTANTIATE_TEST_SUITE_P(Mpi, Contract, testing::ValuesIn(kMpiCases), case_name);

}  // namespace
}  // namespace phalanx::comm
