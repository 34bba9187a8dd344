#include "contract_suite.h"

namespace phalanx::comm {
namespace {

const std::vector<ContractCase> kCases{
    {"native", {0}},          {"native", {0, 0}},       {"native", {0, 1}},
    {"native", {0, 0, 0}},    {"native", {0, 1, 0, 1}}, {"native", {0, 0, 0, 1}},
    {"native", {0, 0, 1, 1}},
};
INSTANTIATE_TEST_SUITE_P(Native, Contract, testing::ValuesIn(kCases), case_name);

}  // namespace
}  // namespace phalanx::comm
