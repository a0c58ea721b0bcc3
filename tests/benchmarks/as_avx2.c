/* Lets a program believe that it runs on a processor with AVX2 and nothing newer.
 *
 *   cc -O2 -shared -fPIC tests/benchmarks/as_avx2.c -o as_avx2.so
 *   LD_PRELOAD=$PWD/as_avx2.so edge-agent bench kernels    (or tests/benchmarks/peers.sh)
 *
 * The engines that we compare with ask the CPUID instruction what there is, and take AVX-512, VNNI or
 * AMX where they can; most have no switch for it. The processor can be told to fault at CPUID instead
 * (Linux, arch_prctl(ARCH_SET_CPUID)). The handler here asks the real one and clears what came after
 * AVX2. Numba asks likewise, so that our kernels take the way that they would take there.
 *
 * Clocks, caches and the number of vector units stay those of this processor.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012

/* Leaf 7, sub-leaf 0: what is cleared of EBX, ECX and EDX. */
static const unsigned AVX512_EBX = 1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 |
                                   1u << 30 | 1u << 31;
static const unsigned NEWER_ECX = 1u << 1 | 1u << 6 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 11 |
                                  1u << 12 | 1u << 14; /* VBMI, GFNI, VAES, VNNI .. VPOPCNTDQ */
static const unsigned NEWER_EDX = 1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 |
                                  1u << 25; /* what came with AVX-512, and AMX */
static const unsigned X87_SSE_AVX = 7; /* leaf 0xD: states that the system saves */

static void mask(unsigned leaf, unsigned sub, unsigned *a, unsigned *b, unsigned *c, unsigned *d) {
    if (leaf == 7 && sub == 0) {
        *b &= ~AVX512_EBX;
        *c &= ~NEWER_ECX;
        *d &= ~NEWER_EDX;
    } else if (leaf == 7) { /* AVX-VNNI, bfloat16 and all that came later */
        *a = *b = *c = *d = 0;
    } else if (leaf == 0xD && sub == 0) {
        *a &= X87_SSE_AVX;
    } else if (leaf == 0x1D || leaf == 0x1E || leaf == 0x24) { /* AMX, AVX10 */
        *a = *b = *c = *d = 0;
    }
}

static void faulting(int on) { syscall(SYS_arch_prctl, ARCH_SET_CPUID, !on); }

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *instruction = (const uint8_t *)registers[REG_RIP];
    if (instruction[0] != 0x0F || instruction[1] != 0xA2) { /* no CPUID: a fault like any other */
        signal(number, SIG_DFL);
        return;
    }
    unsigned leaf = (unsigned)registers[REG_RAX], sub = (unsigned)registers[REG_RCX];
    unsigned a, b, c, d;
    (void)info;
    faulting(0);
    __cpuid_count(leaf, sub, a, b, c, d);
    faulting(1);
    mask(leaf, sub, &a, &b, &c, &d);
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, NULL);
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) != 0) {
        perror("as_avx2: this processor cannot be told to fault at CPUID");
        exit(2);
    }
}
