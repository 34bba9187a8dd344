#include "config/job.h"
