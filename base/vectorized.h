#pragma once

// A function marked PHALANX_VECTORIZED is compiled for several instruction sets; the best one that
// the processor has is bound once, when the program is loaded, so that results repeat bit for bit
// on one machine. Its loops belong in PHALANX_INLINE templates, which then are compiled within it.
// Sanitizers cannot run the binding functions. PHALANX_HAS_VERSIONS: functions
// may also be written once for each set, which clang does not do for levels of x86-64.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#ifndef __clang__
#define PHALANX_HAS_VERSIONS
#endif
#define PHALANX_VECTORIZED \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PHALANX_VECTORIZED
#endif
#define PHALANX_INLINE inline __attribute__((always_inline))
