#include "launcher/control/decide.h"
#include <gtest/gtest.h>
